"""The next batches made in the background while the networks work on this one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from MedUSISLib.training.batch import Batch


class Prefetch:
    """Batches by iteration. What they hold depends on the iteration alone, so working ahead changes no result.

    Threads, not processes: nearly all of a batch is made by numpy and torch, which leave other threads alone, and the
    cases are not copied.

    Parameters
    ----------
    make : callable of (iteration, seed shift)
        Makes a batch; called from other threads.
    last : int
        Iterations from here on are not made ahead.
    workers : int
        Threads, and batches made ahead; 0 makes each batch when it is asked for.

    Examples
    --------
    >>> batches = Prefetch(lambda iteration, shift: f"{iteration} {shift}", last=9, workers=2)
    >>> [batches.take(5, 0), batches.take(6, 0), batches.take(2, 1)]
    ['5 0', '6 0', '2 1']
    >>> batches.close()
    """

    def __init__(self, make: Callable[[int, int], Batch], last: int, workers: int) -> None:
        self._make, self._last, self._workers = make, last, workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="batches") if workers else None
        self._pending: dict[tuple[int, int], Future[Batch]] = {}

    def take(self, iteration: int, shift: int) -> Batch:
        """The batch of an iteration; those that follow it are begun.

        Raises
        ------
        Exception
            What went wrong when the batch was made.
        """
        if self._executor is None:
            return self._make(iteration, shift)
        end = max(iteration + 1, min(iteration + 1 + self._workers, self._last))
        wanted = [(number, shift) for number in range(iteration, end)]
        for key in self._pending.keys() - set(wanted):  # a roll-back has led elsewhere
            self._pending.pop(key).cancel()
        for key in wanted:
            if key not in self._pending:
                self._pending[key] = self._executor.submit(self._make, *key)
        return self._pending.pop(wanted[0]).result()

    def close(self) -> None:
        """Forget what was made ahead; no thread is left."""
        self._pending.clear()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
