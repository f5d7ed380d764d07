"""What the person at the terminal sees of a job: a progress bar, warnings, and how it ended - on standard error."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Event, Failure, Metric, Preview, Result, Stage, Step, Warned
from MedUSISLib.printable import printable


def report_error(error: MedUSISError, log: Path | None = None, console: Console | None = None) -> None:
    """Say on standard error what happened, in which file, and what to do.

    The path is shown here and nowhere else: this is the terminal of the person who typed it.
    """
    console = console or Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[bold red]{error.code.value}[/]: {escape(error.message)}")
    if error.path is not None:
        console.print(f"  file: {escape(printable(str(error.path)))}")
    if error.hint:
        console.print(f"  hint: {escape(error.hint)}")
    if log is not None and log.is_file() and error.code in (ErrorCode.INTERNAL, ErrorCode.DEPENDENCY_MISSING):
        console.print(f"  log:  {escape(str(log))}")


class TimeLeftColumn(ProgressColumn):
    """The time left that the last event said, counted down; rich's own forgets what is older than half a minute.

    A case of a batch takes minutes.
    """

    def render(self, task: Task) -> Text:
        """Hours, minutes and seconds."""
        ends = task.fields["ends"]
        left = "-:--:--" if ends is None else str(timedelta(seconds=max(0, round(ends - task.get_time()))))
        return Text(left, style="progress.remaining")


class TerminalReport:
    """Shows events as they come; a context manager, because a progress bar must be taken down.

    Examples
    --------
    ::

        with TerminalReport() as report:
            for event in launcher.events():
                report.show(event)
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeLeftColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, note="", ends=None)

    def __enter__(self) -> TerminalReport:
        self._bar.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Show one event; the last one is left to ``report_error`` and ``report_result``."""
        if isinstance(event, Stage):
            self._bar.tasks[0].total = None  # which reset would take for "as before"
            self._bar.reset(self._task, description=event.name, note="", ends=None)
            if not self._console.is_terminal:
                self._console.print(event.name)
        elif isinstance(event, Step):
            ends = None if event.eta_s is None else self._bar.get_time() + event.eta_s
            self._bar.update(self._task, completed=event.done, total=event.total, ends=ends)
        elif isinstance(event, Metric) and event.value is not None:
            self._bar.update(self._task, note=f"{event.name} {event.value:.4g}")
        elif isinstance(event, Warned):
            self._bar.print(f"[yellow]{escape(event.code)}[/]: {escape(event.message)}")
        elif isinstance(event, Preview):
            self._bar.print(f"[dim]preview: {escape(event.path)}[/]")
        elif not isinstance(event, (Result, Failure)):
            self._bar.print(escape(str(event)))

    def print(self, line: str) -> None:
        """A line of the child's standard error."""
        self._bar.print(f"[dim]{escape(line)}[/]")


HEADLINES = {
    "quality.body.dice": "body outline, Dice",
    "quality.body.hd95_mm": "body outline, HD95 (mm)",
    "quality.mask_consistency.missing_fraction": "tissue missing in the MR (fraction)",
    "quality.mask_consistency.excess_fraction": "tissue too much (fraction)",
    "quality.resegmentation.mean_dice": "classes found again, mean Dice",
    "quality.uncertainty.global": "uncertainty (mean variance)",
    "quality.uncertainty.review": "review advised",
    "quality.stripes.index": "stripes between slices (index)",
    "quality.unlabelled_body_fraction": "body without labels (fraction)",
    "quality.peak_memory_mb": "peak memory (MB)",
}
"""The figures of quality.json that a terminal shows, and what they are called there."""


def report_result(result: Result) -> None:
    """Where the output is, and its headline figures, on standard output."""
    for path, title in HEADLINES.items():
        value: Any = result.summary
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            print(f"{title}: {_readable(value)}")
    if result.out is not None:
        print(result.out)


def _readable(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
