"""The batches: which there are, how the chosen one stands - polled while it can be seen -, and what is done with it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.batch_logic import holds_batch
from MedUSISLib.mrml.batch_standing import batch_warnings, counts_text, standing
from MedUSISLib.mrml.batch_view import BatchCounts, BatchView
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.signal import Signal

from .action_buttons import ActionButtons
from .batch_table import BatchTable
from .combo_box import ValueComboBox
from .polling import Polling
from .rich_text import SQUARE, colored, escaped, marked, sentence
from .wording import time_left_text

_STEPS = 1000
_OPENED_KEY = "MedUSIS/Batch/Opened"
_MOST_OPENED = 20


class BatchRuns:
    """Shows one batch and does what its buttons say.

    Nothing is kept here that the folder of the batch and the background runs do not know themselves: after a restart
    of Slicer the window shows the same.

    Parameters
    ----------
    ui : widgets of Batch.ui
    batches : MedUSISLib.mrml.batch_list.BatchList
    dialogs : Dialogs

    Attributes
    ----------
    load_asked : Signal
        With the folder and the ``CaseLine`` to be brought into the scene.
    failed : Signal
        With a ``MedUSISError``.
    """

    def __init__(self, ui, batches, dialogs) -> None:
        self._ui = ui
        self._batches = batches
        self._dialogs = dialogs
        self._chosen: Path | None = None
        self._view: BatchView | None = None
        self._look = None
        self._broken: Path | None = None
        self.load_asked = Signal()
        self.failed = Signal()
        self._choice = ValueComboBox(ui.batchChoiceComboBox)
        self._choice.chosen.connect(lambda value: self.choose(Path(value)))
        self.table = BatchTable(ui.batchCasesTable, ui.batchFilterComboBox)
        self.table.selected.connect(self._show_case)
        ui.batchProgressBar.minimum = 0
        ui.batchProgressBar.maximum = _STEPS
        self._polling = Polling(self.look)
        buttons = {
            "pause": ui.batchPauseButton,
            "go on": ui.batchGoOnButton,
            "stop": ui.batchStopButton,
            "retry": ui.batchRetryButton,
        }
        self._buttons = ActionButtons(buttons, self._do)
        ui.batchOpenButton.connect("clicked(bool)", self._on_open)
        ui.batchRemoveButton.connect("clicked(bool)", self._on_remove)
        ui.batchSummaryButton.connect("clicked(bool)", lambda _checked=False: self._open_outside("summary.html"))
        ui.batchProblemsButton.connect("clicked(bool)", lambda _checked=False: self._open_outside("problems.csv"))
        ui.batchResultsButton.connect("clicked(bool)", lambda _checked=False: self._open_outside(""))
        ui.batchReportButton.connect("clicked(bool)", self._on_report)
        ui.batchLoadButton.connect("clicked(bool)", self._on_load)
        for line in reversed(str(slicer.app.userSettings().value(_OPENED_KEY, "") or "").splitlines()):
            batches.open(Path(line))
        self._show()

    @property
    def folder(self) -> Path | None:
        """Of the batch that is shown."""
        return self._chosen

    @property
    def seen(self):
        """What the last look has seen (``BatchSeen``), None without one."""
        return self._look

    @property
    def polling(self) -> bool:
        """Whether the batch is being looked at."""
        return self._polling.active

    def set_seen(self, seen: bool) -> None:
        """Poll only while it can be seen."""
        self._polling.set_seen(seen)

    def close(self) -> None:
        """Let the manifest go."""
        self.set_seen(False)
        self._let_go()

    def choose(self, folder: Path) -> None:
        """Show the batch in this folder."""
        self._chosen = folder
        self._broken = None
        self.look(everything=True)

    def open(self, folder: Path) -> None:
        """Add a batch that was made elsewhere, and show it."""
        self._batches.open(folder)
        self._remember()
        self.choose(self._batches.opened[0])

    def look(self, everything: bool = False) -> None:
        """See how the batches stand now."""
        try:
            entries = self._batches.refresh(everything)
        except MedUSISError as error:
            self._polling.stop()
            self.failed(error)
            return
        folders = [entry.folder for entry in entries]
        if self._chosen not in folders:
            going = next((entry for entry in entries if entry.run is not None and entry.run.working), None)
            self._chosen = going.folder if going is not None else (folders[0] if folders else None)
        titles = [(str(entry.folder), _title(entry, entries)) for entry in entries]
        self._choice.fill(titles, str(self._chosen) if self._chosen is not None else None)
        self._see()
        self._show()

    def _see(self) -> None:
        """Look at the cases; a folder whose manifest is not there yet, or damaged, has none."""
        if self._view is not None and (self._view.folder != self._chosen or not self._view.is_there):
            self._let_go()
        if self._chosen is None or self._broken == self._chosen:
            return
        try:
            if self._view is None:
                if not holds_batch(self._chosen):
                    return
                self._view = BatchView(self._chosen)
            self._look = self._view.look()
            self.table.show(self._look)
        except MedUSISError as error:
            self._broken = self._chosen  # said once, not every second
            self._let_go()
            self.failed(error)

    def _let_go(self) -> None:
        view, self._view, self._look = self._view, None, None
        if view is not None:
            with suppress(MedUSISError):
                view.close()
        self.table.clear()

    def _show(self) -> None:
        there = self._chosen is not None
        ui = self._ui
        ui.batchFrame.visible = there
        ui.noBatchesLabel.visible = not there
        ui.batchChoiceComboBox.enabled = there
        ui.batchRemoveButton.enabled = False
        if not there:
            return
        counts = self._look.counts if self._look is not None else BatchCounts()
        run = self._batches.entry(self._chosen).run
        found = standing(counts, run, self._is_worked_on(), self._look is not None)
        state = colored(found.level, f"{SQUARE} <b>{escaped(found.title)}</b>")
        notes = (marked("look", sentence(text)) for text in batch_warnings(run))
        ui.batchStateLabel.text = "<br>".join((state, sentence(found.sentence), *notes))
        ui.batchProgressBar.value = round(_STEPS * counts.fraction)
        ui.batchCountsLabel.text = _progress_text(counts, run)
        ui.batchCountsLabel.visible = bool(ui.batchCountsLabel.text)
        self._buttons.enable(found.actions)
        ui.batchRemoveButton.enabled = run is None or "remove" in run.actions
        seen = self._look is not None
        for widget in (ui.batchProgressBar, ui.batchFilterComboBox, ui.batchCasesTable):
            widget.visible = seen
        ui.batchSummaryButton.enabled = (self._chosen / "summary.html").is_file()
        ui.batchProblemsButton.enabled = (self._chosen / "problems.csv").is_file()
        ui.batchResultsButton.enabled = self._chosen.is_dir()
        self._show_case()

    def _show_case(self) -> None:
        line = self.table.chosen
        self._ui.batchCaseFrame.visible = line is not None
        if line is None:
            return
        parts = [f"<b>{escaped(_('Case {number}').format(number=line.number))}</b> {escaped(line.key)}"]
        if line.message:
            level = "worry" if line.state == "failed" else "look"
            parts.append(marked(level, sentence(line.message)))
        if line.hint and not line.has_result:
            parts.append(_("What to do: {hint}").format(hint=sentence(line.hint)))
        if line.review and line.has_result:
            parts.append(marked("look", _("This one should be looked at: its report says why.")))
        self._ui.batchCaseLabel.text = "<br>".join(parts)
        self._ui.batchLoadButton.enabled = line.has_result
        self._ui.batchReportButton.enabled = line.has_result

    def _is_worked_on(self) -> bool:
        from MedUSISLib.batch.folder import is_running

        return self._chosen is not None and is_running(self._chosen)

    def _do(self, action: str) -> None:
        if self._chosen is None:
            return
        try:
            getattr(self._batches, action.replace(" ", "_"))(self._chosen)
        except KeyError:
            pass  # somebody has removed the run since the last look
        except MedUSISError as error:
            self.failed(error)
        self.look(everything=True)

    def _on_open(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Folder that a batch was written into"))
        if folder is None:
            return
        if holds_batch(folder):
            self.open(folder)
        else:
            self.failed(
                MedUSISError(
                    ErrorCode.BAD_SETTING,
                    _("this folder holds no batch"),
                    _("choose the folder with 'manifest.sqlite' and 'cases' in it"),
                )
            )

    def _on_remove(self, _checked: bool = False) -> None:
        folder = self._chosen
        if folder is None or not self._dialogs.confirm(
            _("Take '{name}' from this list? Its results stay where they are.").format(name=folder.name)
        ):
            return
        try:
            self._batches.remove(folder)
        except MedUSISError as error:
            self.failed(error)
        self._remember()
        self._chosen = None
        self.look(everything=True)

    def _remember(self) -> None:
        """Folders may name patients: they are kept for this user on this computer, never in a scene."""
        kept = "\n".join(str(folder) for folder in self._batches.opened[:_MOST_OPENED])
        slicer.app.userSettings().setValue(_OPENED_KEY, kept)

    def _open_outside(self, name: str) -> None:
        if self._chosen is not None:
            self._dialogs.open_outside(self._chosen / name)

    def _on_report(self, _checked: bool = False) -> None:
        from MedUSISLib.mrml.batch_case import report_of

        line = self.table.chosen
        report = report_of(self._chosen, line.number) if line is not None else None
        if report is not None:
            self._dialogs.open_outside(report)

    def _on_load(self, _checked: bool = False) -> None:
        line = self.table.chosen
        if line is not None and self._chosen is not None:
            self.load_asked(self._chosen, line)


def _progress_text(counts, run) -> str:
    """How many cases are done; while a run works also the time left, or what it does beside them."""
    parts = [counts_text(counts)] if counts.total else []
    if run is not None and run.working:
        stage = run.status.stage
        parts.append(time_left_text(run.eta_s) if stage == "synthesizing" else stage_title(stage, "batch"))
    return ", ".join(filter(None, parts))


def _title(entry, entries) -> str:
    """The folder's name; with the one above it where two are called the same."""
    same = [other for other in entries if other.title == entry.title]
    name = entry.title if len(same) == 1 else f"{entry.folder.parent.name} / {entry.title}"
    return f"{name} ({entry.run.title})" if entry.run is not None else name
