"""How a worker that is kept hears its owner: lines on standard input, signals, and the owner's end."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from MedUSISLib.jobs.cancellation import CONTROL_VARIABLE, interrupt_main_thread, lead_own_session
from MedUSISLib.jobs.events import JobProgress
from MedUSISLib.jobs.worker_words import Order

_AGAIN_S = 0.5


class Orders:
    """The jobs that are asked for, in order, and the wish to end one or all.

    The end of standard input is the end of the owner: a job that is being done is interrupted then, as by SIGINT, and
    no further one begins. A signal does the same. An order to cancel only sets a flag, which the job sees at its next
    checkpoint, so that what is in memory stays whole.

    Made by ``heard_orders``, in the main thread.
    """

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._cancelled: set[str] = set()
        self._current: tuple[str, JobProgress] | None = None
        self._heard = threading.Event()
        self.orphaned = threading.Event()
        """The owner has closed its end: it wants nothing any more, or is dead."""

    @property
    def ending(self) -> bool:
        """Whether no further job is to be begun."""
        return self._heard.is_set() or self.orphaned.is_set()

    def next(self, timeout_s: float) -> Order | None:
        """The next job; None when there is none within the time, or there will be none."""
        try:
            return None if self.ending else self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return None

    @contextmanager
    def doing(self, order: Order, progress: JobProgress) -> Iterator[None]:
        """In this block the job is being done, and ``progress`` hears that it is cancelled."""
        with self._lock:
            self._current = (order.job, progress)
            if order.job in self._cancelled or self.ending:
                progress.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._current = None
                self._cancelled.discard(order.job)

    def read(self, stream: TextIO) -> None:
        """Read lines to their end, in a thread of its own."""
        try:
            for line in stream:
                order = Order.parse(line)
                if order is not None and order.cancel:
                    self._cancel(order.job)
                elif order is not None:
                    self._waiting.put(order)
        except (OSError, ValueError):
            pass
        self.orphaned.set()
        self._cancel(None)
        self._waiting.put(None)
        while not self._heard.is_set():
            # Again and again: a signal that comes just before a system call begins does not interrupt the call.
            interrupt_main_thread()
            self._heard.wait(_AGAIN_S)

    def _cancel(self, job: str | None) -> None:
        with self._lock:
            if self._current is not None and job in (None, self._current[0]):
                self._current[1].cancel()
            elif job is not None:
                self._cancelled.add(job)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handles the first signal; further ones do not disturb the tidying."""
        if not self._heard.is_set():
            self._heard.set()
            # no lock: the main thread may hold it
            current = self._current
            if current is not None:
                current[1].cancel()
            raise KeyboardInterrupt

    def close(self) -> None:
        """Nothing is heard any more."""
        self._heard.set()


@contextmanager
def heard_orders() -> Iterator[Orders]:
    """Hear standard input and signals in this block; jobs read from nothing. To be entered in the main thread."""
    orders = Orders()
    before = {number: signal.signal(number, orders.interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    if os.environ.pop(CONTROL_VARIABLE, "") == "stdin":
        lead_own_session()
    control = os.fdopen(os.dup(0), "r", encoding="utf-8", errors="replace")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=orders.read, args=(control,), name="medusis-orders", daemon=True).start()
    try:
        yield orders
    finally:
        orders.close()
        for number, handler in before.items():
            signal.signal(number, handler)
