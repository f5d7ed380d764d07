"""The list of background runs, polled while it can be seen, and what can be done with each."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .action_buttons import ActionButtons
from .polling import Polling
from .wording import time_left_text

_ROW_HEIGHT = 22
_ROWS_SHOWN = 6


class RunsTable:
    """Shows the runs and does what the buttons say.

    Nothing is kept here that the runs do not know themselves: after a restart of Slicer the list is the same.

    Parameters
    ----------
    ui : widgets of FineTune.ui
    runs : MedUSISLib.mrml.fine_tune_runs.RunList
    dialogs : Dialogs

    Attributes
    ----------
    looked : Signal
        Without arguments, after each look: another run is chosen, or something may have changed.
    failed : Signal
        With a ``MedUSISError``.
    """

    def __init__(self, ui, runs, dialogs) -> None:
        self._ui = ui
        self._runs = runs
        self._dialogs = dialogs
        self._lines: list = []
        self._chosen = ""
        self._silent = False
        self.looked = Signal()
        self.failed = Signal()
        self._polling = Polling(self.look)
        header = ui.runsTable.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        ui.runsTable.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
        ui.runsTable.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        ui.runsTable.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        ui.runsTable.connect("itemSelectionChanged()", self._on_selection)
        buttons = {
            "pause": ui.runPauseButton,
            "resume": ui.runResumeButton,
            "finish": ui.runFinishButton,
            "stop": ui.runStopButton,
            "remove": ui.runRemoveButton,
        }
        self._buttons = ActionButtons(buttons, self._do)
        ui.runPicturesButton.connect("clicked(bool)", self._on_pictures)
        self._show([])

    @property
    def line(self):
        """The chosen run (``RunLine``), None without one."""
        return next((line for line in self._lines if line.id == self._chosen), None)

    @property
    def polling(self) -> bool:
        """Whether the runs are being looked at."""
        return self._polling.active

    def set_seen(self, seen: bool) -> None:
        """Poll only while the list can be seen."""
        self._polling.set_seen(seen)

    def choose(self, identifier: str) -> None:
        """Show this run."""
        self._chosen = identifier
        self.look(everything=True)

    def look(self, everything: bool = False) -> None:
        """See how the runs stand now."""
        try:
            lines = self._runs.refresh(everything)
        except MedUSISError as error:
            self._polling.stop()
            self.failed(error)
            return
        self._show(lines)
        self.looked()

    def ahead_of(self, identifier: str) -> list[str]:
        """Names of the runs that come before this one."""
        mine = next((line for line in self._lines if line.id == identifier), None)
        if mine is None or mine.state != "queued":
            return []
        position = mine.status.position_in_queue or 1
        found = []
        for line in self._lines:
            waits_before = line.state == "queued" and (line.status.position_in_queue or 1) < position
            if line.id != identifier and (line.working or waits_before):
                found.append(line.name)
        return found

    def _show(self, lines) -> None:
        table = self._ui.runsTable
        self._lines = lines
        if self.line is None:
            going = next((line for line in lines if line.working), None)
            chosen = going or (lines[0] if lines else None)
            self._chosen = chosen.id if chosen is not None else ""
        self._silent = True
        try:
            if table.rowCount != len(lines):
                table.setRowCount(len(lines))
            for number, line in enumerate(lines):
                for column, text in enumerate(_texts(line)):
                    item = table.item(number, column)
                    if item is None:
                        item = qt.QTableWidgetItem(text)
                        table.setItem(number, column, item)
                    elif item.text() != text:
                        item.setText(text)
                if line.id == self._chosen and not table.item(number, 0).isSelected():
                    table.selectRow(number)
        finally:
            self._silent = False
        table.visible = bool(lines)
        table.setFixedHeight((min(len(lines), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 8)
        self._ui.noRunsLabel.visible = not lines
        actions = self.line.actions if self.line is not None else frozenset()
        self._buttons.set_visible(bool(lines))
        self._buttons.enable(actions)
        self._ui.runPicturesButton.visible = bool(lines)
        self._ui.runPicturesButton.enabled = self.line is not None and self.line.status.newest_sample is not None

    def _on_selection(self) -> None:
        if self._silent:
            return
        rows = [index.row() for index in self._ui.runsTable.selectionModel().selectedRows()]
        if rows and rows[0] < len(self._lines):
            self._chosen = self._lines[rows[0]].id
            self._show(self._lines)
            self.looked()

    def _do(self, action: str) -> None:
        if self.line is None:
            return
        if action == "remove":
            self._remove(self.line)
            return
        try:
            getattr(self._runs.run(self.line.id), action)()
        except MedUSISError as error:
            self.failed(error)
        self.look(everything=True)

    def _remove(self, line) -> None:
        if not self._dialogs.confirm(
            _("Take '{name}' from the list? It cannot be resumed then.").format(name=line.name)
        ):
            return
        files = self._dialogs.yes_no(
            _(
                "Delete its files, too: checkpoints, pictures of patients, its generator in the working folder, and "
                "prepared data that no other run uses? A generator that you have installed stays."
            )
        )
        try:
            self._runs.run(line.id).remove(files)
        except MedUSISError as error:
            self.failed(error)
        self.look(everything=True)

    def _on_pictures(self, _checked: bool = False) -> None:
        if self.line is not None and self.line.status.newest_sample is not None:
            self._dialogs.open_outside(self.line.status.newest_sample.parent)


def _texts(line) -> tuple[str, str, str, str]:
    progress = "" if line.fraction is None else f"{100 * line.fraction:.0f} %"
    return line.name, line.title, progress, time_left_text(line.eta_s).removesuffix(_(" left")).strip()
