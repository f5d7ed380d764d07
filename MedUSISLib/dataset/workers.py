"""Many files at once: processes that are all gone afterwards, also when the work was cancelled or a file broke one."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

from MedUSISLib.progress import Progress
from MedUSISLib.stillness import Stillness, limit_s, sample_s

Task = TypeVar("Task")
Answer = TypeVar("Answer")
_POLL_S = 0.3


def default_jobs() -> int:
    """One process for each core this process may use, at most 8: a disk does not read faster than that."""
    with suppress(AttributeError):
        return min(8, len(os.sched_getaffinity(0)))
    return min(8, os.cpu_count() or 1)


def for_each(
    function: Callable[[Task], Answer],
    tasks: Sequence[Task],
    jobs: int,
    progress: Progress,
    broken: Callable[[Task], Answer],
) -> Iterator[tuple[int, Answer]]:
    """Answers with the number of their task, in the order in which they come.

    Parameters
    ----------
    function : callable
        Of a module, because it is sent to other processes.
    tasks : sequence
    jobs : int
        1: in this process, one after the other.
    progress : Progress
        Told ``step`` after each, asked ``checkpoint`` all the time.
    broken : callable
        The answer for a task that ended its process (a library that crashes on a damaged file).
    """
    if jobs == 1 or len(tasks) < 2:
        for number, task in enumerate(tasks):
            progress.checkpoint()
            yield number, function(task)
            progress.step(number + 1, len(tasks))
        return
    left = dict(enumerate(tasks))
    for number, answer in _pooled(function, dict(left), min(jobs, len(tasks)), progress, len(tasks)):
        left.pop(number)
        yield number, answer
    # A process died, and took the tasks of all others with it. One at a time it is plain which one it is.
    for number in sorted(left):
        progress.checkpoint()
        alone = dict(_pooled(function, {number: tasks[number]}, 1, progress, len(tasks)))
        yield number, alone.get(number) if number in alone else broken(tasks[number])  # type: ignore[misc]
        progress.step(len(tasks), len(tasks))


def _pooled(
    function: Callable[[Task], Answer], tasks: dict[int, Task], jobs: int, progress: Progress, total: int
) -> Iterator[tuple[int, Answer]]:
    """Answers until all are done or a process dies."""
    with _executor(jobs) as executor:
        numbers: dict[Future[Answer], int] = {}
        hung = _Hung()
        waiting = iter(tasks.items())
        done = total - len(tasks)
        exhausted = False
        while numbers or not exhausted:
            # Few at a time: the rest is not copied into the queue, and cancelling has nothing to take back.
            while len(numbers) < 2 * jobs and not exhausted:
                number, task = next(waiting, (None, None))
                if number is None:
                    exhausted = True
                    break
                try:
                    numbers[executor.submit(function, task)] = number  # type: ignore[arg-type]
                except BrokenProcessPool:  # a process died while its last answers were being used
                    return
            finished, _ = wait(numbers, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            progress.checkpoint()
            hung.end_those_that_hang(bool(finished))
            for future in finished:
                number = numbers.pop(future)
                try:
                    answer = future.result()
                except BrokenProcessPool:
                    return
                done += 1
                yield number, answer
                progress.step(done, total)


class _Hung:
    """Ends processes of the pool that do nothing any more: a file on a disk or network folder that does not answer.

    Their pool breaks then, as by a crash: the others go on one at a time, and the file that it was is named.
    """

    def __init__(self) -> None:
        self._limit = limit_s()
        self._stillness = Stillness(lambda: [psutil.Process(child.pid) for child in multiprocessing.active_children()])
        self._looked = time.monotonic()

    def end_those_that_hang(self, said: bool) -> None:
        """Look at them, if it is time; ``said``: one of them has just given an answer."""
        if said:
            self._stillness.hear()
        if self._limit is None or time.monotonic() - self._looked < sample_s(self._limit):
            return
        self._looked = time.monotonic()
        with suppress(psutil.Error):
            if self._stillness.look(sample_s(self._limit)) >= self._limit:
                for process in multiprocessing.active_children():
                    process.kill()


@contextmanager
def _executor(jobs: int) -> Iterator[ProcessPoolExecutor]:
    # Not fork: threads of ITK do not survive it.
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_quiet)
    ended_well = False
    try:
        yield executor
        ended_well = True
    finally:
        if not ended_well:
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
        executor.shutdown(wait=True, cancel_futures=True)


def _quiet(*_: Any) -> None:
    """Libraries print file names when something is wrong with them; nothing of that may reach a log."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _end_with_parent() -> None:
    """A killed parent cannot end its processes; they would wait for the next task for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
