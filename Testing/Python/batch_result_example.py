"""A finished batch as a folder, small: its manifest, and what a few cases left behind."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from small_result import quality

from MedUSISLib.batch.case import BatchCase, FoundCases
from MedUSISLib.batch.folder import case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.synthesis.writing import write_json

PATIENT = "Mueller_Hans_1961"
BEGAN = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def figures(
    verdict: str = "ok", review: bool | None = False, uncertainty: float = 0.001, flags: int = 0
) -> dict[str, Any]:
    """quality.json of a case."""
    found = copy.deepcopy(quality())
    found["uncertainty"].update({"global": uncertainty, "review": review})
    level = verdict if verdict != "ok" else "look"
    message = "Body outline, distance: 12.0 mm. Above 5 mm: a local defect."
    found["flags"] = [{"level": level, "key": "body.hd95_mm", "message": message}] * flags
    found["warnings"] = [{"code": "SEGMENTATION_RESAMPLED", "message": f"of /data/{PATIENT}/seg.nii.gz"}]
    found["verdict"], found["review"] = verdict, review
    return found


def finished_batch(out: Path, qualities: list[dict[str, Any] | None], more: int = 0) -> Path:
    """A batch whose first cases are done with these figures (None: nothing was written), and ``more`` that wait."""
    cases = [
        BatchCase(f"{PATIENT}/{n}/ct.nii.gz", out / f"{PATIENT}_{n}.nii.gz", None)
        for n in range(1, len(qualities) + more + 1)
    ]
    problems = [problem("NOT_A_CT", f"{PATIENT}/mr{n}.nii.gz", "its name says MR") for n in range(3)]
    out.mkdir(parents=True)
    request = BatchRequest(input=out / PATIENT, out=out, generator=str(out / PATIENT / "generator"))
    with Manifest.create(out, request, FoundCases(tuple(cases), tuple(problems), "files")) as manifest:
        for number, found in enumerate(qualities, start=1):
            folder = case_folder(out, number)
            folder.mkdir(parents=True)
            if found is not None:
                write_json(found, folder / "quality.json")
                (folder / "report.html").write_text("<html>no picture</html>")
            started = BEGAN + timedelta(minutes=number)
            manifest.change(
                number,
                state=CaseState.DONE,
                attempts=1,
                started=started,
                ended=started + timedelta(minutes=1),
                seconds=50.0 + number,
                worker=f"local-{number % 2}",
            )
    return out
