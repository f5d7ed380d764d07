"""The button "Look what is there": a job that reads the data and says which cases it holds, and what is wrong."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from MedUSISLib.mrml.batch_logic import found_text, parameters
from MedUSISLib.signal import Signal

from .rich_text import marked
from .wording import time_left_text

_STEPS = 1000
_ROW_HEIGHT = 22
_ROWS_SHOWN = 6
_MOST_ROWS = 500
"""Nobody reads more, and the window would wait for them."""


class LookControl:
    """Starts and cancels the look, and shows what it found.

    Parameters
    ----------
    ui : widgets of Batch.ui
    look_for_cases : callable
        ``BackgroundJobs.look_for_cases``.

    Attributes
    ----------
    changed : Signal
        Without arguments: something was found, or is being looked for.
    failed : Signal
        With a ``Failure``.
    """

    def __init__(self, ui, look_for_cases) -> None:
        self._ui = ui
        self._look_for_cases = look_for_cases
        self._cancel = None
        self._found = None
        self._of = None
        self._source = None
        self.changed = Signal()
        self.failed = Signal()
        ui.batchLookProgressBar.minimum = 0
        ui.batchLookProgressBar.maximum = _STEPS
        table = ui.batchProblemsTable
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Interactive)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        header.resizeSection(0, 130)
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.Fixed)
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        ui.batchLookCancelButton.connect("clicked(bool)", lambda _checked=False: self.cancel())
        self._show()

    @property
    def running(self) -> bool:
        """Whether somebody looks."""
        return self._cancel is not None

    def found(self, source):
        """What was found in these data (``Found``); None when nobody has looked yet."""
        return self._found if source is not None and source == self._of else None

    def start(self, settings) -> None:
        """Look; returns at once."""
        if self.running or settings.source is None:
            return
        self._source = settings.source
        self._found = self._of = None
        self._cancel = lambda: None  # the job may end before it has said how to cancel it
        self._ui.batchLookStageLabel.text = _("Starting")
        self._ui.batchLookProgressBar.value = 0
        self._show()
        self.changed()
        cancel = self._look_for_cases(
            parameters(settings), self._on_done, self._on_error, self._on_progress, self._on_stage
        )
        if self.running:
            self._cancel = cancel

    def cancel(self) -> None:
        """Stop looking."""
        if self._cancel is not None:
            self._ui.batchLookCancelButton.enabled = False
            self._ui.batchLookStageLabel.text = _("Ending")
            self._cancel()

    def show(self, source) -> None:
        """Show what was found in these data, if anybody has looked."""
        found = self.found(source)
        self._ui.batchFoundLabel.visible = found is not None
        problems = found.problems if found is not None else ()
        if found is not None:
            level = "look" if problems or found.without_segmentation or not found.cases else "ok"
            self._ui.batchFoundLabel.text = marked(level, found_text(found))
        table = self._ui.batchProblemsTable
        table.visible = bool(problems)
        if not problems:
            table.setRowCount(0)

    def _fill_problems(self, problems) -> None:
        table = self._ui.batchProblemsTable
        lines = [
            (problem.where, problem.what, "\n".join(filter(None, (problem.where, problem.what, problem.remedy))))
            for problem in problems[:_MOST_ROWS]
        ]
        if len(problems) > _MOST_ROWS:
            lines.append(("...", _("and {count} more").format(count=len(problems) - _MOST_ROWS), ""))
        table.setRowCount(0)
        table.setRowCount(len(lines))
        for row, (where, what, tip) in enumerate(lines):
            for column, text in enumerate((where, what)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip)
                table.setItem(row, column, item)
        table.setFixedHeight((min(len(lines), _ROWS_SHOWN) + 1) * _ROW_HEIGHT + 8)

    def _on_stage(self, title: str) -> None:
        self._ui.batchLookStageLabel.text = title
        self._ui.batchLookProgressBar.value = 0

    def _on_progress(self, done: int, total: int, eta_s: float | None) -> None:
        self._ui.batchLookProgressBar.value = round(_STEPS * done / total) if total else 0
        title = self._ui.batchLookStageLabel.text.partition(" (")[0]
        left = time_left_text(eta_s)
        counted = f"{done} / {total}" if total else f"{done}"
        self._ui.batchLookStageLabel.text = f"{title} ({counted}{', ' + left if left else ''})"

    def _on_done(self, found) -> None:
        self._found, self._of = found, self._source
        self._fill_problems(found.problems)
        self._end()

    def _on_error(self, failure) -> None:
        self._end()
        if failure.code != "CANCELLED":
            self.failed(failure)

    def _end(self) -> None:
        self._cancel = None
        self._show()
        self.changed()

    def _show(self) -> None:
        self._ui.batchLookFrame.visible = self.running
        self._ui.batchLookCancelButton.visible = self.running
        self._ui.batchLookCancelButton.enabled = self.running
        self._ui.batchLookButton.enabled = not self.running
