"""A small study: heads made of formulas, "real" ones as a scanner gives them, "synthetic" ones as a network does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.study import building
from MedUSISLib.study.protocol import CommonForm, Protocol, Randomisation, lesion_reading, visual_turing

RADII_MM = np.array([60.0, 75.0, 60.0])
SECRET = "5a" * 32
"""Given to studies so that a test does the same every time."""

FORM = CommonForm(spacing_mm=(5.0, 5.0, 5.0))


def axes_turned(degrees: float) -> tuple[float, ...]:
    a = np.deg2rad(degrees)
    return (np.cos(a), -np.sin(a), 0.0, np.sin(a), np.cos(a), 0.0, 0.0, 0.0, 1.0)


def grid(size, spacing, degrees=0.0) -> Geometry:
    direction = np.array(axes_turned(degrees)).reshape(3, 3)
    origin = -direction @ ((np.array(size) - 1) / 2 * np.array(spacing))
    return Geometry(tuple(size), tuple(spacing), tuple(origin), tuple(direction.ravel()))


CT_GRID = grid((36, 44, 36), (4.0, 4.0, 4.0))
MR_GRID = grid((48, 56, 30), (3.2, 3.2, 5.5), degrees=4.0)


@dataclass(frozen=True)
class Head:
    """One person: an ellipsoid with a skull, tissue that waves, and balls as lesions."""

    number: int
    lesions: tuple[tuple[float, float, float], ...] = ()

    def points(self, geometry: Geometry) -> np.ndarray:
        k, j, i = np.indices(geometry.shape_kji)
        return geometry.index_to_lps(np.stack([i, j, k], -1).reshape(-1, 3)).reshape(*geometry.shape_kji, 3)

    def mr(self, geometry: Geometry) -> np.ndarray:
        """0 in air, up to about 1.2."""
        random = np.random.default_rng(self.number)
        points = self.points(geometry)
        radius = np.sqrt(((points / (RADII_MM * (1 + 0.03 * random.standard_normal()))) ** 2).sum(-1))
        waves = sum(np.cos(points @ random.normal(0, 0.12, 3) + random.uniform(0, 6)) for _ in range(6))
        value = np.where(radius < 0.85, 0.55 + 0.06 * waves, np.where(radius < 0.93, 0.1, 0.9))
        value = np.where(radius > 1, 0.0, value)
        for place in self.lesions:
            value = np.where(((points - np.array(place)) ** 2).sum(-1) < 8.0**2, 1.1, value)
        return value

    def ct(self, geometry: Geometry) -> np.ndarray:
        mr = self.mr(geometry)
        return np.select([mr == 0, mr == 0.1, mr == 0.9], [-1000, 900, -90], 35).astype(np.int16)

    def mask(self, geometry: Geometry) -> np.ndarray:
        points = self.points(geometry)
        near = [((points - np.array(place)) ** 2).sum(-1) < 8.0**2 for place in self.lesions]
        return np.any(near, axis=0).astype(np.uint8) if near else np.zeros(geometry.shape_kji, np.uint8)


def write_case(folder: Path, head: Head, name: str) -> dict[str, str]:
    """A real MR (Rician noise, whole numbers, own oblique grid), a synthetic one (floats on the CT's), CT and mask."""
    random = np.random.default_rng(1000 + head.number)
    noise = random.normal(0, 0.03, (2, *MR_GRID.shape_kji))
    real = np.hypot(head.mr(MR_GRID) + noise[0], noise[1]) * (400 + 60 * head.number)
    synthetic = np.clip(
        head.mr(CT_GRID) + 0.02 * random.normal(size=CT_GRID.shape_kji) * (head.mr(CT_GRID) > 0), 0, 1.2
    )
    write_volume(Volume(np.rint(real).astype(np.int16), MR_GRID), folder / f"{name}_t1.nii.gz", f"Patient {name}")
    write_volume(Volume(synthetic.astype(np.float32), CT_GRID), folder / f"{name}_syn.nii.gz", "SYNTHETIC")
    write_volume(Volume(head.ct(CT_GRID), CT_GRID), folder / f"{name}_ct.nii.gz")
    write_volume(Volume(head.mask(CT_GRID), CT_GRID), folder / f"{name}_mask.nii.gz")
    return {
        "case": name,
        "real": f"{name}_t1.nii.gz",
        "synthetic": f"{name}_syn.nii.gz",
        "ct": f"{name}_ct.nii.gz",
        "lesions": f"{name}_mask.nii.gz",
        "stratum": "siemens" if head.number % 2 else "philips",
        "training": "yes" if head.number == 0 else "no",
    }


def write_cases(folder: Path, count: int = 9, columns: tuple[str, ...] | None = None) -> Path:
    """``count`` cases, the first one for training, every second one with two lesions; the table's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        places = ((20.0, 10.0, 0.0), (-25.0, -20.0, 10.0)) if number % 2 else ()
        rows.append(write_case(folder, Head(number, places), f"Doe_Jane_{number}"))
    return write_table(folder / "cases.csv", rows, columns)


def draw_the_same_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies made after this have the same secrets in every run; chance decides what a leak check and a kappa say."""
    numbers = count()
    drawn = SimpleNamespace(token_hex=lambda size: hashlib.sha256(f"{next(numbers)}".encode()).hexdigest()[: 2 * size])
    monkeypatch.setattr(building, "secrets", drawn)


def write_table(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] | None = None) -> Path:
    columns = columns or tuple(rows[0])
    lines = [",".join(columns), *(",".join(row[c] for c in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def small(protocol: Protocol, **fields: object) -> Protocol:
    """The protocol with the coarse grid of these heads."""
    return Protocol.model_validate({**protocol.model_dump(), "common_form": FORM, **fields})


def turing_protocol(**fields: object) -> Protocol:
    return small(visual_turing("heads", ("R1", "R2"), randomisation=Randomisation(repeats=2, gap=2)), **fields)


def lesion_protocol(**fields: object) -> Protocol:
    return small(lesion_reading("heads", ("R1", "R2"), randomisation=Randomisation(gap=2)), **fields)
