"""The button "DICOM": writes the chosen result as derived DICOM objects."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.signal import Signal


class DicomExportButton:
    """Asks for a folder, finds the CT's series in Slicer's DICOM database (or asks for its folder), and exports.

    Parameters
    ----------
    ui : widgets of the panel
    background : BackgroundJobs
    dialogs : Dialogs
    nodes : callable
        Without arguments: the chosen result (``SynthesisNodes``) or None.

    Attributes
    ----------
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    """

    def __init__(self, ui, background, dialogs, nodes) -> None:
        self._ui = ui
        self._background = background
        self._dialogs = dialogs
        self._nodes = nodes
        self._export = None
        self._allowed = False
        self.failed = Signal()
        self._menu = qt.QMenu(ui.dicomButton)
        for text, options in (
            (_("DICOM series..."), {}),
            (_("DICOM series without the patient's name..."), {"deidentify": True}),
            (_("One multi-frame file (Enhanced MR)..."), {"enhanced": True}),
        ):
            self._menu.addAction(text).connect("triggered()", lambda options=options: self.start(options))
        ui.dicomButton.setMenu(self._menu)

    def refresh(self, allowed: bool) -> None:
        """Show whether there is a result that can be exported."""
        self._allowed = allowed
        running = self._export is not None and self._export.running
        self._ui.dicomButton.enabled = allowed and not running
        self._ui.dicomButton.text = _("Writing DICOM...") if running else _("DICOM...")

    def start(self, options) -> None:
        """Ask where to, and export in the background."""
        nodes = self._nodes()
        if nodes is None:
            return
        from MedUSISLib.mrml.dicom_export import FOLDER_NAME, DicomExport, ct_series

        source = ct_series(nodes, getattr(slicer, "dicomDatabase", None))
        if source is None:
            folder = self._dialogs.folder(_("The CT is not in Slicer's DICOM database: folder of its DICOM series"))
            if folder is None:
                return
            source = (folder, None)
        parent = self._dialogs.folder(_("Folder for the DICOM files"))
        if parent is None:
            return
        if self._export is None:
            self._export = DicomExport(self._background.export_dicom)
        if self._export.running:
            self.failed(MedUSISError(ErrorCode.BAD_SETTING, _("a DICOM export is running"), _("wait for it")))
            return
        out = parent / FOLDER_NAME
        with slicer.util.WaitCursor():
            self._export.start(nodes, source, out, options, lambda summary: self._done(summary, out), self._failed)
        self.refresh(self._allowed)

    def close(self) -> None:
        """The panel goes away."""
        if self._export is not None:
            self._export.close()

    def _done(self, summary, out) -> None:
        self.refresh(self._allowed)
        text = _("{count} DICOM files were written, marked as synthetic. Open their folder?")
        if self._dialogs.yes_no(text.format(count=summary.get("files", "?"))):
            self._dialogs.open_outside(out)

    def _failed(self, failure) -> None:
        self.refresh(self._allowed)
        self.failed(failure)
