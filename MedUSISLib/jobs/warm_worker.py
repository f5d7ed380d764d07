"""The owner's side of a worker that stays: it is started when needed, given job after job, and ended in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum

from MedUSISLib.jobs.process import ProcessListener, ProcessProtocol, TalkingProcess
from MedUSISLib.jobs.process_tree import kill_tree, process_of
from MedUSISLib.jobs.worker_words import OF_A_JOB, Ended, Order, Taken, Waiting, parse_word, without_job
from MedUSISLib.signal import Signal

ANSWER_S = 5.0
"""A worker that waits has so long to say that it has taken a job; then it is ended, and the job starts cold."""

After = Callable[[float, Callable[[], None]], object]
"""``after(seconds, function)``: call the function once, later."""


class WorkerState(StrEnum):
    """How a worker stands."""

    OFF = "off"
    BUSY = "busy"
    READY = "ready"


class WarmWorker:
    """At most one child process that stays between jobs (``serve``).

    ``new_process`` gives what a ``Launcher`` takes for the process of its job. Started, it hands its job to the worker
    that waits, or to a new one; it ends when the job has ended, while the worker lives on. Where the worker is busy,
    is switched off, or does not answer, the job gets a process of its own, as without all this. Cancelling asks first;
    the launcher kills what does not end in time, and with it the worker: the next job starts a new one.

    Parameters
    ----------
    new_process : callable
        Makes a process that was not started.
    command : callable
        ``command(idle_s)`` gives what starts a worker that ends by itself after so many seconds without a job.
    idle_s : callable
        How long it is to stay, asked before each job; 0 or less switches it off.
    after : callable, optional
        Keeps the time where threads do not run freely; a thread by default.
    answer_s : float

    Attributes
    ----------
    changed : Signal
        Without arguments, in any thread: ``state`` or ``memory_bytes`` is another one.
    """

    def __init__(
        self,
        new_process: Callable[[], TalkingProcess],
        command: Callable[[float], Sequence[str]],
        idle_s: Callable[[], float],
        after: After | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._new_process = new_process
        self._command = command
        self._idle_s = idle_s
        self._after = after or _in_a_thread
        self._answer_s = answer_s
        self._lock = threading.RLock()
        self._child: _Child | None = None
        self._leaving: set[_Child] = set()
        self._closed = False
        self.changed = Signal()

    @property
    def state(self) -> WorkerState:
        """Whether there is a worker, and whether it does something."""
        child = self._child
        if child is None:
            return WorkerState.OFF
        return WorkerState.READY if child.turn is None else WorkerState.BUSY

    @property
    def memory_bytes(self) -> int:
        """What the worker held when it last waited, memory of accelerators included; 0 when there is none."""
        child = self._child
        return child.memory_bytes if child is not None else 0

    @property
    def pid(self) -> int | None:
        """Number of its process."""
        child = self._child
        return child.process.pid if child is not None else None

    def new_process(self) -> WarmProcess:
        """The process of a job that is yet to be started."""
        return WarmProcess(self)

    def end(self) -> None:
        """End a worker that waits; one that is busy goes on, and ends after its job."""
        with self._lock:
            child = self._child
            if child is None:
                return
            child.retired = True
            if child.turn is None:
                self._dismiss(child)

    def close(self) -> None:
        """End it now, whatever it does, and start no other; again does nothing."""
        with self._lock:
            self._closed = True
            children = [*self._leaving, *([self._child] if self._child is not None else [])]
            self._child = None
        self.changed.disconnect_all()
        for child in children:
            child.process.ask_to_stop()
            child.kill()
            child.process.wait(2.0)

    # For the processes of jobs

    def begin(self, turn: WarmProcess, command: Sequence[str], environment: Mapping[str, str]) -> _Child | None:
        """Give the turn's job to a worker; None when it needs a process of its own."""
        idle_s = self._idle_s()
        base = without_job(environment)
        with self._lock:
            if self._closed or idle_s <= 0:
                self.end()
                return None
            child = self._child
            if child is not None and child.turn is not None:
                return None
            if child is not None and child.environment != base:
                self.end()
                child = None
            fresh = child is None
            if child is None:
                child = _Child(self, self._new_process(), base)
                child.process.start(self._command(idle_s), base, child)
                self._child = child
            child.turn = turn
            variables = {name: environment[name] for name in OF_A_JOB if name in environment}
            try:
                child.process.write_line(Order(str(command[-1]), variables=variables, idle_s=idle_s).to_line())
            except OSError:
                child.turn = None
                self._child = None
                child.kill()
                return None
        if not fresh:
            self._after(self._answer_s, lambda: self._give_up(turn))
        self.changed()
        return child

    def _give_up(self, turn: WarmProcess) -> None:
        with self._lock:
            child = self._child
            if child is None or child.turn is not turn or turn.taken:
                return
        child.kill()  # its end makes the job start cold

    def turn_is_over(self, child: _Child) -> None:
        """The worker has ended its job."""
        with self._lock:
            child.turn = None
        if child.retired:
            self._dismiss(child)
        self.changed()

    def child_is_gone(self, child: _Child) -> None:
        """The worker's process has ended."""
        with self._lock:
            self._leaving.discard(child)
            if self._child is child:
                self._child = None
        self.changed()

    def plain_process(self) -> ProcessProtocol:
        """A process for a job that the worker does not do."""
        return self._new_process()

    def _dismiss(self, child: _Child) -> None:
        """Ask a worker to end; it is kept in mind until it has."""
        with self._lock:
            if self._child is child:
                self._child = None
            self._leaving.add(child)
        child.process.ask_to_stop()
        self.changed()


class WarmProcess:
    """The process of one job, as a launcher sees it: the worker's, for as long as the job takes.

    Parameters
    ----------
    worker : WarmWorker
    """

    def __init__(self, worker: WarmWorker) -> None:
        self._worker = worker
        self._child: _Child | None = None
        self._own: ProcessProtocol | None = None
        self._started: tuple[Sequence[str], Mapping[str, str], ProcessListener] | None = None
        self._over = threading.Event()
        self._stopping = False
        self.taken = False

    @property
    def pid(self) -> int | None:
        process = self._own or (self._child.process if self._child is not None else None)
        return process.pid if process is not None else None

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        """Start the job; OSError when neither the worker nor a process of its own can be started."""
        self._started = (command, environment, listener)
        self._child = self._worker.begin(self, command, environment)
        if self._child is None:
            self._start_cold()

    def ask_to_stop(self) -> None:
        self._stopping = True
        if self._own is not None:
            self._own.ask_to_stop()
        elif self._child is not None and self._started is not None and not self._over.is_set():
            with suppress(OSError):  # it is gone, and says so itself
                self._child.process.write_line(Order(str(self._started[0][-1]), cancel=True).to_line())

    def wait(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while not self._over.is_set() and time.monotonic() < end:
            if self._own is not None:
                return self._own.wait(max(0.0, end - time.monotonic()))
            if self._child is None:
                return True
            self._child.process.wait(min(0.05, timeout_s))
        return self._over.is_set()

    # What the worker says of this job

    def output_line(self, line: str) -> None:
        """An event."""
        if self._started is not None and not self._over.is_set():
            self._started[2].output_line(line)

    def error_line(self, line: str) -> None:
        """What a library prints."""
        if self._started is not None and not self._over.is_set():
            self._started[2].error_line(line)

    def finished(self, exit_code: int) -> None:
        """The job is over, or its worker is; one that never began it is replaced by a process of its own."""
        if self._over.is_set() or self._started is None:
            return
        if not self.taken and not self._stopping:
            try:
                self._start_cold()
                return
            except OSError:
                pass
        self._over.set()
        self._started[2].finished(exit_code)

    def _start_cold(self) -> None:
        assert self._started is not None
        own = self._worker.plain_process()
        own.start(*self._started)
        self._own = own


class _Child:
    """One worker process and what is known of it; hears it and passes on what its job says."""

    def __init__(self, owner: WarmWorker, process: TalkingProcess, environment: Mapping[str, str]) -> None:
        self._owner = owner
        self.process = process
        self.environment = environment
        self.turn: WarmProcess | None = None
        self.retired = False
        self.memory_bytes = 0

    def kill(self) -> None:
        """End it with all that it has started."""
        kill_tree(process_of(self.process.pid))

    def output_line(self, line: str) -> None:
        word, turn = parse_word(line), self.turn
        if isinstance(word, Waiting):
            self.memory_bytes = word.memory_bytes + word.device_bytes
            self._owner.changed()
        elif isinstance(word, Taken):
            if turn is not None:
                turn.taken = True
        elif isinstance(word, Ended):
            if turn is not None:
                self._owner.turn_is_over(self)
                turn.finished(word.exit_code)
        elif turn is not None:
            turn.output_line(line)

    def error_line(self, line: str) -> None:
        if self.turn is not None:
            self.turn.error_line(line)

    def finished(self, exit_code: int) -> None:
        turn, self.turn = self.turn, None
        self._owner.child_is_gone(self)
        if turn is not None:
            turn.finished(exit_code)


def _in_a_thread(seconds: float, function: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
