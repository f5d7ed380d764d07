"""Files and folders to choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QToolButton, QWidget

from slicer_harness.ctk_widgets.stored_property import stored


class ctkPathLineEdit(QWidget):
    """A line for a path and a button to browse. Filters are bit flags as in CTK: `Files | Readable`."""

    Dirs, Files, Drives, NoSymLinks, Readable, Writable, Executable = 0x001, 0x002, 0x004, 0x008, 0x010, 0x020, 0x040
    Hidden, System, AllDirs = 0x100, 0x200, 0x400

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, QWidget)])
        self._edit, self._browse_button = QLineEdit(), QToolButton()
        self._browse_button.setText("...")
        self._browse_button.clicked.connect(self.browse)
        self._edit.textChanged.connect(self.currentPathChanged)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit)
        layout.addWidget(self._browse_button)

    def setCurrentPath(self, path: str) -> None:
        if isinstance(path, Path):  # PythonQt has no conversion for pathlib
            raise TypeError("ctkPathLineEdit takes a str, not a pathlib.Path")
        self._edit.setText(path)

    def browse(self) -> None:
        from slicer_harness.pythonqt.dialogs import FileDialog

        folder = self.filters & self.Dirs and not self.filters & self.Files
        chosen = FileDialog.getExistingDirectory(self) if folder else FileDialog.getOpenFileName(self)
        if chosen:
            self.setCurrentPath(chosen)

    def addCurrentPathToHistory(self) -> None:
        """The history is kept in the settings of Slicer; here there is none."""

    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath)
    filters = stored(int, "filters", 0x001 | 0x002)
    nameFilters = stored("QStringList", "nameFilters", [])
    settingKey = stored(str, "settingKey", "")
    label = stored(str, "label", "")
    showHistoryButton = stored(bool, "showHistoryButton", False)
    showBrowseButton = stored(bool, "showBrowseButton", True)


class ctkDirectoryButton(QPushButton):
    """A button that shows a folder and opens a dialog to choose another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    directory = stored(str, "directory", "", lambda self, path: (self.setText(path), self.directoryChanged.emit(path)))
    caption = stored(str, "caption", "")
