"""Sentences, marks and colours for labels with rich text."""

from __future__ import annotations

COLORS = {"ok": "#2e7d32", "look": "#b26a00", "worry": "#c62828", "unknown": "#707070"}
"""By level: nothing remarkable, look at it, something is wrong, nobody knows."""

SQUARE = "\N{BLACK SQUARE}"
_ARROW = "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"


def escaped(text: str) -> str:
    """Text that holds no mark-up."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def colored(level: str, text: str) -> str:
    """Mark-up in the colour of a level."""
    return f'<span style="color:{COLORS.get(level, COLORS["unknown"])}">{text}</span>'


def sentence(text: str) -> str:
    """With a capital and a full stop, without mark-up."""
    text = escaped(text.strip())
    text = text[:1].upper() + text[1:]
    return text if text[-1:] in ".!?:" else text + "."


def marked(level: str, text: str) -> str:
    """Mark-up with a mark in the colour of a level before it."""
    return f"{colored(level, _ARROW)} {text}"


def finding_line(finding) -> str:
    """A ``Finding``: red when it blocks, amber otherwise."""
    text = " ".join(sentence(part) for part in (finding.message, finding.hint) if part)
    return marked("worry" if finding.blocking else "look", text)
