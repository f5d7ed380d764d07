"""The few windows that open above the panel: choosing files and folders, and confirming a removal."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer


class Dialogs:
    """Asks the user; tests hand in one that answers by itself."""

    def confirm(self, text: str) -> bool:
        """Whether the user agrees."""
        return bool(slicer.util.confirmOkCancelDisplay(text))

    def accept_licence(self, text: str, licence_text: str) -> bool:
        """Whether the user accepts; the words of the licence can be unfolded."""
        detailed = {"detailedText": licence_text} if licence_text else {}
        # a message box takes text with angle brackets for a page, and it is the author of the generator who wrote it
        return bool(slicer.util.confirmOkCancelDisplay(text.replace("<", "\u2039"), **detailed))

    def yes_no(self, text: str) -> bool:
        """Whether the user says yes; no is no reason to stop."""
        return bool(slicer.util.confirmYesNoDisplay(text))

    def open_outside(self, path: Path) -> None:
        """A file or folder in the program that the system has for it."""
        qt.QDesktopServices.openUrl(qt.QUrl(path.absolute().as_uri()))

    def folder(self, title: str) -> Path | None:
        """A folder that exists, None when the user cancels."""
        return _path(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title))

    def open_file(self, title: str, kinds: str) -> Path | None:
        """A file that exists; ``kinds`` as in ``"Tables (*.csv)"``."""
        return _path(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kinds))

    def open_files(self, title: str, kinds: str) -> list[Path]:
        """Files that exist; none when the user cancels."""
        answer = qt.QFileDialog.getOpenFileNames(slicer.util.mainWindow(), title, "", kinds)
        return [Path(text) for text in (answer[0] if answer and isinstance(answer[0], (tuple, list)) else answer)]

    def save_file(self, title: str, name: str, kinds: str) -> Path | None:
        """Where to write a file."""
        return _path(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name, kinds))

    def save_scene(self) -> None:
        """Slicer's own Save window."""
        slicer.util.openSaveDataDialog()


def _path(answer) -> Path | None:
    text = answer[0] if isinstance(answer, (tuple, list)) else answer
    return Path(text) if text else None
