"""Dark colours and large letters: a reading room has little light, and readers sit at a distance from the screen."""

from __future__ import annotations

import qt

_COLORS = {
    "Window": "#101214",
    "WindowText": "#e4e6e8",
    "Base": "#1a1d20",
    "AlternateBase": "#22262a",
    "Text": "#e4e6e8",
    "Button": "#2b3036",
    "ButtonText": "#f2f4f6",
    "Highlight": "#2a6fb0",
    "HighlightedText": "#ffffff",
    "ToolTipBase": "#2b3036",
    "ToolTipText": "#e4e6e8",
    "Light": "#3a4149",
    "Midlight": "#333940",
    "Mid": "#22262a",
    "Dark": "#15181b",
}
_GREYED = "#6b737b"
CHOSEN = "#2a6fb0"
WORRY = "#ff8a80"
POINT_SIZE = 13


def darken(widget) -> None:
    """Dark colours for a widget and all in it."""
    palette = qt.QPalette(widget.palette)
    for role, color in _COLORS.items():
        palette.setColor(getattr(qt.QPalette, role), qt.QColor(color))
    for role in ("WindowText", "Text", "ButtonText"):
        palette.setColor(qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor(_GREYED))
    widget.setPalette(palette)
    widget.autoFillBackground = True


def set_size(widget, points: int, bold: bool = False) -> None:
    """Size of a widget's letters."""
    font = qt.QFont(widget.font)
    font.setPointSize(points)
    font.setBold(bold)
    widget.setFont(font)


def color(widget, role: str, value: str) -> None:
    """One colour of a widget: role as in QPalette."""
    palette = qt.QPalette(widget.palette)
    palette.setColor(getattr(qt.QPalette, role), qt.QColor(value))
    widget.setPalette(palette)


def show_chosen(button, chosen: bool) -> None:
    """A button that was chosen among others is blue."""
    button.checked = chosen
    color(button, "Button", CHOSEN if chosen else _COLORS["Button"])
