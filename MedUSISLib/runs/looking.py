"""From the files of a run to its status; no lock is taken and nothing is changed."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.progress import Wish
from MedUSISLib.runs.claim import Claim
from MedUSISLib.runs.files import JOB_NAME, OWNER_NAME, WISH_NAME, WORKER_NAME
from MedUSISLib.runs.queue import waiting
from MedUSISLib.runs.record import Records, RunRecord, now
from MedUSISLib.runs.status import RunState, RunStatus
from MedUSISLib.runs.words import STAGE_OF_CASES, place_of, words_of

_WISHED = {
    Wish.PAUSE: RunState.PAUSING,
    Wish.FINISH: RunState.FINISHING,
    Wish.STOP: RunState.STOPPING,
    Wish.END: RunState.STOPPING,
}
_STARTING_S = 20.0
"""A worker needs so long at most to start (Slicer's Python on a slow disk)."""


def status_of(folder: Path, store: Path, records: Records) -> RunStatus:
    """The status of the run in ``folder``."""
    held, record = _look(folder, records)
    if record is None:
        return _of_damaged(folder, held)
    if record.state is RunState.RUNNING:
        if not held:
            return _status(record, RunState.PAUSED, interrupted_text(record), _go_on(record))
        wish = WishFile(folder / WISH_NAME, interval_s=0).read()
        return _status(record, _WISHED.get(wish, RunState.RUNNING) if wish else RunState.RUNNING)
    if record.state is RunState.QUEUED:
        return _of_waiting(record, folder, store, records)
    return _status(record, record.state)


def interrupted_text(record: RunRecord) -> str:
    """Where a run was when its process vanished."""
    if record.iteration is not None:
        return f"interrupted at iteration {record.iteration}"
    if record.kind == "batch" and record.stage == STAGE_OF_CASES:
        return f"interrupted {place_of(record)}"
    return f"interrupted while {record.stage}" if record.stage else "interrupted"


def _go_on(record: RunRecord) -> str:
    return f"resume it: {words_of(record.kind).goes_on}"


def damaged_record(folder: Path) -> RunRecord:
    """A record made from the job file, for a run whose own cannot be read: it has run, perhaps."""
    kind, name, out = "", folder.name, str(folder)
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        job = json.loads((folder / JOB_NAME).read_text(encoding="utf-8"))
        kind, parameters = str(job["kind"]), job["parameters"]
        name, out = str(parameters.get("name", name)), str(parameters.get("out", out))
    at = _made(folder)
    return RunRecord(
        id=folder.name, name=name, kind=kind, out=out, state=RunState.PAUSED, created=at, queued=at, started=at
    )


def _look(folder: Path, records: Records) -> tuple[bool, RunRecord | None]:
    """Whether a process works on it, and the record; in an order that cannot be misread.

    The claim is taken before the state becomes "running" and given up after it is something else. So "running" without
    a claim is a dead run only when the claim was looked at first - and when no worker took the run in between, which
    the second look tells.
    """
    held, record = False, None
    for _ in range(2):
        held = Claim(folder / OWNER_NAME).held
        record = records.read(folder)
        if held or (record is not None and record.state is not RunState.RUNNING):
            break
    return held, record


def _of_waiting(record: RunRecord, folder: Path, store: Path, records: Records) -> RunStatus:
    queue = waiting(store, records)
    position = queue.index(record.id) + 1 if record.id in queue else None
    message, hint = "", ""
    if not Claim(store / WORKER_NAME).held and (now() - record.queued).total_seconds() > _STARTING_S:
        message, hint = "it waits, but nothing works on the queue", "resume it"
    elif WishFile(folder / WISH_NAME, interval_s=0).read() is Wish.FINISH:
        message = "it will be exported as it is"
    return _status(record, RunState.QUEUED, message, hint, position)


def _of_damaged(folder: Path, held: bool) -> RunStatus:
    record = damaged_record(folder)
    if held:  # its worker writes a new record with the next step
        return _status(record, RunState.RUNNING)
    if not folder.is_dir():
        return _status(record, RunState.FAILED, "this run was removed")
    return _status(record, RunState.PAUSED, "what was known of this run is damaged", _go_on(record))


def _status(
    record: RunRecord, state: RunState, message: str | None = None, hint: str | None = None, position: int | None = None
) -> RunStatus:
    out = Path(record.out)
    return RunStatus(
        id=record.id,
        name=record.name,
        kind=record.kind,
        state=state,
        created=record.created,
        started=record.started,
        ended=None if state.active else record.ended,
        stage=record.stage,
        done=record.done,
        total=record.total,
        eta_s=record.eta_s if state.active else None,
        message=record.message if message is None else message,
        hint=record.hint if hint is None else hint,
        code=record.code,
        warnings=record.warnings,
        position_in_queue=position,
        out=out,
        newest_sample=_below(out, record.newest_sample),
        bundle=_below(out, record.bundle),
        iteration=record.iteration,
    )


def _below(out: Path, name: str | None) -> Path | None:
    path = out / name if name else None
    return path if path is not None and path.exists() else None


def _made(folder: Path) -> datetime:
    with suppress(OSError):
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return now()
