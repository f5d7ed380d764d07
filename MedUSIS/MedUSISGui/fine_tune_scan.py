"""The button "Scan": a job that reads the folders, its progress, and the dataset that it wrote."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .wording import time_left_text

_STEPS = 1000


class ScanControl:
    """Starts and cancels a scan, and reads ``dataset.json``.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    folders : TrainingFolders
    scan_dataset : callable
        ``BackgroundJobs.scan_dataset``.
    schema : callable
        Gives the id of the label schema that label maps are checked against.

    Attributes
    ----------
    view : DatasetView or None
        What the last scan found, with the edits since.
    changed : Signal
        Without arguments: there is another view.
    scanned : Signal
        Without arguments: a scan has ended well.
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    """

    def __init__(self, ui, folders, scan_dataset, schema) -> None:
        self._ui = ui
        self._folders = folders
        self._scan_dataset = scan_dataset
        self._schema = schema
        self._stamp: tuple | None = None
        self._cancel = None
        self.view = None
        self.changed = Signal()
        self.scanned = Signal()
        self.failed = Signal()
        ui.scanProgressBar.minimum = 0
        ui.scanProgressBar.maximum = _STEPS
        ui.scanButton.connect("clicked(bool)", lambda _checked=False: self.start())
        ui.scanCancelButton.connect("clicked(bool)", lambda _checked=False: self.cancel())
        self._show(False)

    @property
    def running(self) -> bool:
        """Whether a scan is going on."""
        return self._cancel is not None

    @property
    def folder(self) -> Path:
        """Where the scan writes."""
        return self._folders.working / "scan"

    def start(self) -> None:
        """Scan the folders; returns at once."""
        if self.running:
            return
        problem = self._folders.problem()
        if problem is not None:
            self.failed(problem)
            return
        parameters = {
            "folders": [str(folder) for folder in self._folders.folders],
            "out": str(self.folder),
            "label_schema": self._schema(),
        }
        self._cancel = lambda: None  # the job may end before it has said how to cancel it
        self._show(True)
        self._ui.scanStageLabel.text = _("Starting")
        self._ui.scanProgressBar.value = 0
        cancel = self._scan_dataset(parameters, self._on_done, self._on_error, self._on_progress, self._on_stage)
        if self.running:
            self._cancel = cancel

    def cancel(self) -> None:
        """End the scan; the last dataset stays as it was."""
        if self._cancel is not None:
            self._ui.scanCancelButton.enabled = False
            self._ui.scanStageLabel.text = _("Ending the scan")
            self._cancel()

    @property
    def is_of_these_folders(self) -> bool:
        """Whether the last scan was of the folders that are in the list now."""
        if self.view is None or not self._folders.folders:
            return True
        return set(self.view.roots) == {folder.resolve() for folder in self._folders.folders}

    def reload_if_changed(self) -> None:
        """Read the dataset again when somebody else has written it (a text editor, a scan in a terminal)."""
        if not self.running and self._stamp != self._file_stamp():
            self.reload()

    def reload(self) -> None:
        """Read the dataset in the working folder, if there is one."""
        from MedUSISLib.dataset.model import load_dataset
        from MedUSISLib.mrml.fine_tune_data import view_of

        self.view = None
        self._stamp = self._file_stamp()
        if self._stamp is not None:
            try:
                self.view = view_of(load_dataset(self.folder))
            except MedUSISError as error:
                self.failed(error)
        self.changed()

    def edit(self, change) -> None:
        """Change the dataset (``dataset.editing``), on the disk first."""
        from MedUSISLib.dataset.editing import edited
        from MedUSISLib.mrml.fine_tune_data import view_of

        try:
            self.view = view_of(edited(self.folder, change))
            self._stamp = self._file_stamp()
        except MedUSISError as error:
            self.failed(error)
        self.changed()

    def _file_stamp(self) -> tuple | None:
        from MedUSISLib.dataset.model import FILE_NAME

        try:
            found = (self.folder / FILE_NAME).stat()
        except OSError:
            return None
        return str(self.folder), found.st_mtime_ns, found.st_size

    def _on_stage(self, title: str) -> None:
        self._ui.scanStageLabel.text = title
        self._ui.scanProgressBar.value = 0

    def _on_progress(self, done: int, total: int, eta_s: float | None) -> None:
        self._ui.scanProgressBar.value = round(_STEPS * done / total) if total else 0
        left = time_left_text(eta_s)
        title = self._ui.scanStageLabel.text.partition(" (")[0]
        self._ui.scanStageLabel.text = f"{title} ({done} / {total}{', ' + left if left else ''})"

    def _on_done(self, _summary) -> None:
        self._end()
        self.scanned()
        self.reload()

    def _on_error(self, failure) -> None:
        self._end()
        self.changed()
        if failure.code != "CANCELLED":
            self.failed(failure)

    def _end(self) -> None:
        self._cancel = None
        self._show(False)

    def _show(self, running: bool) -> None:
        self._ui.scanButton.enabled = not running
        self._ui.scanCancelButton.enabled = running
        self._ui.scanCancelButton.visible = running
        self._ui.scanProgressFrame.visible = running
        self._folders.set_enabled(not running)
