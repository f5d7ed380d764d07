"""Keys and clicks as a person makes them: through Qt, so that shortcuts, focus and the views' interactors take part."""

from __future__ import annotations

import warnings
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from slicer_harness import uncaught


def activate(window: QWidget) -> None:
    """Make the window the active one: keys and shortcuts go to no other."""
    if window.isActiveWindow:
        return
    window.activateWindow()
    QApplication.processEvents()
    if not window.isActiveWindow:  # "offscreen" has no window manager that would do it
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            QApplication.setActiveWindow(window)


def press(key: str, window: QWidget) -> None:
    """Press a key or a combination ("1", "Return", "Shift+Space") in the active window, where the focus is."""
    target = QApplication.focusWidget()
    if target is None or target.window() is not window:
        target = window
    combination = QKeySequence(key)[0]
    with uncaught.contained():
        QTest.keyClick(target, combination.key(), combination.keyboardModifiers())


def click(view: Any, x: float, y: float, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    """Move the mouse to a place of a view (parts of its width and height, from the upper left) and click."""
    place = QPoint(int(x * view.width), int(y * view.height))
    with uncaught.contained():
        QTest.mouseMove(view, place)
        view.mouse_moved(place.x(), place.y())
        QTest.mouseClick(view, button, Qt.KeyboardModifier.NoModifier, place)
