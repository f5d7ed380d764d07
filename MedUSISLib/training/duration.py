"""How long something takes, as a person says it."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Minutes, hours or days.

    Examples
    --------
    >>> [duration_text(seconds) for seconds in (20, 600, 9000, 300_000)]
    ['a minute', '10 minutes', '2.5 hours', '3.5 days']
    """
    minutes = seconds / 60
    if minutes < 1.5:
        return "a minute"
    if minutes < 90:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
