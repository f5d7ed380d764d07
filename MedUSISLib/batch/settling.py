"""After an interruption: who still works is ended, half-written things go, every case gets the state that is true."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from MedUSISLib.batch.case import BatchCase
from MedUSISLib.batch.folder import CASES_NAME, case_folder
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.standing import review_of, stands, stands_complete
from MedUSISLib.batch.states import CaseRow, CaseState
from MedUSISLib.output_directory import remove_half_written
from MedUSISLib.progress import Progress
from MedUSISLib.runs.identity import ProcessIdentity

INPUT_CHANGED = "INPUT_CHANGED"
"""Warning: a result stays that was made from other files than the input holds now."""
_MOST_NAMED = 10
_OF_FILE_MANAGERS = ("thumbs.db", "desktop.ini")

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
    skipped unless something segments them, and so are those that somebody took out of the input.
    """
    sha256 = str(manifest.fact("generator_sha256"))
    lost = 0
    changed: list[str] = []
    absent = manifest.absent
    alike: dict[tuple[tuple[str, object], ...], list[int]] = {}
    for row in manifest.rows():
        progress.checkpoint()
        changes = _settled(row, manifest, request, sha256, row.number in absent)
        if row.state is CaseState.DONE:
            lost += bool(changes)
            if not changes and row.started is not None and changed_since(manifest.case(row.number), row.started):
                changed.append(row.name)
        if changes:
            alike.setdefault(tuple(changes.items()), []).append(row.number)
    for values, numbers in alike.items():  # a transaction for each would wait for the disk a thousand times
        manifest.change_all(numbers, **dict(values))
    if lost:
        progress.warning("RESULTS_GONE", f"the results of {lost} case(s) are not there any more: they are made again")
    if changed:
        progress.warning(
            INPUT_CHANGED,
            f"files of {named_cases(changed)} were written since, and the results are of what they held before: remove "
            "the folder of a case to have it made again",
        )


def changed_since(case: BatchCase, began: datetime) -> bool:
    """Whether CT or segmentation was written after a case was begun; of folders only whether files came in."""
    for path in filter(None, (case.ct, case.segmentation)):
        with suppress(OSError):  # its disk is not there: nothing is known
            if path.stat().st_mtime > began.timestamp() and (not path.is_dir() or _got_files(path, began.timestamp())):
                return True
    return False


def _got_files(folder: Path, since_s: float) -> bool:
    """Whether one of its files is new here, copied with its old time perhaps; what a file manager leaves is none."""
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name.lower() not in _OF_FILE_MANAGERS and path.is_file():
            status = path.stat()
            if max(status.st_mtime, status.st_ctime) > since_s:
                return True
    return False


def named_cases(names: Sequence[str]) -> str:
    """So many cases with their names, as far as somebody reads them.

    Examples
    --------
    >>> named_cases(["case-0003", "case-0007"])
    '2 case(s) that are done (case-0003, case-0007)'
    """
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"{len(names)} case(s) that are done ({', '.join(names[:_MOST_NAMED])}{more})"


def _settled(
    row: CaseRow, manifest: Manifest, request: BatchRequest, sha256: str, is_absent: bool
) -> dict[str, object]:
    folder = case_folder(request.out, row.number)
    if row.state is CaseState.DONE:
        return {} if stands(folder) else {**(ABSENT if is_absent else AGAIN), "attempts": 0}
    case = manifest.case(row.number)
    if stands_complete(folder, request, case.labels, sha256):
        return {**SOUND, "state": CaseState.DONE, "review": review_of(folder)}
    if is_absent:
        return {} if row.state is CaseState.FAILED else dict(ABSENT)
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
ABSENT = {
    **AGAIN,
    "state": CaseState.SKIPPED,
    "code": "INPUT_NOT_READABLE",
    "message": "the input does not hold this case any more",
    "hint": "nothing, if it was taken out; else put it back or connect its disk, and give the same command",
}
