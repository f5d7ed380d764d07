"""The page "New study": cases, protocol, making, leaks, preview, packages."""

from __future__ import annotations

from pathlib import Path

from MedUSISGui.combo_box import ValueComboBox
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.private_folder import PrivateFolder
from MedUSISLib.signal import Signal

from . import study_texts
from .case_list import CaseList

_FILE = "file"
_PLANES = ("axial", "coronal", "sagittal")


class NewStudySection:
    """Everything from the cases to the packages; each step can be repeated on a study that is there.

    Parameters
    ----------
    ui : widgets of the panel
    jobs : MedUSISLib.mrml.study_jobs.StudyJobs
    dialogs : Dialogs
    open_room : callable

    Attributes
    ----------
    failed : Signal
        With an error or a failure.
    made : Signal
        With the folder of a study that was made.
    """

    def __init__(self, ui, jobs, dialogs, open_room) -> None:
        self._ui = ui
        self._jobs = jobs
        self._dialogs = dialogs
        self._open_room = open_room
        self.failed, self.made = Signal(), Signal()
        self._ready = False
        self._private: PrivateFolder | None = None
        self.cases = CaseList(ui, dialogs)
        self.cases.failed.connect(self.failed)
        self.cases.changed.connect(self._show_state)
        self.kind = ValueComboBox(ui.kindComboBox)
        self.mode = ValueComboBox(ui.modeComboBox)
        self.plane = ValueComboBox(ui.planeComboBox)
        self.kind.fill(study_texts.kinds() + [(_FILE, _("Protocol file"))], "visual-turing")
        self.mode.fill([("volume", _("Whole volumes")), ("slice", _("Single slices"))], "volume")
        self.plane.fill([(plane, _(plane)) for plane in _PLANES], "axial")
        ui.studyIdEdit.text, ui.readersEdit.text = "study", "R1"
        self._connect()

    def _connect(self) -> None:
        ui = self._ui
        self.kind.chosen.connect(lambda _kind: self._show_state())
        for edit in (ui.protocolEdit, ui.studyFolderEdit, ui.studyIdEdit, ui.readersEdit):
            edit.connect("textChanged(QString)", lambda _text: self._show_state())
        ui.protocolButton.connect("clicked(bool)", self._on_choose_protocol)
        ui.studyFolderButton.connect("clicked(bool)", self._on_choose_folder)
        ui.newStudyButton.connect("clicked(bool)", self._on_make)
        ui.checkButton.connect("clicked(bool)", self._on_check)
        ui.previewButton.connect("clicked(bool)", self._on_preview)
        ui.buildPackagesButton.connect("clicked(bool)", self._on_package)

    @property
    def folder(self) -> Path | None:
        """Of the study, made or to be made."""
        text = self._ui.studyFolderEdit.text.strip()
        return Path(text).expanduser() if text else None

    def refresh(self, ready: bool) -> None:
        """``ready``: the packages are there and no job runs."""
        self._ready = ready
        self._show_state()

    def close(self) -> None:
        """The module goes away."""
        if self._private is not None:
            self._private.close()
            self._private = None

    def protocol(self):
        """The protocol as it was set.

        Raises
        ------
        MedUSISError
            BAD_SETTING naming the first rule that is broken.
        """
        from MedUSISLib.study.protocol import Protocol, load_protocol
        from MedUSISLib.study.usual_protocols import usual_protocol

        ui = self._ui
        if self.kind.value == _FILE:
            return load_protocol(Path(ui.protocolEdit.text.strip()))
        readers = [name.strip() for name in ui.readersEdit.text.split(",")]
        usual = usual_protocol(
            self.kind.value, ui.studyIdEdit.text.strip(), readers, ui.seedSpinBox.value, ui.repeatsSpinBox.value
        )
        display = {**usual.display.model_dump(), "mode": self.mode.value, "plane": self.plane.value}
        changes = {
            "display": display,
            "breaks_after": ui.breaksSpinBox.value,
            "training_feedback": ui.feedbackCheckBox.checked,
            "allow_back": ui.backCheckBox.checked,
        }
        try:
            return Protocol.model_validate({**usual.model_dump(), **changes})
        except ValueError as error:
            from MedUSISLib.study.versioned import first_reason

            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                _("the study cannot be planned like this ({reason})").format(reason=first_reason(error)),
                _("change the settings"),
            ) from None

    def _show_state(self) -> None:
        ui, usual = self._ui, self.kind.value != _FILE
        for part in (ui.protocolLabel, ui.protocolEdit, ui.protocolButton):
            part.visible = not usual
        for part in (
            *(ui.studyIdLabel, ui.studyIdEdit, ui.readersLabel, ui.readersEdit, ui.displayLabel, ui.modeComboBox),
            *(ui.planeComboBox, ui.repeatsLabel, ui.repeatsSpinBox, ui.breaksLabel, ui.breaksSpinBox, ui.seedLabel),
            *(ui.seedSpinBox, ui.feedbackCheckBox, ui.backCheckBox),
        ):
            part.visible = usual
        exists = self.folder is not None and (self.folder / "protocol.json").is_file()
        ui.newStudyButton.enabled = self._ready and bool(ui.casesTable.rowCount) and self.folder is not None
        for button in (ui.checkButton, ui.previewButton, ui.buildPackagesButton):
            button.enabled = self._ready and exists

    # Steps

    def _on_make(self, _checked: bool = False) -> None:
        from MedUSISLib.study.case_folders import write_cells
        from MedUSISLib.study.versioned import to_json

        folder = self.folder
        table = folder.with_name(f"{folder.name}-cases.csv")
        there = (folder / "key.json").exists()
        if there and not self._dialogs.confirm(
            _(
                "There is a study in this folder. Its key is replaced: its packages and answers can no longer be used. "
                "Merged answers are kept under another name. Go on?"
            )
        ):
            return
        try:
            protocol = self.protocol()
            write_cells(table, self.cases.cells)
            self.close()
            self._private = PrivateFolder()
            file = self._private.path / "protocol.json"
            file.write_text(to_json(protocol), encoding="utf-8")
        except (MedUSISError, OSError) as error:
            self._fail(error)
            return
        parameters = {"table": str(table), "protocol": str(file), "out": str(folder), "overwrite": there}

        def done(summary) -> None:
            self.close()
            self._ui.newStudyText.setHtml(study_texts.made(summary, table))
            self.made(folder)
            self._show_state()

        self._start("new-study", parameters, done)

    def _on_check(self, _checked: bool = False) -> None:
        self._start("check-study", {"study": str(self.folder)}, self._show_check)

    def _on_package(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Folder for the packages"))
        if folder is not None:
            parameters = {"study": str(self.folder), "folder": str(folder)}
            self._start("package-study", parameters, self._show_packages)

    def _on_preview(self, _checked: bool = False) -> None:
        from MedUSISLib.mrml.study_preview import open_preview

        try:
            opened = open_preview(self.folder)
        except (MedUSISError, OSError) as error:
            self._fail(error)
            return
        self._open_room(opened, _("This was a preview: nothing is stored."))

    def _start(self, kind: str, parameters, on_done) -> None:
        self._ui.newStudyText.clear()
        try:
            self._jobs.start(kind, parameters, on_done, self._fail)
        except MedUSISError as error:
            self._fail(error)

    def _fail(self, error) -> None:
        from MedUSISLib.jobs.failures import named_error

        self.failed(named_error(error) if isinstance(error, OSError) else error)
        self._show_state()

    def _show_check(self, summary) -> None:
        self._ui.newStudyText.setHtml(study_texts.checked(summary))

    def _show_packages(self, summary) -> None:
        self._ui.newStudyText.setHtml(study_texts.packed(summary))

    def _on_choose_protocol(self, _checked: bool = False) -> None:
        path = self._dialogs.open_file(_("Protocol"), _("Protocols (*.json)"))
        if path is not None:
            self._ui.protocolEdit.text = str(path)

    def _on_choose_folder(self, _checked: bool = False) -> None:
        path = self._dialogs.folder(_("Folder in which the study's folder is made, or a study"))
        if path is not None:
            is_study = (path / "protocol.json").is_file()
            self._ui.studyFolderEdit.text = str(path if is_study else path / (self._ui.studyIdEdit.text or "study"))
