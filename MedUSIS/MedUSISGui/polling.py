"""Looking at background runs again and again, as long as somebody can see them."""

from __future__ import annotations

import qt

_POLL_MS = 1000


class Polling:
    """Calls ``look(everything=True)`` when the user comes, then ``look()`` every second until he goes.

    Parameters
    ----------
    look : callable
        Looks at the runs; it may call ``stop``.
    """

    def __init__(self, look) -> None:
        self._look = look
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", lambda: look())

    @property
    def active(self) -> bool:
        """Whether the runs are being looked at."""
        return bool(self._timer.active)

    def set_seen(self, seen: bool) -> None:
        """Look only while they can be seen."""
        if not seen:
            self._timer.stop()
        elif not self._timer.active:
            self._timer.start()
            self._look(everything=True)

    def stop(self) -> None:
        """Nothing can be seen there: the same every second would be no help. The next ``set_seen`` tries again."""
        self._timer.stop()
