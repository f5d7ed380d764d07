"""Running a job from the command line: a child process does it, this one shows it and answers for it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.events import Failure, Result, to_json
from MedUSISLib.jobs.failures import exit_code_of, named_error
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.log import new_log_file
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Wish
from MedUSISLib.training.launched import launched

if TYPE_CHECKING:
    from MedUSISLib.jobs.events import Event


CHECKPOINT_WORDS = "saving a checkpoint, then it ends; Ctrl-C again ends it at once"


def run_and_report(
    kind: str,
    parameters: dict[str, object],
    json_events: bool,
    verbose: bool = False,
    keeps_state: bool = False,
    stop_words: str = CHECKPOINT_WORDS,
    show_result: Callable[[Result], None] | None = None,
    exit_code: Callable[[Result], int] = lambda result: 0,
) -> None:
    """Do a job in a child process, show it, and leave with its exit code.

    Parameters
    ----------
    kind : str
        A key of ``jobs.kinds.KINDS``.
    parameters : dict
        Of its request; None means "not given". Paths must be absolute.
    json_events : bool
        Events as JSON lines on standard output, nothing else there; otherwise a progress bar on standard error.
    verbose : bool
        Show what the child prints on standard error.
    keeps_state : bool
        The first Ctrl-C (or SIGTERM) asks the job to save a checkpoint and end; the second one ends it at once.
    stop_words : str
        What is said at that first Ctrl-C.
    show_result : callable, optional
        Prints the result on standard output; its headline figures and place by default.
    exit_code : callable
        For a job that is done, but not as well as it could be.

    Raises
    ------
    typer.Exit
        Always; with the documented exit code.
    """
    given = {name: _json_ready(value) for name, value in parameters.items() if value is not None}
    log = _log_file(kind)
    launcher = Launcher(JobSpecification(kind=kind, parameters=given), log=log)
    stop_words = stop_words if keeps_state else ""
    place = launched()
    if place is not None and not place.leads:
        last = _silently(launcher, stop_words)
    elif json_events:
        last = _as_json(launcher, verbose, stop_words)
    else:
        last = _on_terminal(launcher, verbose, log, stop_words, show_result)
    raise typer.Exit(exit_code(last) if isinstance(last, Result) else exit_code_of(last.error()))


def _silently(launcher: Launcher, stop_words: str) -> Result | Failure:
    """For a process that works beside the one that speaks (torchrun, srun): only its own failure is shown."""
    from MedUSISLib.cli.reporting import report_error

    last: Event = Failure("INTERNAL", "the job said nothing")
    try:
        with _signals_cancel(launcher, stop_words):
            *_, last = launcher.events()
    except MedUSISError as error:
        last = Failure.of(error)
    assert isinstance(last, (Result, Failure))
    if isinstance(last, Failure):
        report_error(last.error())
    return last


def _as_json(launcher: Launcher, verbose: bool, stop_words: str) -> Result | Failure:
    last: Event = Failure("INTERNAL", "the job said nothing")
    try:
        if verbose:
            launcher.on_output = lambda line: print(line, file=sys.stderr)
        with _signals_cancel(launcher, stop_words):
            for last in launcher.events():
                print(to_json(last), flush=True)
    except MedUSISError as error:
        last = Failure.of(error)
        print(to_json(last), flush=True)
    assert isinstance(last, (Result, Failure))
    return last


def _on_terminal(
    launcher: Launcher,
    verbose: bool,
    log: Path | None,
    stop_words: str,
    show_result: Callable[[Result], None] | None,
) -> Result | Failure:
    from MedUSISLib.cli.reporting import TerminalReport, report_error, report_result

    last: Event = Failure("INTERNAL", "the job said nothing")
    try:
        with TerminalReport() as report, _signals_cancel(launcher, stop_words, report.print):
            if verbose:
                launcher.on_output = report.print
            for last in launcher.events():
                report.show(last)
    except MedUSISError as error:
        last = Failure.of(error)
    if isinstance(last, Result):
        (show_result or report_result)(last)
        return last
    assert isinstance(last, Failure)
    report_error(last.error(), log)
    return last


@contextmanager
def _signals_cancel(
    launcher: Launcher, stop_words: str, say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
) -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel the job, whose last event then ends the loop in the ordinary way.

    A job that keeps its state (there are words for it) is asked to save it first, and cancelled by the second signal.
    """
    asked = False

    def cancel(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if launcher.running and stop_words and not asked:
            asked = True
            with suppress(OSError):  # a full disk, say: the next one cancels
                launcher.wish(Wish.STOP)
            say(stop_words)
        elif launcher.running:
            launcher.cancel()
        else:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt as error:
        raise named_error(error) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _log_file(kind: str) -> Path | None:
    """A log in the user's log folder; none where that cannot be written."""
    try:
        return new_log_file(kind)
    except OSError:
        return None


def _json_ready(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
