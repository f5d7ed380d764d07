"""Images of a batch side by side, each on cores of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class ImageWorkers:
    """Threads that share torch's cores: with as many images as cores, each image has one.

    A pass of one image is some sixty short steps. Sharing out each of them over the cores costs a wait for the slowest
    core per step, and the steps that torch and numpy do on one core keep the others waiting; whole images need neither.

    Examples
    --------
    >>> ImageWorkers().map(lambda number: number + 1, [1, 2, 3])
    [2, 3, 4]
    """

    def __init__(self) -> None:
        self._threads = torch.get_num_threads()
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """``[work(item) for item in items]``; the first exception is raised when all have ended."""
        workers = min(len(items), self._threads)
        if workers < 2:
            return [work(item) for item in items]
        futures = [self._pool(workers).submit(work, item) for item in items]
        for future in futures:
            future.exception()  # waits: nobody may still use the network when this returns
        return [future.result() for future in futures]

    def _pool(self, workers: int) -> ThreadPoolExecutor:
        if workers not in self._pools:
            share = self._threads // workers
            pool = ThreadPoolExecutor(workers, "image", initializer=_take_threads, initargs=(share,))
            # torch keeps the number for each thread, and gives those that begin later the one that was set last:
            # all must have begun before it is set back
            together = Barrier(workers, timeout=60.0)
            for future in [pool.submit(together.wait) for _ in range(workers)]:
                future.result()
            torch.set_num_threads(self._threads)
            self._pools[workers] = pool
        return self._pools[workers]


def _take_threads(share: int) -> None:
    torch.set_num_threads(share)
    torch.get_num_threads()  # a thread takes the number over when it is first asked, which must be now
