"""Pairs for the visual Turing test: slabs of real T1s, and what head-t1w draws from their labels."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.crop import crop_to_box
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.segmentation.segment import mr_head_mask, segment_volume
from MedUSISLib.synthesis.bookkeeping import RecordingProgress
from MedUSISLib.synthesis.engine import synthesize_case
from MedUSISLib.synthesis.inputs import prepare_case
from MedUSISLib.synthesis.loaded_generators import load_generator
from MedUSISLib.synthesis.request import SynthesisRequest

GENERATOR = "head-t1w"
SLAB_MM = 3.0
SLICES = 20
_BELOW_VERTEX_MM = 15.0
# The generator is told where the body is by a CT. These people have none: air, bone and soft tissue from the labels do.
_HU = {"background": -1000, "air": -1000, "cortical_bone": 1000, "cancellous_bone": 400, "fat": -90}


@dataclass(frozen=True)
class Person:
    """A public T1; ``held_out`` when the generator was not trained on it."""

    file: str
    held_out: bool


PEOPLE = (
    Person("mne_ecog_t1.nii.gz", held_out=True),
    Person("pycortex_s1_t1.nii.gz", held_out=True),
    Person("bold5000_csi1_t1.nii.gz", held_out=False),
    Person("bold5000_csi2_t1.nii.gz", held_out=False),
    Person("fnndsc_adi_t1.nii.gz", held_out=False),
    Person("n2d_t1.nii.gz", held_out=False),
)


def head_cases(data: Path, folder: Path) -> Path:
    """Write both images of every person and the table of cases; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = load_schema("head")
    rows = []
    for number, person in enumerate(PEOPLE, start=1):
        real, synthetic = folder / f"{number}_real.nii.gz", folder / f"{number}_synthetic.nii.gz"
        if not (real.is_file() and synthetic.is_file()):
            print(f"head {number} of {len(PEOPLE)}")
            slab = upper_head(read_volume(data / "mr_head_t1" / person.file, "the T1"))
            write_volume(drawn(segment_volume(slab, "mr", device="cpu"), schema), synthetic)
            write_volume(slab, real)
        rows.append(
            {
                "case": str(number),
                "real": real.name,
                "synthetic": synthetic.name,
                "stratum": "held-out" if person.held_out else "trained-on",
                "slice": f"{0.3 + 0.08 * number:.2f}",
            }
        )
    return write_table(folder / "cases.csv", rows)


def upper_head(t1: Volume) -> Volume:
    """Slices of 3 mm from below the vertex downwards, averaged over their thickness, 1 mm in the plane."""
    spec = GridSpec(spacing_mm=(1.0, 1.0, SLAB_MM), size_ij=None, isotropic=True)
    whole = conform(t1, plan_grid(t1.geometry, spec), "linear", fill=0.0)
    top = int(np.flatnonzero(mr_head_mask(whole).any(axis=(1, 2)))[-1]) - round(_BELOW_VERTEX_MM / SLAB_MM)
    return crop_to_box(whole, (slice(top + 1 - SLICES, top + 1), slice(None), slice(None)))


def drawn(labels: Volume, schema: LabelSchema) -> Volume:
    """What the generator makes of labels."""
    values = np.array([_HU.get(name, 40) for name in schema.names], dtype=np.int16)
    case = prepare_case(labels.with_array(values[labels.array_kji]), labels, schema, RecordingProgress(), "head")
    bundle, schema = load_generator(GENERATOR)
    # The request's paths are not looked at: everything is in memory.
    request = SynthesisRequest(ct=Path("-"), segmentation=Path("-"), out=Path("-"), passes=1, device="cpu")
    return synthesize_case(case, bundle, schema, request, RecordingProgress()).mr


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A table of cases; its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
