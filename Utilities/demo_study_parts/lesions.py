"""Cases of lesion reading: slabs of two people with multiple sclerosis, half of them without a lesion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demo_study_parts.heads import SLAB_MM, write_table
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.crop import crop_to_box
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.study.protocol import Arm

ARMS = (Arm(id="t1", panels=("real",)), Arm(id="t1-flair", panels=("real", "second")))
"""There is no CT of these people, so the arms of the usual protocol cannot be read."""


@dataclass(frozen=True)
class Slab:
    """A part of a person, from a height above the image's lowest slice upwards; ``lesions`` says what is expected."""

    person: str
    from_mm: int
    to_mm: int
    lesions: bool


SLABS = (
    Slab("p07", 54, 74, lesions=True),
    Slab("p07", 84, 104, lesions=True),
    Slab("p19", 122, 142, lesions=True),
    Slab("p07", 24, 42, lesions=False),
    Slab("p07", 128, 146, lesions=False),
    Slab("p19", 26, 46, lesions=False),
)


def lesion_cases(data: Path, folder: Path) -> Path:
    """Write T1, FLAIR and mask of every slab and the table of cases; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, slab in enumerate(SLABS, start=1):
        row = {"case": str(number), "stratum": slab.person, "status": "yes" if slab.lesions else "no"}
        for column, image in (("real", "t1"), ("second", "flair"), ("lesions", "lesions")):
            path = folder / f"{number}_{column}.nii.gz"
            row[column] = path.name
            if not path.is_file():
                source = data / "lesions" / f"openms_{slab.person}_{image}_mni.nii.gz"
                volume = read_label_map(source, "the mask") if column == "lesions" else read_volume(source, "the MR")
                write_volume(cut(volume, slab, thick=column != "lesions"), path)
        rows.append(row)
    return write_table(folder / "cases.csv", rows)


def cut(volume: Volume, slab: Slab, thick: bool) -> Volume:
    """The slab; images averaged over slices of 3 mm, masks as they are."""
    part = crop_to_box(volume, (slice(slab.from_mm, slab.to_mm), slice(None), slice(None)))
    if not thick:
        return part
    spec = GridSpec(spacing_mm=(1.0, 1.0, SLAB_MM), size_ij=None, isotropic=True)
    return conform(part, plan_grid(part.geometry, spec), "linear", fill=0.0)
