"""How long a run will still take, from the steps of the last minutes."""

from __future__ import annotations

from collections import deque

WINDOW_S = 300.0


class TimeLeft:
    """Watches the steps of a job.

    The rate is that of the last five minutes, validations included: a resumed training begins in the middle, and one
    that enters its adversarial phase becomes slower.

    Examples
    --------
    >>> left = TimeLeft()
    >>> left.after(500, 1000, at_s=0), left.after(510, 1000, at_s=20)
    (None, 980.0)
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._total = 0

    def after(self, done: int, total: int, at_s: float) -> float | None:
        """Seconds left when ``done`` of ``total`` are finished at this moment; None until a rate is known."""
        if total != self._total or (self._seen and done < self._seen[-1][1]):
            self._seen.clear()
            self._total = total
        self._seen.append((at_s, done))
        while len(self._seen) > 2 and self._seen[1][0] < at_s - WINDOW_S:
            self._seen.popleft()
        (began, first), (last, _) = self._seen[0], self._seen[-1]
        if done <= first or last <= began:
            return None
        return max(0, total - done) * (last - began) / (done - first)
