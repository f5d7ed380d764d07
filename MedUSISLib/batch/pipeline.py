"""One worker's way of doing cases: while it computes one, it reads the next and writes the one before."""

from __future__ import annotations

import gc
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from MedUSISLib.batch.pool import Began, CaseTask, Failed, Finished, PoolEvent, Progressed, Rests
from MedUSISLib.batch.states import CaseState
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.library_words import print_error
from MedUSISLib.progress import Progress

IN_HAND = 3
"""Cases that a worker can have in its three stages; with more of them one would only wait."""

_STEP_S = 1.0


class Stages(Protocol):
    """What is done with a case, in three steps; each gets what the one before gave."""

    def read(self, task: CaseTask, progress: Progress) -> Any:
        """From files into memory."""

    def compute(self, read: Any, progress: Progress) -> Any:
        """The network; one case at a time."""

    def write(self, computed: Any, progress: Progress) -> dict[str, Any]:
        """Into the case's folder, on the disk when this returns; the figures that the manifest keeps."""


class CasePipeline:
    """Does cases in three threads, one for each stage, and says what happens.

    A thread gives a case on only when the next one is free to take it, so three cases are in memory at most: one read
    (or being read), one computed (or being computed), one being written. A case that fails says so and is gone; the
    others go on.

    Parameters
    ----------
    stages : Stages
        See `synthesis_stages.SynthesisStages`.
    say : callable
        Hears the events, from the three threads.
    worker : str
        Named in `Began`.

    Examples
    --------
    ::

        pipeline = CasePipeline(SynthesisStages(request, "cpu"), events.put)
        pipeline.feed(task)
        pipeline.close()          # when all that was fed has ended
    """

    def __init__(self, stages: Stages, say: Callable[[PoolEvent], None], worker: str = "") -> None:
        self._say, self._worker = say, worker
        self._cancelled = threading.Event()
        self._intake: queue.SimpleQueue[_Case | None] = queue.SimpleQueue()
        computing, writing = _Handover(), _Handover()

        def read(case: _Case, progress: Progress) -> Any:
            return stages.read(case.task, progress)

        def compute(case: _Case, progress: Progress) -> Any:
            return stages.compute(case.take(), progress)

        def write(case: _Case, progress: Progress) -> Any:
            return stages.write(case.take(), progress)

        self._threads = [
            self._thread(CaseState.READING, read, self._intake.get, computing),
            self._thread(CaseState.COMPUTING, compute, computing.take, writing),
            self._thread(CaseState.WRITING, write, writing.take, None),
        ]
        for thread in self._threads:
            thread.start()

    def feed(self, task: CaseTask) -> None:
        """Do a case; returns at once. Whoever feeds more than `IN_HAND` lets them wait, without memory."""
        self._intake.put(_Case(task))

    def close(self, timeout_s: float | None = None) -> bool:
        """End when all that was fed has ended; False when that is not so after ``timeout_s``."""
        self._intake.put(None)
        end = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def cancel(self) -> None:
        """Give up what is in hand at the next opportunity; each case says that it failed, CANCELLED."""
        self._cancelled.set()

    def _thread(self, state: CaseState, *how: Any) -> threading.Thread:
        return threading.Thread(target=self._work, args=(state, *how), name=f"medusis-{state.value}", daemon=True)

    def _work(
        self,
        state: CaseState,
        step: Callable[[_Case, Progress], Any],
        source: Callable[[], _Case | None],
        target: _Handover | None,
    ) -> None:
        while (case := source()) is not None:
            if self._done(case, state, step) and target is not None:
                self._say(Rests(case.task.number))
                target.give(case)
            del case  # its volumes must not live until the next one comes
        if target is not None:
            target.give(None)

    def _done(self, case: _Case, state: CaseState, step: Callable[[_Case, Progress], Any]) -> bool:
        """Whether the stage went well."""
        number, began = case.task.number, time.perf_counter()
        try:
            if self._cancelled.is_set():
                raise MedUSISError(ErrorCode.CANCELLED, "the batch was ended")
            self._say(Began(number, state, self._worker))
            case.value = step(case, _CaseProgress(number, self._say, self._cancelled))
        except BaseException as error:
            failure = Failure.of(named_error(error))
            if failure.code == ErrorCode.INTERNAL.value:
                print_error(error)  # for whoever looks for the fault; standard error of a worker is its log
            case.value = None
            # What is referred to in a circle, tracebacks among it, is given back before the next case needs it.
            gc.collect()
            self._say(Failed(number, failure, case.seconds + time.perf_counter() - began))
            return False
        case.seconds += time.perf_counter() - began
        if state is CaseState.WRITING:
            self._say(Finished(number, round(case.seconds, 3), case.take()))
        return True


@dataclass
class _Case:
    """A task on its way, with what its last stage made."""

    task: CaseTask
    value: Any = None
    seconds: float = 0.0

    def take(self) -> Any:
        """The value, which is nobody else's from now on."""
        value, self.value = self.value, None
        return value


class _Handover:
    """From one thread to the next; who gives waits until it is taken, so nothing piles up between them."""

    def __init__(self) -> None:
        self._slot: queue.Queue[_Case | None] = queue.Queue(maxsize=1)

    def give(self, case: _Case | None) -> None:
        self._slot.put(case)
        self._slot.join()

    def take(self) -> _Case | None:
        case = self._slot.get()
        self._slot.task_done()
        return case


class _CaseProgress(Progress):
    """The steps of a case, once a second; its other words are in its own report."""

    def __init__(self, number: int, say: Callable[[PoolEvent], None], cancelled: threading.Event) -> None:
        self._number, self._say, self._cancelled = number, say, cancelled
        self._said = time.monotonic()

    def step(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said >= _STEP_S:
            self._said = now
            self._say(Progressed(self._number, done, total))

    def checkpoint(self) -> None:
        if self._cancelled.is_set():
            raise MedUSISError(ErrorCode.CANCELLED, "the batch was ended")
