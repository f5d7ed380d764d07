"""Dialogs and the desktop: recorded, answered from a queue, never shown.

A test reads `messages.shown` and puts answers into `messages` beforehand; see slicer_harness/messages.py.
"""

from __future__ import annotations

from typing import Any

from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import QUrl

from slicer_harness.messages import messages

_Button = QtWidgets.QMessageBox.StandardButton


def install() -> None:
    """Nothing may wait for a person: `exec` of any dialog or menu is answered at once."""

    def answer(self: QtWidgets.QDialog, *_: Any) -> int:
        return int(messages.show("dialog", self.windowTitle, default=QtWidgets.QDialog.DialogCode.Rejected.value))

    def choose(self: QtWidgets.QMenu, *_: Any) -> Any:
        """A menu that was opened and waits: the queued answer is the text of the action that is chosen."""
        chosen = messages.show("menu", ", ".join(action.text for action in self.actions()), default="")
        action = next((action for action in self.actions() if chosen and action.text == chosen), None)
        if action is not None:
            action.trigger()
        return action

    QtWidgets.QDialog.exec = QtWidgets.QDialog.exec_ = answer
    QtWidgets.QMenu.exec = QtWidgets.QMenu.exec_ = choose


class MessageBox(QtWidgets.QMessageBox):
    """QMessageBox: `exec_()` and the static functions give the queued answer, else the default of testing mode."""

    def exec_(self) -> Any:
        buttons = self.standardButtons
        default = next((b for b in (_Button.Ok, _Button.Yes, _Button.Close) if buttons & b), _Button.Ok)
        return messages.show("messageBox", self.text, self.windowTitle, default, self.detailedText)

    exec = exec_

    @staticmethod
    def information(parent: Any, title: str, text: str, *_: Any) -> Any:
        return messages.show("information", text, title, _Button.Ok)

    @staticmethod
    def warning(parent: Any, title: str, text: str, *_: Any) -> Any:
        return messages.show("warning", text, title, _Button.Ok)

    @staticmethod
    def critical(parent: Any, title: str, text: str, *_: Any) -> Any:
        return messages.show("critical", text, title, _Button.Ok)

    @staticmethod
    def question(parent: Any, title: str, text: str, *_: Any) -> Any:
        return messages.show("question", text, title, _Button.Yes)


class FileDialog(QtWidgets.QFileDialog):
    """QFileDialog: the static functions return the queued path, or "" as if cancelled."""

    @staticmethod
    def getOpenFileName(parent: Any = None, caption: str = "", *_: Any) -> str:
        return str(messages.show("getOpenFileName", caption, default=""))

    @staticmethod
    def getOpenFileNames(parent: Any = None, caption: str = "", *_: Any) -> tuple[str, ...]:
        return tuple(str(path) for path in messages.show("getOpenFileNames", caption, default=()))

    @staticmethod
    def getSaveFileName(parent: Any = None, caption: str = "", *_: Any) -> str:
        return str(messages.show("getSaveFileName", caption, default=""))

    @staticmethod
    def getExistingDirectory(parent: Any = None, caption: str = "", *_: Any) -> str:
        return str(messages.show("getExistingDirectory", caption, default=""))


class InputDialog(QtWidgets.QInputDialog):
    """QInputDialog: the queued answer, or an empty text as if cancelled."""

    @staticmethod
    def getText(parent: Any, title: str, label: str, *_: Any) -> str:
        return str(messages.show("getText", label, title, default=""))

    @staticmethod
    def getItem(parent: Any, title: str, label: str, *_: Any) -> str:
        return str(messages.show("getItem", label, title, default=""))


class DesktopServices(QtGui.QDesktopServices):
    """QDesktopServices: opens nothing, writes down what would have been opened."""

    @staticmethod
    def openUrl(url: QUrl) -> bool:
        messages.show("openUrl", url.toString(), default=True)
        return True
