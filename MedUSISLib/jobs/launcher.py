"""Start a job in a child process, hear what it says, end it when asked."""

from __future__ import annotations

import queue
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.cancellation import CONTROL_VARIABLE
from MedUSISLib.jobs.child_environment import child_environment
from MedUSISLib.jobs.events import Alive, Event, Failure, Result, Step, parse_event, to_json
from MedUSISLib.jobs.failures import exit_code_of, named_error
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.jobs.log import JobLog, Scrubber
from MedUSISLib.jobs.process import ProcessProtocol, SubprocessProcess
from MedUSISLib.jobs.process_tree import descendants, kill_orphans, kill_processes, kill_tree, process_of
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WISH_VARIABLE, WishFile
from MedUSISLib.jobs.workspace import PRIVATE_VARIABLE, private_workspace
from MedUSISLib.progress import Wish
from MedUSISLib.stillness import Stillness, limit_s, sample_s
from MedUSISLib.trouble import is_out_of_memory

ABNORMAL = "it ended abnormally"
"""The death of a child whose starter does not tell a signal."""

WORKER_COMMAND = (sys.executable, "-m", "MedUSISLib.jobs", "run")
"""Followed by the job file. Slicer puts its own Python here."""


class Launcher:
    """One run of one job in a child process.

    ``start`` validates the specification (a wrong one raises before any process exists), makes a private workspace
    (0700), writes the job file there and starts the child. Each line that the child writes on standard output becomes
    an event for the listener; what it writes on standard error goes to ``on_output`` and, without patient paths, into
    the log. ``result`` and ``error`` are held back until the process is gone, because its exit code, not its text,
    tells success: a child that died silently, or that said "result" and then crashed, ends with an ``error`` event
    like any other failure. After the last event the workspace and everything half-written is removed.

    A child that hangs - for a quarter of an hour it neither computes, reads, writes nor speaks (``stillness``) -
    is killed and ends with TIMED_OUT.

    ``cancel`` may be called at any time from any thread: the child is asked to stop, and what still lives of its
    process tree after ``grace_s`` is killed.

    Parameters
    ----------
    specification : JobSpecification
    process : ProcessProtocol, optional
        A process of the standard library by default; Slicer gives a QProcess, tests a double.
    command : sequence of str
        What is started, followed by the job file.
    log : Path, optional
        Where the log goes; none is written by default.
    on_output : callable, optional
        Receives each line of the child's standard error as it is.
    kinds : mapping, optional
        What the specification may ask for.
    private : Path, optional
        A folder of the caller, named "medusis-...", that the child removes when the caller has died or cancelled.
    wishes : Path, optional
        The file in which the child looks for wishes (`wishes`); one in the workspace by default.

    Examples
    --------
    Follow a job until it ends::

        launcher = Launcher(JobSpecification.of("synthesize", request))
        for event in launcher.events():
            print(event)
        sys.exit(launcher.exit_code)
    """

    def __init__(
        self,
        specification: JobSpecification,
        process: ProcessProtocol | None = None,
        command: Sequence[str] = WORKER_COMMAND,
        log: Path | None = None,
        on_output: Callable[[str], None] | None = None,
        kinds: Mapping[str, JobKind] = KINDS,
        private: Path | None = None,
        wishes: Path | None = None,
    ) -> None:
        self._specification = specification
        self._process: ProcessProtocol = process if process is not None else SubprocessProcess()
        self._command = tuple(command)
        self._log_path = log
        self.on_output = on_output
        self._kinds = kinds
        self._private = private
        self._wishes = wishes
        self.workspace: Path | None = None
        self._listener: Callable[[Event], None] = lambda event: None
        self._log = JobLog(None, Scrubber())
        self._cleanup = ExitStack()
        self._last: Result | Failure | None = None
        self._last_words: deque[str] = deque(maxlen=20)
        self._root: psutil.Process | None = None
        self._helpers: set[psutil.Process] = set()
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._exit_code: int | None = None
        self._death: str | None = None
        self._stillness = Stillness(lambda: filter(None, [self._process_of_job()]))
        self._stuck_s: float | None = None

    @property
    def pid(self) -> int | None:
        """Number of the child process, None before the start."""
        return self._process.pid

    @property
    def death(self) -> str | None:
        """How the child ended when it said nothing itself ("signal SIGKILL"); None when it did, and while it lives."""
        return self._death

    @property
    def exit_code(self) -> int | None:
        """0 or the exit code of the named error; None while the job runs."""
        return self._exit_code

    @property
    def running(self) -> bool:
        """True from the start until after the last event."""
        return self._process.pid is not None and not self._ended.is_set()

    def start(self, listener: Callable[[Event], None]) -> None:
        """Start the job and return; ``listener`` receives the events, the last of them a Result or a Failure.

        Raises
        ------
        MedUSISError
            BAD_SETTING when the specification is wrong, DISK_FULL, DEPENDENCY_MISSING when the worker does not start.
        """
        request = self._specification.request(self._kinds)
        self._listener = listener
        try:
            self.workspace = workspace = self._cleanup.enter_context(private_workspace())
            self._wishes = self._wishes or workspace / "wish"
            job_file = workspace / "job.json"
            job_file.write_text(self._specification.model_dump_json(indent=1), encoding="utf-8")
            self._log = JobLog(self._log_path, Scrubber(request))
            self._log.write(f"job: {self._specification.kind}")
            environment = {
                **child_environment(workspace),
                **({PRIVATE_VARIABLE: str(self._private)} if self._private is not None else {}),
                CONTROL_VARIABLE: "stdin",
                WISH_VARIABLE: str(self._wishes),
            }
            self._process.start((*self._command, str(job_file)), environment, self)
            self._root = process_of(self._process.pid)
            if (limit := limit_s()) is not None:
                threading.Thread(target=self._end_when_still, args=(limit,), name="medusis-stuck", daemon=True).start()
        except OSError as error:
            self._close()
            if (named := named_error(error)).code is ErrorCode.DISK_FULL:
                raise named from error
            raise MedUSISError(
                ErrorCode.DEPENDENCY_MISSING, "the worker process cannot be started", "reinstall MedUSIS"
            ) from error

    def events(self) -> Iterator[Event]:
        """Start the job and give its events as they come; ends with a Result or a Failure.

        Leaving the loop early, by an exception or KeyboardInterrupt too, cancels the job and waits for its end.
        """
        received: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.start(received.put)
        try:
            while True:
                try:
                    event = received.get(timeout=0.2)  # short, so that Windows delivers Ctrl-C
                except queue.Empty:
                    continue
                yield event
                if isinstance(event, (Result, Failure)):
                    break
        finally:
            self.cancel()
            self.wait(timeout_s=20.0)  # it is killed after one; on a busy machine its end and the tidying take longer

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the job; False when it still runs after ``timeout_s``."""
        return self._ended.wait(timeout_s)

    def wish(self, wish: Wish) -> None:
        """Tell the running job what is wanted of it; a job that knows no wishes goes on, or ends at a checkpoint."""
        if self.running and self._wishes is not None:
            WishFile(self._wishes).write(wish)

    def cancel(self, grace_s: float = 1.0) -> None:
        """Ask the job to end and return at once; after ``grace_s`` its whole process tree is killed.

        Nothing happens when it has ended already. The killing is done by a thread. Where threads do not run freely
        (Slicer's Python), call ``kill`` from a timer as well.
        """
        if not self.running or self._cancelled.is_set():
            return
        self._cancelled.set()
        self._helpers.update(descendants(self._root))
        self._process.ask_to_stop()

        def end() -> None:
            if not self._ended.wait(grace_s):
                self.kill()

        threading.Thread(target=end, name="medusis-cancel", daemon=True).start()

    def kill(self) -> None:
        """Kill what lives of the job's process tree, now."""
        if self.running:
            kill_tree(self._process_of_job())

    def _process_of_job(self) -> psutil.Process | None:
        if self._root is None or self._root.pid != self._process.pid:
            self._root = process_of(self._process.pid)  # a job that a worker did not take has a process of its own
        return self._root

    def _end_when_still(self, limit: float) -> None:
        """Kill a job that hangs; whoever waits for it would wait for ever."""
        while not self._ended.wait(sample_s(limit)):
            if self._stillness.look(sample_s(limit)) >= limit:
                self._stuck_s = limit
                self.kill()
                return

    # What the process tells (ProcessListener)

    def output_line(self, line: str) -> None:
        if self._ended.is_set():
            return
        self._stillness.hear()
        event = parse_event(line)
        if event is None:
            self.error_line(line)
            return
        if isinstance(event, Alive):
            return
        if isinstance(event, (Result, Failure)):
            self._last = event
            return
        if not isinstance(event, Step):
            self._log.write(to_json(event))
        self._listener(event)

    def error_line(self, line: str) -> None:
        self._stillness.hear()
        self._last_words.append(line)
        self._log.write(line)
        if self.on_output is not None:
            self.on_output(line)

    def finished(self, exit_code: int) -> None:
        if self._ended.is_set():
            return
        last = self._verdict(exit_code)
        kill_processes(self._helpers)  # those that outlived their parent
        kill_orphans(self._process.pid)
        self._exit_code = 0 if isinstance(last, Result) else exit_code_of(last.error())
        if isinstance(last, Failure):
            self._log.write(f"error {last.code}: {last.message}")
        self._log.write(f"end: process {exit_code}, job {self._exit_code}")
        self._close()
        self._ended.set()
        self._listener(last)

    def _verdict(self, exit_code: int) -> Result | Failure:
        """The last event, by the exit code first and the child's words second."""
        if exit_code == 0 and isinstance(self._last, Result):
            return self._last
        if self._cancelled.is_set():
            return Failure.of(MedUSISError(ErrorCode.CANCELLED, "the job was cancelled"))
        if exit_code != 0 and isinstance(self._last, Failure):
            return self._last
        if self._stuck_s is not None:
            return Failure(
                ErrorCode.TIMED_OUT.value,
                f"the worker process did nothing for {self._stuck_s:g} seconds, and was ended",
                "try again; a disk or network folder that does not answer makes a job hang, too",
            )
        self._death = ABNORMAL if _is_abnormal(self._last_words) else _describe(exit_code)
        if is_out_of_memory(RuntimeError("\n".join(self._last_words))):  # some libraries end the process themselves
            return Failure.of(named_error(MemoryError()))
        return Failure(
            ErrorCode.INTERNAL.value,
            f"the worker process ended without a result ({_describe(exit_code)})",
            _advice(exit_code, self._last_words),
        )

    def _close(self) -> None:
        with suppress(OSError):
            self._cleanup.close()
        self._log.close()


def _describe(exit_code: int) -> str:
    if exit_code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"


def _is_abnormal(last_words: Iterable[str]) -> bool:
    # Slicer's PythonSlicer is a starter that turns the death of its child into exit code 1 and these words.
    return any("exit abnormally" in line for line in last_words)


def _advice(exit_code: int, last_words: Iterable[str]) -> str:
    if _is_abnormal(last_words):
        return "it crashed, or the system killed it for lack of memory: close other programs or use a smaller batch"
    if exit_code in (-9, 137):
        return "the system killed it, most often for lack of memory: close other programs or use a smaller batch"
    return "this is a fault of MedUSIS or of a library: please report it together with the log"
