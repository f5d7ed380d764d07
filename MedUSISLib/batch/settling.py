"""After an interruption: who still works is ended, half-written things go, every case gets the state that is true."""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.batch.folder import CASES_NAME, case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.standing import review_of, stands, stands_complete
from MedUSISLib.batch.states import CaseRow, CaseState
from MedUSISLib.output_directory import remove_half_written
from MedUSISLib.progress import Progress
from MedUSISLib.runs.identity import ProcessIdentity

WORKERS_FACT = "workers"
"""Under this name the manifest keeps who works."""


def end_old_workers(manifest: Manifest) -> None:
    """A killed batch may have left workers in their last breath; they must not write while others do."""
    for found in manifest.fact(WORKERS_FACT, ()):
        identity = ProcessIdentity.model_validate(found)
        if identity.here and identity.alive:
            identity.kill()
    manifest.remember(**{WORKERS_FACT: []})


def sweep(out: Path) -> None:
    """Remove what workers that were killed had begun to write, unless somebody still writes it."""
    begun = {path.name[1:].partition(".medusis-")[0] for path in (out / CASES_NAME).glob(".case-*.medusis-*")}
    for name in sorted(begun):
        remove_half_written(out / CASES_NAME / name)


def settle(manifest: Manifest, request: BatchRequest, progress: Progress) -> None:
    """Give every case the state from which the batch goes on.

    A case that is done stays done while its result stands. One that is not, but whose folder holds the whole result -
    its batch was killed between the last step and the manifest's word - is done too. Cases without a segmentation are
    skipped unless something segments them.
    """
    sha256 = str(manifest.fact("generator_sha256"))
    lost = 0
    alike: dict[tuple[tuple[str, object], ...], list[int]] = {}
    for row in manifest.rows():
        progress.checkpoint()
        lost += row.state is CaseState.DONE and not stands(case_folder(request.out, row.number))
        changes = _settled(row, manifest, request, sha256)
        if changes:
            alike.setdefault(tuple(changes.items()), []).append(row.number)
    for values, numbers in alike.items():  # a transaction for each would wait for the disk a thousand times
        manifest.change_all(numbers, **dict(values))
    if lost:
        progress.warning("RESULTS_GONE", f"the results of {lost} case(s) are not there any more: they are made again")


def _settled(row: CaseRow, manifest: Manifest, request: BatchRequest, sha256: str) -> dict[str, object]:
    folder = case_folder(request.out, row.number)
    if row.state is CaseState.DONE:
        return {} if stands(folder) else {**AGAIN, "attempts": 0}
    case = manifest.case(row.number)
    if stands_complete(folder, request, case.labels, sha256):
        return {**SOUND, "state": CaseState.DONE, "review": review_of(folder)}
    if case.segmentation is None and request.segment is None:
        return dict(NOT_SEGMENTED)
    if row.state is CaseState.FAILED:
        return {**AGAIN, "attempts": 0} if request.retry_failed else {}
    return {} if row.state is CaseState.WAITING else dict(AGAIN)


SOUND = {"code": "", "message": "", "hint": ""}
AGAIN = {**SOUND, "state": CaseState.WAITING, "review": None, "started": None, "ended": None, "seconds": None}
NOT_SEGMENTED = {
    "state": CaseState.SKIPPED,
    "code": "EMPTY_SEGMENTATION",
    "message": "the CT has no segmentation",
    "hint": "give --segment head-seg (or totalsegmentator), or a table that names one",
}
