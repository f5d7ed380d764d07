"""A call from the event loop that is dropped when the widget it is about has gone meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import qt


def call_later(widget, milliseconds: int, function: Callable[[], object]) -> None:
    """Call the function once, later, unless the widget is deleted before (a reload of the module, for instance)."""
    timer = qt.QTimer(widget)
    timer.setSingleShot(True)

    def fire() -> None:
        timer.deleteLater()
        function()

    timer.connect("timeout()", fire)
    timer.start(milliseconds)
