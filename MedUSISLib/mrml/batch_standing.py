"""How a batch stands, in words, and what can be done with it now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MedUSISLib.mrml.batch_hints import batch_hint
from MedUSISLib.mrml.batch_logic import count
from MedUSISLib.mrml.batch_view import BatchCounts

_OF_A_CASE = "CASE_FAILED"


@dataclass(frozen=True)
class BatchStanding:
    """How a batch stands, in words.

    Attributes
    ----------
    level : str
        "ok", "look", "worry" or "unknown", as colours have it.
    title, sentence : str
    actions : frozenset of str
        Of "pause", "stop", "go on" and "retry" those that make sense now.
    """

    level: str
    title: str
    sentence: str
    actions: frozenset[str] = frozenset()


def standing(counts: BatchCounts, run: Any = None, worked_on: bool = False, begun: bool = True) -> BatchStanding:
    """What to say of a batch.

    Parameters
    ----------
    counts : BatchCounts
    run : RunLine, optional
        The newest background run that works on it, in whatever state.
    worked_on : bool
        Whether a process works on it: where no background run does, it is a terminal's, or another computer's.
    begun : bool
        Whether there is a manifest.
    """
    state = run.state if run is not None else ""
    if run is not None and (run.working or state == "queued"):
        return _active(state, run, counts)
    if worked_on:
        sentence = "It was started from a command line or another computer: pause or stop it there."
        return BatchStanding("ok", "Working", sentence)
    if not begun:
        return _not_begun(state, run)
    if counts.open or state == "failed":
        return _put_aside(state, run, counts)
    return _ended(counts)


def _active(state: str, run: Any, counts: BatchCounts) -> BatchStanding:
    if state == "queued":
        if run.status.hint:
            return BatchStanding("look", "Waiting", "Nothing works on it: go on.", frozenset({"go on", "stop"}))
        sentence = "It begins when nothing else works in the background."
        return BatchStanding("unknown", "Waiting", sentence, frozenset({"pause", "stop"}))
    if state == "running":
        in_hand = f"{count(counts.working, 'case')} in hand. " if counts.working else ""
        sentence = f"{in_hand}Slicer may be closed."
        return BatchStanding("ok", "Working", sentence, frozenset({"pause", "stop"}))
    sentence = "The cases in hand are finished first." if state == "pausing" else "The cases in hand are given up."
    title = "Pausing" if state == "pausing" else "Ending"
    return BatchStanding("unknown", title, sentence, frozenset({"stop"}) if state == "pausing" else frozenset())


def _not_begun(state: str, run: Any) -> BatchStanding:
    actions = frozenset({"go on"} if run is not None and "resume" in run.actions else ())
    if state == "failed":
        return BatchStanding("worry", "Went wrong", _what_happened(run), actions)
    return BatchStanding("look", "Not begun", "No case was begun.", actions)


def _put_aside(state: str, run: Any, counts: BatchCounts) -> BatchStanding:
    actions = frozenset({"go on", *({"retry"} if counts.failed else ())})
    left = f"{count(counts.open, 'case')} not done yet: go on when you like."
    if state == "failed" and run.status.message:
        return BatchStanding("worry", "Went wrong", _what_happened(run), actions)
    titles = {"paused": run.title.capitalize() if run is not None else "", "stopped": "Stopped"}
    return BatchStanding("look", titles.get(state) or "Interrupted", left, actions)


def _what_happened(run: Any) -> str:
    hint = batch_hint(run.status.code, run.status.hint)
    return f"{run.status.message}; {hint}" if hint else str(run.status.message)


def _ended(counts: BatchCounts) -> BatchStanding:
    wrong = counts.failed + counts.skipped
    actions = frozenset({"retry"}) if counts.failed else frozenset()
    if not wrong:
        every = "The case is done" if counts.total == 1 else f"All {counts.total} cases are done"
        if counts.review:
            sentence = f"{every}; {counts.review} should be looked at first."
            return BatchStanding("look", "Finished", sentence, actions)
        return BatchStanding("ok", "Finished", f"{every}.", actions)
    said = f"{count(counts.done, 'case')} done"
    if counts.failed:
        said += f", {counts.failed} went wrong"
    if counts.skipped:
        said += f", {counts.skipped} left out"
    if counts.review:
        said += f"; {counts.review} of those done should be looked at first"
    return BatchStanding("look", "Finished", f"{said}.", actions)


def batch_warnings(run: Any) -> list[str]:
    """What the newest run had to say, each thing once; cases that went wrong stand in their rows."""
    if run is None:
        return []
    return list(dict.fromkeys(text for code, text in run.status.warnings if code != _OF_A_CASE))


def counts_text(counts: BatchCounts) -> str:
    """How far it is.

    Examples
    --------
    >>> counts_text(BatchCounts(total=300, done=12, failed=1, working=2))
    '13 of 300 cases, 1 went wrong'
    """
    text = f"{counts.ended} of {count(counts.total, 'case')}"
    if counts.failed:
        text += f", {counts.failed} went wrong"
    if counts.review:
        text += f", {counts.review} to be looked at"
    return text
