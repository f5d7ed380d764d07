"""What a run's state becomes when its job has ended."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure, Result
from MedUSISLib.jobs.launcher import ABNORMAL
from MedUSISLib.jobs.log import Scrubber
from MedUSISLib.progress import Wish
from MedUSISLib.runs.looking import interrupted_text
from MedUSISLib.runs.record import RunRecord, now
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.words import place_of, words_of

_SIGNALS = {"signal SIGKILL", "signal SIGTERM", "signal SIGINT", "signal SIGHUP", "exit code 137", "exit code 143"}
_VIOLENT = {*_SIGNALS, ABNORMAL}
"""Somebody ended the process from outside: the system for lack of memory, a shutdown. It can go on."""


def ended_record(
    record: RunRecord, last: Result | Failure | None, error: MedUSISError | None, wish: Wish | None, death: str | None
) -> RunRecord:
    """The record of the ended run.

    Parameters
    ----------
    record : RunRecord
    last : Result or Failure, optional
        The job's last word.
    error : MedUSISError, optional
        Why the job could not be started.
    wish : Wish, optional
        What the user wanted when it ended.
    death : str, optional
        How the process ended when it said nothing itself.
    """
    ended = {"ended": now(), "eta_s": None, "child": None, "workspace": None}
    if isinstance(last, Result) and error is None:
        early = wish is Wish.FINISH and record.iteration and record.iteration != record.planned
        message = f"ended early, at iteration {record.iteration}" if early else ""
        good = {"state": RunState.FINISHED, "message": message, "hint": "", "code": "", "bundle": _bundle(record)}
        whole = {"done": record.iteration, "total": record.planned or record.iteration} if record.iteration else {}
        return record.model_copy(update={**ended, **good, **whole, "stage": ""})
    failure = Failure.of(error) if error is not None else last
    assert isinstance(failure, Failure)
    state, message, hint = _without_result(record, failure, wish, death)
    scrub = Scrubber()
    code = "" if failure.code == ErrorCode.CANCELLED.value else failure.code
    bad = {"state": state, "message": scrub(message), "hint": scrub(hint), "code": code}
    return record.model_copy(update={**ended, **bad})


def _without_result(
    record: RunRecord, failure: Failure, wish: Wish | None, death: str | None
) -> tuple[RunState, str, str]:
    go_on = f"resume it: {words_of(record.kind).goes_on}"
    if failure.code == ErrorCode.CANCELLED.value:
        if wish is Wish.END:
            return RunState.STOPPED, f"stopped at once, {place_of(record)}", go_on
        if wish in (Wish.STOP, Wish.FINISH):
            return RunState.STOPPED, failure.message, failure.hint
        if wish is Wish.PAUSE:
            return RunState.PAUSED, failure.message, failure.hint
        return RunState.PAUSED, interrupted_text(record), go_on
    if death in _VIOLENT:
        return RunState.PAUSED, f"{interrupted_text(record)} ({death})", failure.hint
    return RunState.FAILED, failure.message, failure.hint


def _bundle(record: RunRecord) -> str | None:
    """The generator that a training left, named from ``out``."""
    with suppress(OSError):
        found = sorted((Path(record.out) / "bundle").iterdir(), key=lambda path: path.stat().st_mtime)
        if found and record.kind == "train":
            return found[-1].relative_to(record.out).as_posix()
    return None
