"""The cases of a batch as the window shows them: a line for each, and counts - looked at once a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from MedUSISLib.mrml.batch_hints import batch_hint
from MedUSISLib.mrml.batch_logic import MANIFEST

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
class BatchSeen:
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
        self._file = _identity(folder)
        self._manifest = opener(folder)
        self._rows: tuple[Any, ...] = ()
        self._lines: tuple[CaseLine, ...] = ()

    def look(self, now: datetime | None = None) -> BatchSeen:
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
        return BatchSeen(self._lines, changed, counts_of(self._lines))

    @property
    def is_there(self) -> bool:
        """Whether the file that is being read still lies there; another batch may have taken its place."""
        return self._file is not None and _identity(self.folder) == self._file

    def close(self) -> None:
        """Let the manifest go."""
        self._manifest.close()


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = (folder / MANIFEST).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
    hint = batch_hint(row.code, row.hint)
    return CaseLine(row.number, row.name, row.key, state, title, seconds, row.review, row.message, hint)
