"""Batches without a synthesis, for tests of the window: a manifest in any state, and runs that work on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest

BEGUN = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def make_batch(out: Path, states: list[str], **request: Any) -> Manifest:
    """A batch whose cases are in these states; the one who is given it writes on, as the batch would."""
    out.mkdir(parents=True)
    source = out.with_name(f"{out.name}-cts")
    source.mkdir(exist_ok=True)
    cases = tuple(
        BatchCase(f"sub-{number:03d}/ct.nii.gz", source / f"sub-{number:03d}" / "ct.nii.gz", None)
        for number in range(1, len(states) + 1)
    )
    problem = CaseProblem("TWO_CTS", "sub-999", "two CTs of one day", "keep one of them")
    manifest = Manifest.create(
        out, BatchRequest(input=source, out=out, **request), FoundCases(cases, (problem,), "bids")
    )
    for number, state in enumerate(states, 1):
        set_state(manifest, number, state)
    return manifest


def set_state(manifest: Manifest, number: int, state: str) -> None:
    """Put a case into a state, with what belongs to it; "review" is done and to be looked at."""
    begun = BEGUN + timedelta(seconds=60 * number)
    values: dict[str, Any] = {"state": "done" if state == "review" else state}
    if state != "waiting":
        values |= {"attempts": 1, "started": begun}
    if state in ("done", "review", "failed"):
        values |= {"ended": begun + timedelta(seconds=95), "seconds": 95.0}
    if state in ("done", "review"):
        values["review"] = state == "review"
    if state == "failed":
        values |= {"code": "NOT_A_CT", "message": "the CT is not a CT", "hint": "give a CT in Hounsfield units"}
    if state == "skipped":
        values |= {"code": "EMPTY_SEGMENTATION", "message": "it has no segmentation", "hint": "segment it"}
    manifest.change(number, **values)


def tiny_patients(root: Path, generators: Path | None = None, more: int = 0) -> SimpleNamespace:
    """Two small heads (and more) with their segmentations, one without, and a generator that is as small."""
    import numpy as np
    from tiny_generator import head_phantom, tiny_bundle

    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.writing import write_volume

    cts = []
    for name in ("doe_jane", "doe_john", "doe_max", *(f"roe_{number}" for number in range(more))):
        matrix = np.diag([2.5, 2.5, 5.0, 1.0])
        matrix[:3, 3] = (-20.0, 31.0, len(cts))
        ct, labels = head_phantom(Geometry.from_affine_ras(matrix, (24, 24, 10)))
        cts.append(write_volume(ct, root / "patients" / name / "ct.nii.gz"))
        if name != "doe_max":
            write_volume(labels, root / "patients" / name / "seg.nii.gz")
    generator = tiny_bundle((generators or root) / "tiny").directory
    return SimpleNamespace(folder=root / "patients", cts=cts, generator=generator)
