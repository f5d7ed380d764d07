"""Small made-up heads for the tests of datasets: CT, labels and MR of an ellipsoid person, noise included."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

GRID = Geometry((44, 52, 40), (4.0, 4.0, 4.0), (-86.0, -102.0, -78.0))
"""176 x 208 x 160 mm: a whole head."""


def tissue(geometry: Geometry = GRID, shift_mm: float = 0.0) -> np.ndarray:
    """0 air, 1 fat, 2 bone, 3 fluid, 4 brain, [k, j, i]; always the same head in space."""
    k, j, i = np.indices(geometry.shape_kji)
    points = geometry.index_to_lps(np.stack([i, j, k], -1).reshape(-1, 3)).reshape(*geometry.shape_kji, 3)
    radius = np.sqrt((((points - (shift_mm, 0, 0)) / (70, 88, 75)) ** 2).sum(-1))
    return np.digitize(-radius, [-1.0, -0.9, -0.78, -0.7]).astype(np.uint8)


def ct(person: int = 0, geometry: Geometry = GRID) -> Volume:
    """HU with noise that differs between persons."""
    hu = np.array([-1000, -100, 900, 10, 38])[tissue(geometry)]
    noise = np.random.default_rng(person).normal(0, 12, hu.shape)
    return Volume(np.rint(hu + noise).clip(-1024).astype(np.int16), geometry)


def mr(person: int = 0, geometry: Geometry = GRID, scale: float = 1.0) -> Volume:
    """A T1-like image with noise and a smooth bias."""
    grey = np.array([4, 400, 30, 90, 280])[tissue(geometry)] * np.linspace(0.8, 1.2, geometry.size_ijk[0])
    noise = np.abs(np.random.default_rng(1000 + person).normal(0, 14, grey.shape))
    return Volume(np.rint((grey + noise) * scale).astype(np.int16), geometry)


def labels(geometry: Geometry = GRID, shift_mm: float = 0.0) -> Volume:
    """The head in classes that only the ``head`` schema has: scalp fat 2, bone 4, fluid 13, brain 15."""
    return Volume(np.array([0, 2, 4, 13, 15], np.uint8)[tissue(geometry, shift_mm)], geometry)


def save(volume: Volume, path: Path) -> Path:
    """Write it, with the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_volume(volume, path)


def save_nifti(array_kji: np.ndarray, path: Path, affine: np.ndarray | None = None) -> Path:
    """Write any array with any affine, as foreign tools would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = tuple(range(array_kji.ndim - 1, -1, -1))
    nibabel.Nifti1Image(array_kji.transpose(axes), GRID.affine_ras if affine is None else affine).to_filename(path)
    return path
