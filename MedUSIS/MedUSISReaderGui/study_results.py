"""The page "Results": answers back into the study, how far the readers are, the analysis and its report."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.private_folder import PrivateFolder
from MedUSISLib.signal import Signal

from . import study_texts

REPORT_NAME = "report.html"
_WIDTH = 340


class StudyResultsSection:
    """Merging is quick and done at once; the analysis is a job.

    Parameters
    ----------
    ui : widgets of the panel
    jobs : MedUSISLib.mrml.study_jobs.StudyJobs
    dialogs : Dialogs

    Attributes
    ----------
    failed : Signal
        With an error or a failure.
    """

    def __init__(self, ui, jobs, dialogs) -> None:
        self._ui = ui
        self._jobs = jobs
        self._dialogs = dialogs
        self.failed = Signal()
        self.files: list[Path] = []
        self._ready = False
        self._private: PrivateFolder | None = None
        ui.readersTable.setHorizontalHeaderLabels([_("Reader"), _("Answered"), _("Corrected"), _("Closing form")])
        ui.readersTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        ui.readersTable.verticalHeader().hide()
        ui.resultsStudyEdit.connect("textChanged(QString)", lambda _text: self._on_study())
        ui.resultsStudyButton.connect("clicked(bool)", self._on_choose_study)
        ui.addAnswersButton.connect("clicked(bool)", self._on_add)
        ui.mergeButton.connect("clicked(bool)", self._on_merge)
        ui.analyseButton.connect("clicked(bool)", self._on_analyse)
        ui.reportButton.connect("clicked(bool)", self._on_report)

    @property
    def study(self) -> Path | None:
        """The folder with the key."""
        text = self._ui.resultsStudyEdit.text.strip()
        return Path(text).expanduser() if text else None

    @property
    def out(self) -> Path | None:
        """Where the results go: beside the study, never into what is checked for leaks."""
        return self.study.with_name(f"{self.study.name}-results") if self.study is not None else None

    def set_study(self, folder: Path) -> None:
        """Look at this study."""
        self._ui.resultsStudyEdit.text = str(folder)

    def refresh(self, ready: bool) -> None:
        """``ready``: the packages are there and no job runs."""
        self._ready = ready
        study = self.study
        is_study = study is not None and (study / "key.json").is_file()
        self._ui.addAnswersButton.enabled = ready and is_study
        self._ui.mergeButton.enabled = ready and is_study and bool(self.files)
        self._ui.analyseButton.enabled = ready and is_study and (study / "answers.sqlite").is_file()
        self._ui.reportButton.enabled = is_study and (self.out / REPORT_NAME).is_file()

    def add_files(self, files) -> None:
        """Answers that came back."""
        self.files += [Path(file) for file in files if Path(file) not in self.files]
        names = ", ".join(file.name for file in self.files)
        self._ui.answerFilesLabel.text = _("<b>Answers</b>: {names}").format(names=study_texts.escaped(names))
        self.refresh(self._ready)

    def _on_study(self) -> None:
        self.files = []
        self._ui.answerFilesLabel.text = _("<b>Answers</b>")
        self._ui.readersTable.setRowCount(0)
        self._ui.resultsText.clear()
        self.refresh(self._ready)

    def _on_choose_study(self, _checked: bool = False) -> None:
        path = self._dialogs.folder(_("The study's folder, with its key"))
        if path is not None:
            self.set_study(path)

    def _on_add(self, _checked: bool = False) -> None:
        self.add_files(self._dialogs.open_files(_("Answers of readers"), _("Answers (*.sqlite)")))

    def _on_merge(self, _checked: bool = False) -> None:
        from MedUSISLib.study.answers import ANSWERS_NAME
        from MedUSISLib.study.merging import merge_answers

        try:
            merged = merge_answers(self.study, self.files, self.study / ANSWERS_NAME)
        except MedUSISError as error:
            self.failed(error)
            return
        table = self._ui.readersTable
        table.setRowCount(len(merged.readers))
        for row, state in enumerate(merged.readers):
            answered = _("{done} of {all}").format(done=state.answered, all=state.expected)
            texts = (state.reader, answered, str(state.corrections), _("yes") if state.closed else _("no"))
            for column, text in enumerate(texts):
                table.setItem(row, column, qt.QTableWidgetItem(text))
        self._ui.resultsText.setHtml(study_texts.merged(merged))
        self.refresh(self._ready)

    def _on_analyse(self, _checked: bool = False) -> None:
        self._ui.resultsText.clear()
        try:
            self._jobs.start(
                "analyse-study", {"study": str(self.study), "out": str(self.out)}, self._show_results, self.failed
            )
        except MedUSISError as error:
            self.failed(error)

    def _show_results(self, summary) -> None:
        self._ui.resultsText.setHtml(study_texts.analysed(summary, self._pictures()))
        self.refresh(self._ready)

    def _pictures(self) -> list[Path]:
        """The figures in the size of the page: a text browser would shrink them coarsely."""
        self.close()
        self._private = PrivateFolder()
        made = []
        for name in study_texts.FIGURES:
            image = qt.QImage(str(self.out / "figures" / f"{name}.png"))
            if not image.isNull():
                target = self._private.path / f"{name}.png"
                image.scaledToWidth(_WIDTH, qt.Qt.SmoothTransformation).save(str(target))
                made.append(target)
        return made

    def close(self) -> None:
        """The module goes away."""
        if self._private is not None:
            self._private.close()
            self._private = None

    def _on_report(self, _checked: bool = False) -> None:
        self._dialogs.open_outside(self.out / REPORT_NAME)
