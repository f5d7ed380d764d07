"""A batch as the window shows it: a line for each case, counts, and how it stands - looked at once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from MedUSISLib.mrml.batch_logic import count
from MedUSISLib.mrml.fine_tune_runs import hint_of

WORKING = frozenset({"reading", "computing", "writing"})
"""States of a case that a process works on."""
ENDED = frozenset({"done", "failed", "skipped"})

_TITLES = {
    "waiting": "waiting",
    "reading": "reading",
    "computing": "computing",
    "writing": "writing",
    "done": "done",
    "failed": "went wrong",
    "skipped": "left out",
}
FILTERS = {
    "all": "All cases",
    "review": "To be looked at",
    "failed": "Went wrong or left out",
    "open": "Not done yet",
    "done": "Done",
}
"""Which cases a table can show, and what a person reads for it."""


class ManifestProtocol(Protocol):
    """What is read of a batch's manifest (``MedUSISLib.batch.manifest.Manifest``)."""

    def rows(self) -> Sequence[Any]:
        """All cases (``CaseRow``), by number."""

    def close(self) -> None:
        """Let the file go."""


def open_manifest(folder: Path) -> ManifestProtocol:
    """The manifest of a batch, to read only, while others may write."""
    from MedUSISLib.batch.manifest import Manifest

    return Manifest.open(folder, read_only=True)


@dataclass(frozen=True)
class CaseLine:
    """A case in the table.

    Attributes
    ----------
    number : int
        From 1.
    name : str
        Its folder below ``cases``.
    key : str
        Its place in the data: for the user's eyes only.
    state, title : str
        As the manifest has it, and in words.
    seconds : float or None
        How long it took; while it is worked on, how long it has taken so far.
    review : bool or None
        Whether a person should look at it; None while nobody knows.
    message, hint : str
        What happened, and what to do; nothing for a case that went well.
    """

    number: int
    name: str
    key: str
    state: str
    title: str
    seconds: float | None
    review: bool | None
    message: str
    hint: str

    @property
    def has_result(self) -> bool:
        """Whether it can be loaded."""
        return self.state == "done"

    def belongs_to(self, kept: str) -> bool:
        """Whether a table of ``FILTERS[kept]`` shows it."""
        if kept == "review":
            return bool(self.review) and self.state == "done"
        if kept == "failed":
            return self.state in ("failed", "skipped")
        if kept == "open":
            return self.state not in ENDED
        return kept == "all" or self.state == kept


@dataclass(frozen=True)
class BatchCounts:
    """How many cases are in which state."""

    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    working: int = 0
    review: int = 0

    @property
    def ended(self) -> int:
        """Nothing more happens with these by itself."""
        return self.done + self.failed + self.skipped

    @property
    def open(self) -> int:
        """Not done yet."""
        return self.total - self.ended

    @property
    def fraction(self) -> float:
        """Of all cases that have ended, 0 to 1."""
        return self.ended / self.total if self.total else 0.0


@dataclass(frozen=True)
class BatchLook:
    """What one look has seen.

    Attributes
    ----------
    lines : tuple of CaseLine
        By number.
    changed : frozenset of int
        Places in ``lines`` that differ from the look before; all of them at the first one.
    counts : BatchCounts
    """

    lines: tuple[CaseLine, ...]
    changed: frozenset[int]
    counts: BatchCounts

    def case(self, number: int) -> CaseLine | None:
        """The line of this number."""
        return next((line for line in self.lines if line.number == number), None)


class BatchView:
    """The folder of a batch, whoever works on it: this window, a terminal, another computer, nobody.

    Parameters
    ----------
    folder : Path
    opener : callable, optional
        ``open_manifest``, or a test's own.

    Examples
    --------
    Once a second::

        look = view.look()
        for place in look.changed:
            show(look.lines[place])
    """

    def __init__(self, folder: Path, opener: Callable[[Path], ManifestProtocol] = open_manifest) -> None:
        self.folder = folder
        self._manifest = opener(folder)
        self._rows: tuple[Any, ...] = ()
        self._lines: tuple[CaseLine, ...] = ()

    def look(self, now: datetime | None = None) -> BatchLook:
        """See how the cases stand.

        Raises
        ------
        MedUSISError
            When the manifest cannot be read any more.
        """
        now = now or datetime.now(UTC)
        rows = tuple(self._manifest.rows())
        old_rows, old = self._rows, self._lines
        lines = []
        for place, row in enumerate(rows):
            same = place < len(old_rows) and old_rows[place] == row and str(row.state) not in WORKING
            lines.append(old[place] if same else _line(row, now))
        changed = frozenset(
            place
            for place, line in enumerate(lines)
            if place >= len(old) or (line is not old[place] and line != old[place])
        )
        self._rows, self._lines = rows, tuple(lines)
        return BatchLook(self._lines, changed, counts_of(self._lines))

    def close(self) -> None:
        """Let the manifest go."""
        self._manifest.close()


def counts_of(lines: Sequence[CaseLine]) -> BatchCounts:
    """Count the states."""
    states = [line.state for line in lines]
    return BatchCounts(
        total=len(lines),
        done=states.count("done"),
        failed=states.count("failed"),
        skipped=states.count("skipped"),
        working=sum(state in WORKING for state in states),
        review=sum(line.belongs_to("review") for line in lines),
    )


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
        sentence = "It begins when another background run has ended."
        if run.status.hint:
            return BatchStanding("look", "Waiting", "Nothing works on it: go on.", frozenset({"go on", "stop"}))
        return BatchStanding("unknown", "Waiting", sentence, frozenset({"pause", "stop"}))
    if state == "running":
        sentence = f"{counts.working} at a time. Slicer may be closed." if counts.working else "Slicer may be closed."
        return BatchStanding("ok", "Working", sentence, frozenset({"pause", "stop"}))
    sentence = "What is being worked on is finished or given up first."
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
    hint = hint_of(run.status)
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


def _line(row: Any, now: datetime) -> CaseLine:
    state = str(getattr(row.state, "value", row.state))
    title = _TITLES.get(state, state)
    if state == "waiting" and row.attempts:
        title = "waiting for another try"
    seconds = row.seconds
    if state in WORKING:
        seconds = max(0.0, (now - row.started).total_seconds()) if row.started is not None else None
    elif state == "waiting":
        seconds = None
    return CaseLine(row.number, row.name, row.key, state, title, seconds, row.review, row.message, row.hint)
