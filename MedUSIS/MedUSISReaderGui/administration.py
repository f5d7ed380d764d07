"""The administrator's pages: shown behind their switch, and one job at a time for both of them."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .new_study import NewStudySection
from .study_results import StudyResultsSection


class Administration:
    """Makes the pages "New study" and "Results", and shows how far their job is.

    Parameters
    ----------
    ui : widgets of the panel
    jobs : MedUSISLib.mrml.study_jobs.StudyJobs
    dialogs : Dialogs
    open_room : callable
        ``open_room(opened, answers)`` shows trials in the reading room.

    Attributes
    ----------
    failed : Signal
        With an error or a failure.
    """

    def __init__(self, ui, jobs, dialogs, open_room) -> None:
        self._ui = ui
        self._jobs = jobs
        self.failed = Signal()
        self._shown = self._packages = False
        self.new_study = NewStudySection(ui, jobs, dialogs, open_room)
        self.results = StudyResultsSection(ui, jobs, dialogs)
        for part in (self.new_study, self.results):
            part.failed.connect(self.failed)
        self.new_study.made.connect(self.results.set_study)
        jobs.changed.connect(self._on_job)
        jobs.staged.connect(self._on_stage)
        jobs.progressed.connect(self._on_progress)
        ui.jobCancelButton.connect("clicked(bool)", lambda _on=False: jobs.cancel())

    def refresh(self, shown: bool, packages: bool) -> None:
        """Show the pages or not; ``packages``: what they need is installed."""
        self._shown, self._packages = shown, packages
        self._ui.newStudyCollapsibleButton.visible = shown
        self._ui.resultsCollapsibleButton.visible = shown
        self._on_job()

    def close(self) -> None:
        """The module goes away."""
        self.new_study.close()
        self.results.close()

    def _on_job(self) -> None:
        running = bool(self._jobs.kind)
        self._ui.jobFrame.visible = self._shown and running
        if not running:
            self._ui.jobLabel.text = ""
            self._ui.jobProgressBar.setValue(0)
        ready = self._packages and not running
        self.new_study.refresh(ready)
        self.results.refresh(ready)

    def _on_stage(self, title: str) -> None:
        self._ui.jobLabel.text = _("{stage} ...").format(stage=title)
        self._ui.jobProgressBar.setValue(0)

    def _on_progress(self, done: int, total: int, _eta) -> None:
        self._ui.jobProgressBar.setValue(round(1000 * done / total) if total else 0)
