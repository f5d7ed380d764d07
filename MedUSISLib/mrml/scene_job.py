"""One job at a time on nodes of the scene: inputs written, child process heard, result loaded, files removed."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure, Result
from MedUSISLib.mrml.hints import for_the_window, without_options
from MedUSISLib.mrml.job_run import JobRun
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.run_log import RunLog
from MedUSISLib.mrml.scene_observer import SceneObserver
from MedUSISLib.mrml.scene_work import JobSignals, SceneWork
from MedUSISLib.mrml.stage_titles import LOADING_RESULT, PREPARING_INPUTS, stage_title
from MedUSISLib.mrml.time_left import TimeLeft
from MedUSISLib.mrml.worker import Worker
from MedUSISLib.signal import Signal

if TYPE_CHECKING:
    from MedUSISLib.jobs.specification import JobSpecification


class SceneJob:
    """Runs ``SceneWork`` after ``SceneWork``, never two at a time.

    The life of a run: ``start`` makes a private folder and observes the scene, the inputs are written there (in this
    thread, for the scene allows no other), the child process starts and ``start`` returns. When the child has
    succeeded and every node is still there the result is loaded. However it ends, the observers and the folder with
    the patient's data are gone before the outcome is told, and another run may be started by whoever hears it.

    Parameters
    ----------
    worker : Worker
    scene : callable
        Gives the scene that the nodes live in.
    """

    def __init__(self, worker: Worker, scene: Callable[[], Any]) -> None:
        self.signals = JobSignals()
        self._worker = worker
        self._scene = scene
        self._work: SceneWork | None = None
        self._kind = ""
        self._folder: RunFolder | None = None
        self._run: JobRun | None = None
        self._observer: SceneObserver | None = None
        self._log = RunLog()
        self._clock = TimeLeft({})
        self._stopping = False
        self._closed = False

    @property
    def running(self) -> bool:
        """True from ``start`` until the outcome is told."""
        return self._work is not None

    @property
    def log(self) -> RunLog:
        """What the last run said; no names and no paths of the patient in it."""
        return self._log

    def start(self, work: SceneWork, kind: str) -> None:
        """Start a run; from the first signal on every failure is told by ``failed``.

        Raises
        ------
        MedUSISError
            BAD_SETTING when one is running or this object was closed; DEPENDENCY_MISSING; DISK_FULL. No signal has
            been given then.
        """
        if self._closed:
            raise MedUSISError(ErrorCode.BAD_SETTING, "this part of the module has been closed", "open it again")
        if self.running:
            raise MedUSISError(ErrorCode.BAD_SETTING, "a run is going on already", "wait for its end, or cancel it")
        for role, node in work.nodes.items():
            if node.GetScene() is None:
                raise MedUSISError(ErrorCode.BAD_SETTING, f"{role} is no longer in the scene", "choose another one")
        require_packages()
        try:
            self._folder = RunFolder()
        except OSError as error:
            raise as_named(error) from error
        self._work, self._kind, self._stopping = work, kind, False
        names = {node.GetName() or "": f"name of {role}" for role, node in work.nodes.items()}
        self._log = RunLog(names)
        self._clock = TimeLeft(work.weights)
        self._begin(work, self._folder)

    def cancel(self) -> None:
        """End the run; ``cancelled`` follows when everything has ended, within 2 s."""
        if not self.running or self._stopping:
            return
        self._stopping = True
        self._log.add("asked to stop")
        if self._run is not None:
            self._run.cancel()

    def pump(self) -> None:
        """Give out signals that wait for this thread (processes of the standard library only)."""
        if self._run is not None:
            self._run.pump()

    def wait(self, timeout_s: float | None = None, idle: Callable[[], object] | None = None) -> bool:
        """Give out signals until the run has ended; False when it still runs after ``timeout_s``.

        ``idle`` is called about thirty times a second (``slicer.app.processEvents``).
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while self.running:
            if end is not None and time.monotonic() >= end:
                return False
            self.pump()
            if idle is not None:
                idle()
            time.sleep(0.03)
        return True

    def close(self) -> None:
        """End everything now, without further signals; again does nothing."""
        self._closed = True
        for signal in vars(self.signals).values():
            signal.disconnect_all()
        self._tidy()

    def _begin(self, work: SceneWork, folder: RunFolder) -> None:
        try:
            self._observer = SceneObserver(self._scene(), work.nodes, self._lost)
            self._enter_stage(PREPARING_INPUTS)
            specification = None if self._stopping else work.prepare(folder.path, self._warn)
            if specification is None or self._stopping or self._work is not work:
                self._ended_early(work)
                return
            if work.put is not None and work.put(folder.path, self._warn):
                self._load(work, folder.path)
                return
            self._run = self._new_run(work, specification, folder)
            self._run.start()
        except Exception as error:
            self._fail_with(error)

    def _ended_early(self, work: SceneWork) -> None:
        """Somebody cancelled or closed while the inputs were prepared (a listener may handle events)."""
        if self._work is work:
            self._outcome(self.signals.cancelled)

    def _new_run(self, work: SceneWork, specification: JobSpecification, folder: RunFolder) -> JobRun:
        from MedUSISLib.jobs.kinds import KINDS
        from MedUSISLib.jobs.log import Scrubber

        kinds = KINDS if self._worker.kinds is None else self._worker.kinds
        self._log.scrub_with(Scrubber(specification.request(kinds)))
        for line in filter(None, (versions(), work.about)):
            self._note(line)
        run = JobRun(
            specification,
            self._worker.new_process(),
            self._worker.command(),
            self._worker.single_shot,
            folder,
            kinds,
        )
        run.stage.connect(self._enter_stage)
        run.progressed.connect(self._progress)
        run.previewed.connect(self.signals.previewed)
        run.warned.connect(self._warn)
        run.logged.connect(self._note)
        run.succeeded.connect(self._succeed)
        run.failed.connect(self._fail)
        return run

    # What is heard

    def _enter_stage(self, name: str) -> None:
        title = stage_title(name, self._kind)
        self._note(title)
        if self._stopping:
            return  # it says that it is being ended
        self._clock.stage(name)
        self.signals.stage(title)
        self.signals.advanced(*self._clock.step(0, 0, None))

    def _progress(self, done: int, total: int, eta_s: float | None) -> None:
        if self._stopping:
            return
        self.signals.progressed(done, total, eta_s)
        self.signals.advanced(*self._clock.step(done, total, eta_s))

    def _warn(self, code: str, message: str) -> None:
        message = without_options(message)
        self._log.add(f"warning {code}: {message}")
        self.signals.warned(code, message)

    def _note(self, line: str) -> None:
        self.signals.logged(self._log.add(line))

    def _lost(self, code: str, message: str) -> None:
        if self.running and not self._stopping:
            self._warn(code, f"{message} The run was ended, and nothing was loaded.")
            self.cancel()

    def _succeed(self, result: Result) -> None:
        work = self._work
        if work is None or self._folder is None:
            return
        if work.keep is not None:
            work.keep(self._folder.path)
        self._load(work, self._folder.path)

    def _load(self, work: SceneWork, folder: Path) -> None:
        self._enter_stage(LOADING_RESULT)
        if self._stopping or self._observer is None or not self._observer.complete():
            self._outcome(self.signals.cancelled)
            return
        try:
            loaded = work.load(folder)
        except Exception as error:
            self._fail_with(error)
            return
        self._log.add("done")
        self.signals.advanced(1.0, 0.0)
        self._outcome(partial(self.signals.finished, loaded))

    def _fail(self, failure: Failure) -> None:
        if self._stopping or failure.code == ErrorCode.CANCELLED.value:
            self._outcome(self.signals.cancelled)
            return
        self._log.add(f"error {failure.code}: {failure.message}")
        self._outcome(partial(self.signals.failed, for_the_window(failure)))

    def _fail_with(self, error: Exception) -> None:
        self._fail(Failure.of(as_named(error)))

    def _outcome(self, tell: Callable[[], None]) -> None:
        self._tidy()
        tell()

    def _tidy(self) -> None:
        """Nothing of the run is left: no observer, no process, no file. The scene's nodes are let go."""
        if self._observer is not None:
            self._observer.close()
        if self._run is not None:
            self._run.close()
        if self._folder is not None:
            self._folder.close()
        self._observer = self._run = self._folder = self._work = None


def versions() -> str:
    """Who ran: for the person who reads a log that somebody sent."""
    from MedUSISLib import __version__

    return f"MedUSIS {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def require_packages() -> None:
    """Raise DEPENDENCY_MISSING when the packages that start a job are absent."""
    try:
        import MedUSISLib.jobs.launcher  # noqa: F401
    except ImportError as error:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"the Python package {(error.name or 'needed').partition('.')[0]!r} is missing",
            "install the packages that MedUSIS needs, from the module",
        ) from error


def as_named(error: Exception) -> MedUSISError:
    """The named error for any exception."""
    from MedUSISLib.jobs.failures import named_error

    return named_error(error)


class SceneJobProtocol(Protocol):
    """What every logic that runs a job on the scene offers to a window or a script."""

    stage: Signal
    progressed: Signal
    advanced: Signal
    previewed: Signal
    warned: Signal
    logged: Signal
    finished: Signal
    failed: Signal
    cancelled: Signal

    @property
    def running(self) -> bool:
        """True from ``start`` until the outcome is told."""

    def cancel(self) -> None:
        """End the run; ``cancelled`` follows."""

    def close(self) -> None:
        """End everything, without further signals; again does nothing."""

    def log_text(self) -> str:
        """What the last run said, free of the patient's names and paths."""
