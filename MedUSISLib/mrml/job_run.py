"""One job in a child process, heard in the thread that started it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from MedUSISLib.jobs.events import Event, Failure, Metric, Preview, Result, Stage, Step, Warned
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.worker import SingleShot
from MedUSISLib.signal import Signal

if TYPE_CHECKING:
    from pathlib import Path

    from MedUSISLib.jobs.kinds import JobKind
    from MedUSISLib.jobs.launcher import Launcher
    from MedUSISLib.jobs.process import ProcessProtocol
    from MedUSISLib.jobs.specification import JobSpecification

GRACE_S = 1.0
"""How long a job that was asked to stop may tidy up before it is killed; a cancel promises to be done in 2 s."""


class JobRun:
    """A job in a child process, from its start to ``ended``; every signal comes in the thread that called ``start``.

    A process that speaks in that thread (a QProcess) is heard at once. What another thread hears (a process of the
    standard library) is kept until ``pump`` or ``wait`` is called.

    The last signals are ``succeeded`` or ``failed``, then ``ended``. A cancelled job fails with code CANCELLED.

    Parameters
    ----------
    specification : JobSpecification
    process : ProcessProtocol
    command : sequence of str
        What is started, followed by the job file.
    single_shot : callable, optional
        See ``worker.Worker``.
    folder : RunFolder, optional
        The private folder of the run, when the specification names files in it; otherwise a new one. Whoever gives
        it hands it over: ``close`` removes it.

    Attributes
    ----------
    stage, progressed, previewed, metric, warned, logged, succeeded, failed, ended : Signal
        ``stage(name)``, ``progressed(done, total, eta_s)``, ``previewed(path)``, ``metric(name, value, details)``,
        ``warned(code, message)``, ``logged(line)``, ``succeeded(Result)``, ``failed(Failure)``, ``ended()``.
    """

    def __init__(
        self,
        specification: JobSpecification,
        process: ProcessProtocol,
        command: Sequence[str],
        single_shot: SingleShot | None = None,
        folder: RunFolder | None = None,
        kinds: Mapping[str, JobKind] | None = None,
    ) -> None:
        self.stage, self.progressed, self.previewed = Signal(), Signal(), Signal()
        self.metric, self.warned, self.logged = Signal(), Signal(), Signal()
        self.succeeded, self.failed, self.ended = Signal(), Signal(), Signal()
        self._specification = specification
        self._process = process
        self._command = tuple(command)
        self._single_shot = single_shot
        self._folder = folder if folder is not None else RunFolder()
        self._kinds = kinds
        self._launcher: Launcher | None = None
        self._thread = threading.get_ident()
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = False
        self._closed = False

    @property
    def folder(self) -> Path:
        """The private folder of the run."""
        return self._folder.path

    @property
    def running(self) -> bool:
        """True from ``start`` until the last signals."""
        return self._launcher is not None and not self._ended

    def start(self) -> None:
        """Start the child and return.

        Raises
        ------
        MedUSISError
            BAD_SETTING when the specification is wrong, DEPENDENCY_MISSING when the child cannot be started.
        """
        from MedUSISLib.jobs.kinds import KINDS
        from MedUSISLib.jobs.launcher import Launcher

        self._thread = threading.get_ident()
        launcher = Launcher(
            self._specification,
            process=self._process,
            command=self._command,
            on_output=lambda line: self._deliver(partial(self.logged, line)),
            kinds=KINDS if self._kinds is None else self._kinds,
            private=self.folder,
        )
        self._launcher = launcher
        try:
            launcher.start(lambda event: self._deliver(partial(self._tell, event)))
        except BaseException:
            self._launcher = None
            raise

    def cancel(self, grace_s: float = GRACE_S) -> None:
        """Ask the job to stop; what lives of its process tree after ``grace_s`` is killed. Returns at once."""
        if self._launcher is None or not self.running:
            return
        self._launcher.cancel(grace_s)
        if self._single_shot is not None:
            self._single_shot(int(1000 * grace_s), self._launcher.kill)

    def pump(self) -> None:
        """Give out the signals that wait for this thread."""
        while not self._closed:
            try:
                tell = self._waiting.get_nowait()
            except queue.Empty:
                return
            tell()

    def wait(self, timeout_s: float | None = None, idle: Callable[[], object] | None = None) -> bool:
        """Give out signals until the job has ended; False when it still runs after ``timeout_s``.

        ``idle`` is called about thirty times a second, for example ``slicer.app.processEvents``.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self.pump()
            if not self.running:
                return True
            if end is not None and time.monotonic() >= end:
                return False
            if idle is not None:
                idle()
            time.sleep(0.03)

    def close(self) -> None:
        """End the job now, without further signals, and remove the folder; again does nothing."""
        if self._closed:
            return
        self._closed = True
        signals = (self.stage, self.progressed, self.previewed, self.metric, self.warned, self.logged)
        for signal in (*signals, self.succeeded, self.failed, self.ended):
            signal.disconnect_all()
        if self._launcher is not None and self._launcher.running:
            self._launcher.cancel(0.0)
            self._launcher.kill()
            self._process.wait(2.0)
        self._ended = True
        self._folder.close()

    def _deliver(self, tell: Callable[[], None]) -> None:
        """Tell now when this is the thread that listens, after what waits; otherwise let it wait."""
        if self._closed:
            return
        self._waiting.put(tell)
        if threading.get_ident() == self._thread:
            self.pump()

    def _tell(self, event: Event) -> None:
        if isinstance(event, Stage):
            self.stage(event.name)
        elif isinstance(event, Step):
            self.progressed(event.done, event.total, event.eta_s)
        elif isinstance(event, Preview):
            self.previewed(event.path)
        elif isinstance(event, Metric):
            self.metric(event.name, event.value, event.details)
        elif isinstance(event, Warned):
            self.warned(event.code, event.message)
        elif isinstance(event, (Result, Failure)):
            self._end(event)

    def _end(self, event: Result | Failure) -> None:
        self._ended = True
        if isinstance(event, Result):
            self.succeeded(event)
        else:
            self.failed(event)
        self.ended()
