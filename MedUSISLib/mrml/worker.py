"""How child processes are made here: which Python, which kind of process, and who keeps the time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from MedUSISLib.jobs.kinds import JobKind
    from MedUSISLib.jobs.process import ProcessProtocol

SingleShot = Callable[[int, Callable[[], None]], object]
"""``single_shot(milliseconds, function)``: call the function once, later, in this thread (``QTimer.singleShot``)."""


def worker_command() -> tuple[str, ...]:
    """What starts a job, followed by the job file: Slicer's own Python, elsewhere the one that runs this."""
    return (python_of_worker(), "-m", "MedUSISLib.jobs", "run")


def serve_command(idle_s: float) -> tuple[str, ...]:
    """What starts a worker that stays, and ends by itself after so many seconds without a job."""
    return (python_of_worker(), "-m", "MedUSISLib.jobs", "serve", "--idle-s", f"{idle_s:g}")


def python_of_worker() -> str:
    """In the Slicer application its ``PythonSlicer``: on the search path, beside ``sys.executable`` or in ``bin``."""
    application = getattr(sys.modules.get("slicer"), "app", None)
    if application is None:
        return sys.executable
    found = shutil.which("PythonSlicer")
    if found:
        return found
    name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
    places = [Path(sys.executable).parent, Path(str(application.slicerHome)) / "bin"]
    return next((str(place / name) for place in places if (place / name).is_file()), sys.executable)


def _subprocess() -> ProcessProtocol:
    from MedUSISLib.jobs.process import SubprocessProcess

    return SubprocessProcess()


@dataclass(frozen=True)
class Worker:
    """What is needed to start child processes.

    Parameters
    ----------
    new_process : callable
        Makes a process that was not started; one of the standard library by default, a QProcess in Slicer's window.
    command : callable
        Gives what is started, followed by the job file.
    single_shot : callable, optional
        Needed where threads do not run freely (Slicer's window): the end of the grace period after a cancel is then
        kept by a timer of the event loop.
    kinds : mapping, optional
        What a job can be; ``jobs.kinds.KINDS`` by default.
    serve_command : callable, optional
        ``serve_command(idle_s)`` gives what starts a worker that stays between jobs; without it none does.
    """

    new_process: Callable[[], ProcessProtocol] = _subprocess
    command: Callable[[], tuple[str, ...]] = worker_command
    single_shot: SingleShot | None = None
    kinds: Mapping[str, JobKind] | None = None
    serve_command: Callable[[float], tuple[str, ...]] | None = None
