"""Text to read, text to search for, message boxes, pictures of widgets."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QLineEdit, QTextBrowser, QWidget

from slicer_harness.ctk_widgets.stored_property import stored
from slicer_harness.pythonqt.dialogs import MessageBox


class ctkFittedTextBrowser(QTextBrowser):
    """A text browser that is as high as its text, with details that fold out."""

    collapsed = stored(bool, "collapsed", True, lambda self, _: self._show())
    collapsibleText = stored(str, "collapsibleText", "", lambda self, _: self._show())
    showDetailsText = stored(str, "showDetailsText", "Show details...")
    hideDetailsText = stored(str, "hideDetailsText", "Hide details.")

    def setCollapsibleText(self, text: str) -> None:
        self.collapsibleText = text

    def _show(self) -> None:
        first, _, _ = self.collapsibleText.partition("<a>more...</a>")
        self.setHtml(first if self.collapsed else self.collapsibleText)

    def sizeHint(self) -> QSize:
        document = self.document().clone()
        document.setTextWidth(max(self.viewport().width, 100))
        return QSize(200, int(document.size.height()) + 4)


class ctkSearchBox(QLineEdit):
    """A line edit with a magnifying glass and a button to clear it."""

    textChangedDelayed = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.textChanged.connect(self.textChangedDelayed)

    placeholderText = stored(str, "placeholderText", "Search...")
    showSearchIcon = stored(bool, "showSearchIcon", False)
    alwaysShowClearIcon = stored(bool, "alwaysShowClearIcon", False)


class ctkMessageBox(MessageBox):
    """A message box with "don't show again"."""

    dontShowAgain = stored(bool, "dontShowAgain", False)
    dontShowAgainVisible = stored(bool, "dontShowAgainVisible", False)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "")


class ctkWidgetsUtils:
    """Static helpers of CTK."""

    @staticmethod
    def grabWidget(widget: QWidget, rectangle: Any = None) -> QImage:
        pixmap: QPixmap = widget.grab() if rectangle is None else widget.grab(rectangle)
        return pixmap.toImage()
