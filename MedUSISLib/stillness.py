"""Whether a job still does anything: it computes, reads, writes or speaks; one that hangs does nothing at all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

LIMIT_VARIABLE = "MEDUSIS_STUCK_S"
"""Seconds without a sign of life after which a job is ended; 0 for never."""

LIMIT_S = 900.0
_BUSY = 0.005
_BUSY_BYTES = 10_000.0


def limit_s() -> float | None:
    """The limit that holds here; None for none."""
    try:
        seconds = float(os.environ.get(LIMIT_VARIABLE, LIMIT_S))
    except ValueError:
        return LIMIT_S
    return seconds if seconds > 0 else None


def sample_s(limit: float) -> float:
    """How often to look."""
    return min(10.0, limit / 5)


class Stillness:
    """How long processes and all that they started have done nothing.

    Time counts in which the processor worked less than a two-hundredth for them, next to nothing was read or written,
    and nothing was said. A computer that slept, or a process that its user has stopped, does not count.

    Parameters
    ----------
    find : callable
        Gives the processes.
    clock : callable, optional
        Seconds that go on.
    spare : callable, optional
        Gives processor seconds and bytes of these processes that count for nothing: those of threads with other work.

    Examples
    --------
    >>> watched = Stillness(lambda: [psutil.Process()])
    >>> watched.look(expected_s=1.0) < 1.0
    True
    """

    def __init__(
        self,
        find: Callable[[], Iterable[psutil.Process]],
        clock: Callable[[], float] = time.monotonic,
        spare: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0),
    ) -> None:
        self._find = find
        self._spare = spare
        self._spared = (0.0, 0.0)
        self._clock = clock
        self._at = clock()
        self._seen: dict[int, tuple[float, float]] = {}
        self._said = True
        self._still_s = 0.0

    def hear(self) -> None:
        """It has said something."""
        self._said = True

    def look(self, expected_s: float) -> float:
        """Seconds of stillness until now; ``expected_s`` is the time since the last look, if nobody slept."""
        now = self._clock()
        passed, self._at = now - self._at, now
        worked, moved, stopped = self._work()
        said, self._said = self._said, False
        if said or worked > _BUSY * passed or moved > _BUSY_BYTES * passed:
            self._still_s = 0.0
        elif not stopped:
            self._still_s += min(passed, 2 * expected_s)
        return self._still_s

    def _work(self) -> tuple[float, float, bool]:
        """Processor seconds and bytes since the last look, and whether a user has stopped it."""
        seen: dict[int, tuple[float, float]] = {}
        stopped = True
        for process in self._family():
            with suppress(psutil.Error):
                times = process.cpu_times()
                seen[process.pid] = (times.user + times.system, bytes_moved(process))
                stopped = stopped and process.status() == psutil.STATUS_STOPPED
        worked = sum(time_ - self._seen.get(pid, (0.0, 0.0))[0] for pid, (time_, _) in seen.items())
        moved = sum(bytes_ - self._seen.get(pid, (0.0, 0.0))[1] for pid, (_, bytes_) in seen.items())
        self._seen = seen
        before, self._spared = self._spared, self._spare()
        spared_s, spared_bytes = (max(0.0, now - then) for now, then in zip(self._spared, before, strict=True))
        return worked - spared_s, moved - spared_bytes, stopped

    def _family(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in self._find():
            found.append(process)
            with suppress(psutil.Error):
                found += process.children(recursive=True)
        return found


def bytes_moved(process: psutil.Process) -> float:
    """What a process has read and written so far; 0 where nobody tells."""
    with suppress(psutil.Error, AttributeError):  # not on every system, and not of every process
        counters = process.io_counters()
        return float(
            getattr(counters, "read_chars", counters.read_bytes)
            + getattr(counters, "write_chars", counters.write_bytes)
        )
    return 0.0
