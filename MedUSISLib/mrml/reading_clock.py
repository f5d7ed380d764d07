"""Time that a reader spent on a trial, without breaks."""

from __future__ import annotations

import time
from collections.abc import Callable


class ReadingClock:
    """A stopwatch that can be held.

    Parameters
    ----------
    now : callable
        Seconds that never go back.

    Examples
    --------
    >>> ticks = iter([10.0, 13.0, 100.0, 101.5])
    >>> clock = ReadingClock(lambda: next(ticks))
    >>> clock.restart(); clock.hold(); clock.go_on(); clock.seconds
    4.5
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._spent = 0.0
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Time spent since ``restart``."""
        return self._spent + (self._now() - self._since if self._since is not None else 0.0)

    def restart(self) -> None:
        """From zero, running."""
        self._spent, self._since = 0.0, self._now()

    def hold(self) -> None:
        """Stand still; again does nothing."""
        self._spent, self._since = self.seconds, None

    def go_on(self) -> None:
        """Run again; while running does nothing."""
        if self._since is None:
            self._since = self._now()
