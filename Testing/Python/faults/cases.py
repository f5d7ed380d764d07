"""A CT with its segmentation, one of them spoiled, all the way to a case; and as a job in the whole."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from tiny_generator import head_phantom

from faults.byte_faults import spoil_bytes
from faults.image_oracle import said_by_nifti
from faults.kind import NAME, Kind
from faults.nifti_fields import spoil_header
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.inputs import Case, read_case
from MedUSISLib.synthesis.request import SynthesisRequest

GRID = Geometry((18, 18, 16), (3.5, 3.5, 3.5), (-29.75, -29.75, -26.25))


@lru_cache(maxsize=1)
def _files() -> dict[str, bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ct, labels = head_phantom(GRID)
        names = {f"{NAME}_ct.nii": ct, f"{NAME}_seg.nii": labels}
        return {name: write_volume(volume, Path(folder) / name).read_bytes() for name, volume in names.items()}


def _make(folder: Path) -> None:
    for name, content in _files().items():
        (folder / name).write_bytes(content)


def _spoil(random: Random, folder: Path) -> str:
    path = random.choice(sorted(folder.glob("*.nii")))
    content = path.read_bytes()
    content, done = spoil_header(random, content) if random.random() < 0.75 else spoil_bytes(random, content, 352)
    path.write_bytes(content)
    return f"{path.stem[-3:]}: {done}"


def _request(folder: Path) -> SynthesisRequest:
    return SynthesisRequest(
        ct=folder / f"{NAME}_ct.nii",
        segmentation=folder / f"{NAME}_seg.nii",
        labels="head",
        generator="head-t1w",
        out=folder / "out",
        unmapped="background",
    )


def _read(folder: Path) -> Case:
    return read_case(_request(folder), load_schema("head"), Progress())


def _verify(folder: Path, case: Case) -> None:
    """The CT in its own place; each voxel has the label of the nearest voxel of the segmentation in world space."""
    ct, seg = (said_by_nifti(folder / f"{NAME}_{name}.nii") for name in ("ct", "seg"))
    assert ct is not None and seg is not None, "what is no NIfTI was read"
    grid = case.ct.geometry
    assert np.abs(grid.matrix - ct.matrix).max() < 1e-3 * max(1, np.abs(ct.matrix).max()), "the CT lies elsewhere"
    assert case.labels.geometry == grid and case.body.geometry == grid
    assert case.labels.array_kji.dtype == np.uint8 and case.labels.array_kji.max() < 16
    k, j, i = np.indices(grid.shape_kji)
    points = ct.matrix @ np.stack([i.ravel(), j.ravel(), k.ravel(), np.ones(i.size)])
    index = (np.linalg.inv(seg.matrix) @ points)[:3]
    clear = (np.abs(index - np.floor(index) - 0.5) > 0.02).all(axis=0)  # no tie between two neighbours
    nearest = np.rint(index).astype(int)
    inside = ((nearest >= 0) & (nearest < np.array(seg.size_ijk)[:, None])).all(axis=0)
    expected = np.zeros(i.size)
    expected[inside] = np.asarray(seg.values)[nearest[2, inside], nearest[1, inside], nearest[0, inside]]
    expected = np.where((expected >= 0) & (expected < 16), expected, 0)
    wrong = int(np.count_nonzero((case.labels.array_kji.ravel() != expected) & clear))
    assert wrong <= 0.001 * i.size, f"{wrong} of {i.size} voxels have another label"


_CODES = ("INPUT_NOT_READABLE", "GEOMETRY_MISMATCH", "NOT_A_CT", "EMPTY_SEGMENTATION", "UNKNOWN_LABELS")
KINDS = (Kind("CT and segmentation", _make, _spoil, _read, _verify, codes=_CODES),)
