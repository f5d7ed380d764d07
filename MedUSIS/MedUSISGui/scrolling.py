"""Bringing a part of the panel into sight."""

from __future__ import annotations

from .call_later import call_later


def scroll_to(widget) -> None:
    """Scroll the module panel so that the widget is seen, once its size has been settled."""

    def scroll() -> None:
        area = widget.parentWidget()
        while area is not None and not hasattr(area, "ensureWidgetVisible"):
            area = area.parentWidget()
        if area is not None:
            area.ensureWidgetVisible(widget)

    call_later(widget, 50, scroll)
