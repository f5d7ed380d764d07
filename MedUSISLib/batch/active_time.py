"""How long a worker has really worked on each case, for the time-out of a case."""

from __future__ import annotations

import time

from MedUSISLib.errors import ErrorCode
from MedUSISLib.jobs.events import Failure


class ActiveTime:
    """Clocks of cases that run while a stage of theirs does, and stand while they wait for the next stage.

    Examples
    --------
    >>> clocks = ActiveTime()
    >>> clocks.begin(1, at_s=0.0); clocks.rest(1, at_s=2.0); clocks.begin(1, at_s=10.0)
    >>> clocks.over(2.5, at_s=11.0)
    [1]
    """

    def __init__(self) -> None:
        self._before: dict[int, float] = {}
        self._since: dict[int, float] = {}

    def begin(self, number: int, at_s: float | None = None) -> None:
        """A stage of the case begins."""
        self._since[number] = time.monotonic() if at_s is None else at_s

    def rest(self, number: int, at_s: float | None = None) -> None:
        """A stage is over."""
        began = self._since.pop(number, None)
        if began is not None:
            now = time.monotonic() if at_s is None else at_s
            self._before[number] = self._before.get(number, 0.0) + now - began

    def forget(self, number: int) -> None:
        """The case has ended."""
        self._before.pop(number, None)
        self._since.pop(number, None)

    def working(self, number: int) -> bool:
        """Whether a stage of the case runs."""
        return number in self._since

    def over(self, limit_s: float, at_s: float | None = None) -> list[int]:
        """Cases that are worked on, and have been for longer than the limit."""
        now = time.monotonic() if at_s is None else at_s
        return [n for n, began in self._since.items() if self._before.get(n, 0.0) + now - began > limit_s]


def did_nothing(seconds: float) -> Failure:
    """What is said of a case whose worker showed no sign of life (`stillness`)."""
    return Failure(
        ErrorCode.TIMED_OUT.value,
        f"its worker did nothing at all for {seconds:g} s",
        "the disk or the device may not answer; try again with --retry-failed",
    )


def too_long(limit_s: float) -> Failure:
    """What is said of a case that took longer."""
    return Failure(
        ErrorCode.TIMED_OUT.value,
        f"it took longer than the time-out of a case ({limit_s:g} s)",
        "give it more time with --case-timeout, if its size explains it",
    )
