"""Which folders are scanned, and where a training may write: remembered by Slicer's settings, never by a scene."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.signal import Signal

_FOLDERS_KEY = "MedUSIS/Training/Folders"
_WORKING_KEY = "MedUSIS/Training/WorkingFolder"


class TrainingFolders:
    """The list of folders and the working folder.

    They name patients, perhaps, so they are kept in the settings of this user on this computer: a scene may be given
    away.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    dialogs : Dialogs

    Attributes
    ----------
    changed : Signal
        Without arguments.
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self.changed = Signal()
        self._folders = [Path(line) for line in _read(_FOLDERS_KEY).splitlines() if line]
        self._working = Path(_read(_WORKING_KEY)) if _read(_WORKING_KEY) else None
        ui.trainingFolderAddButton.connect("clicked(bool)", self._on_add)
        ui.trainingFolderRemoveButton.connect("clicked(bool)", self._on_remove)
        ui.trainingFoldersList.connect("itemSelectionChanged()", self._show_buttons)
        ui.workingFolderButton.connect("clicked(bool)", self._on_change_working)
        self._show()

    @property
    def folders(self) -> list[Path]:
        """Folders to scan."""
        return list(self._folders)

    @property
    def working(self) -> Path:
        """Where scan, cache and runs are written."""
        return self._working or default_working_folder()

    def problem(self) -> MedUSISError | None:
        """Why these folders cannot be scanned."""
        if not self._folders:
            return MedUSISError(
                ErrorCode.BAD_SETTING, _("there is no folder to scan"), _("add the folders that hold your images")
            )
        gone = next((folder for folder in self._folders if not folder.is_dir()), None)
        if gone is not None:
            return MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                _("one of the folders is not there any more"),
                _("remove it from the list, or connect its drive"),
                gone,
            )
        working = self.working.resolve()
        if any(working == folder.resolve() or folder.resolve() in working.parents for folder in self._folders):
            return MedUSISError(
                ErrorCode.BAD_SETTING,
                _("the working folder lies inside a folder that is scanned"),
                _("choose another working folder: its own files would be taken for data"),
            )
        return None

    def set_enabled(self, enabled: bool) -> None:
        """Nothing can be changed while a scan runs."""
        for widget in (self._ui.trainingFolderAddButton, self._ui.workingFolderButton, self._ui.trainingFoldersList):
            widget.enabled = enabled
        self._show_buttons()

    def add(self, folder: Path) -> None:
        """One more folder."""
        if folder not in self._folders:
            self._folders.append(folder)
            self._store()

    def set_working(self, folder: Path) -> None:
        """Another working folder."""
        self._working = folder
        self._store()

    def _on_add(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Folder with CTs, segmentations or MRs"))
        if folder is not None:
            self.add(folder)

    def _on_remove(self, _checked: bool = False) -> None:
        rows = {index.row() for index in self._ui.trainingFoldersList.selectionModel().selectedRows()}
        self._folders = [folder for number, folder in enumerate(self._folders) if number not in rows]
        self._store()

    def _on_change_working(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Working folder, with enough space, inside the hospital"))
        if folder is not None:
            self.set_working(folder)

    def _store(self) -> None:
        settings = slicer.app.userSettings()
        settings.setValue(_FOLDERS_KEY, "\n".join(str(folder) for folder in self._folders))
        settings.setValue(_WORKING_KEY, str(self._working or ""))
        self._show()
        self.changed()

    def _show(self) -> None:
        self._ui.trainingFoldersList.clear()
        for folder in self._folders:
            self._ui.trainingFoldersList.addItem(str(folder))
        self._ui.workingFolderEdit.text = str(self.working)
        self._show_buttons()

    def _show_buttons(self) -> None:
        chosen = self._ui.trainingFoldersList.selectionModel().selectedRows()
        self._ui.trainingFolderRemoveButton.enabled = bool(chosen) and self._ui.trainingFolderAddButton.enabled


def default_working_folder() -> Path:
    """In the user's folder for application data, beside the generators and the runs."""
    from MedUSISLib.runs.files import default_runs_folder

    return default_runs_folder().parent / "training"


def _read(key: str) -> str:
    return str(slicer.app.userSettings().value(key, "") or "")
