"""Numbers as a person says them."""

from __future__ import annotations

from slicer.i18n import tr as _


def bytes_text(count: float) -> str:
    """``"14 MB"``, ``"5.9 GB"``."""
    for unit, size, digits in (("GB", 1e9, 1), ("MB", 1e6, 0), ("kB", 1e3, 0)):
        if count >= size:
            return f"{count / size:.{digits}f} {unit}"
    return _("{count} bytes").format(count=int(count))


def time_left_text(seconds: float | None) -> str:
    """``"about 2 min left"``; empty when nobody knows."""
    if seconds is None or seconds < 0:
        return ""
    if seconds < 5:
        return _("a few seconds left")
    if seconds < 60:
        return _("about {count} s left").format(count=int(5 * round(seconds / 5)))
    if seconds < 5400:
        return _("about {count} min left").format(count=max(1, round(seconds / 60)))
    return _("about {count:.1f} h left").format(count=seconds / 3600)
