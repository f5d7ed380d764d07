"""The screen that nobody sees: Qt's own is 800 pixels wide, and a window that needs more is no longer full-screen."""

from __future__ import annotations

import os
from pathlib import Path

_VARIABLE = "QT_QPA_PLATFORM"
_FILE = Path(__file__).with_name("screen.json")


def choose_screen() -> None:
    """Unless another platform is asked for: off the screen, 1024 pixels wide. Before anything of Qt is made."""
    if os.environ.get(_VARIABLE, "offscreen") == "offscreen":
        os.environ[_VARIABLE] = f"offscreen:configfile={_FILE}"
