"""What a terminal shows of background runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from MedUSISLib.runs.status import RunState, RunStatus

if TYPE_CHECKING:
    from rich.progress import Progress

_COLOURS = {
    RunState.RUNNING: "green",
    RunState.FINISHED: "bold green",
    RunState.FAILED: "bold red",
    RunState.PAUSED: "yellow",
    RunState.STOPPED: "yellow",
}


def as_json(status: RunStatus) -> dict[str, Any]:
    """All fields, times as ISO text and paths as text."""
    return {name: _plain(value) for name, value in asdict(status).items()}


def print_table(statuses: Sequence[RunStatus]) -> None:
    """One line for each run."""
    table = Table(box=None, pad_edge=False)
    for title in ("id", "name", "state", "done", "time left", "what"):
        table.add_column(title, overflow="fold", no_wrap=title == "id")  # to be copied
    for status in statuses:
        table.add_row(
            status.id, escape(status.name), _coloured(status), _done(status), _left(status), escape(_what(status))
        )
    console = Console(highlight=False)
    # Into a file or a pipe, lines are better long than folded.
    (console if console.is_terminal else Console(highlight=False, width=200)).print(table)


def print_status(status: RunStatus) -> None:
    """Everything that is known of a run."""
    rows = {
        "id": status.id,
        "name": escape(status.name),
        "state": _coloured(status) + (f" ({status.code})" if status.code else ""),
        "place in the queue": status.position_in_queue,
        "what": escape(status.message),
        "hint": escape(status.hint),
        "stage": escape(status.stage),
        "done": _done(status),
        "time left": _left(status),
        "submitted": _time(status.created),
        "started": _time(status.started),
        "ended": _time(status.ended),
        "newest sample": _path(status.newest_sample),
        "generator": _path(status.bundle),
        "output": _path(status.out),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for title, value in rows.items():
        if value not in ("", None):
            table.add_row(title, str(value))
    for code, text in status.warnings:
        table.add_row("warning", f"[yellow]{escape(code)}[/]: {escape(text)}")
    Console(highlight=False, soft_wrap=True).print(table)


class Follower:
    """A bar that follows a run; a context manager, because a bar must be taken down.

    Where standard error is no terminal, a line for every new state or stage.
    """

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, left="")
        self._said = ""
        self._warned: tuple[tuple[str, str], ...] = ()

    def __enter__(self) -> Follower:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()

    def show(self, status: RunStatus) -> None:
        """Show how it stands now."""
        what = status.message or status.stage
        words = what if what.startswith(status.state.value) else ": ".join(filter(None, (status.state.value, what)))
        if status.position_in_queue is not None:
            words += f" (place {status.position_in_queue} in the queue)"
        for code, text in status.warnings:
            if (code, text) not in self._warned:
                self._console.print(f"[yellow]{escape(code)}[/]: {escape(text)}")
        self._warned = status.warnings
        left = _left(status)
        self._bar.update(
            self._task,
            description=escape(words),
            completed=status.done,
            total=status.total or None,
            left=f"{left} left" if left else "",
        )
        if not self._console.is_terminal and words != self._said:
            self._console.print(escape(words))
        self._said = words


def duration(seconds: float) -> str:
    """Two units at most.

    Examples
    --------
    >>> duration(50), duration(3700), duration(90000)
    ('50 s', '1 h 2 min', '1 d 1 h')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def _coloured(status: RunStatus) -> str:
    colour = _COLOURS.get(status.state)
    return f"[{colour}]{status.state.value}[/]" if colour else status.state.value


def _done(status: RunStatus) -> str:
    return f"{status.done} of {status.total}" if status.total else ""


def _left(status: RunStatus) -> str:
    return duration(status.eta_s) if status.eta_s is not None else ""


def _what(status: RunStatus) -> str:
    if status.position_in_queue is not None:
        place = f"place {status.position_in_queue} in the queue"
        return f"{place}: {status.message}" if status.message else place
    return status.message or (status.stage if status.state.active else "")


def _time(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at is not None else ""


def _path(path: Path | None) -> str:
    return escape(str(path)) if path is not None else ""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, RunState):
        return value.value
    return str(value) if isinstance(value, Path) else value
