"""Many files at once: processes that are all gone afterwards, also when the work was cancelled or a file broke one."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from MedUSISLib.progress import Progress

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
        waiting = iter(tasks.items())
        done = total - len(tasks)
        exhausted = False
        while numbers or not exhausted:
            # Few at a time: the rest is not copied into the queue, and cancelling has nothing to take back.
            while len(numbers) < 2 * jobs and not exhausted:
                number, task = next(waiting, (None, None))
                if number is None:
                    exhausted = True
                else:
                    numbers[executor.submit(function, task)] = number  # type: ignore[arg-type]
            finished, _ = wait(numbers, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            progress.checkpoint()
            for future in finished:
                number = numbers.pop(future)
                try:
                    answer = future.result()
                except BrokenProcessPool:
                    return
                done += 1
                yield number, answer
                progress.step(done, total)


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
