"""The button "Look what is there": a job that reads the data and says which cases it holds, and what is wrong."""

from __future__ import annotations

from slicer.i18n import tr as _

from MedUSISLib.mrml.batch_found import found_text
from MedUSISLib.mrml.batch_logic import parameters
from MedUSISLib.signal import Signal

from .batch_found import FoundLists
from .rich_text import marked
from .wording import time_left_text

_STEPS = 1000


class LookControl:
    """Starts and cancels the look, and shows what it found.

    Parameters
    ----------
    ui : widgets of Batch.ui
    look_for_cases : callable
        ``BackgroundJobs.look_for_cases``.
    dialogs : Dialogs

    Attributes
    ----------
    changed : Signal
        Without arguments: something was found, or is being looked for.
    failed : Signal
        With a ``Failure`` or ``MedUSISError``.
    """

    def __init__(self, ui, look_for_cases, dialogs) -> None:
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
        self.lists = FoundLists(ui, dialogs)
        self.lists.failed.connect(self.failed)
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
        self.lists.set_visible(found is not None)
        if found is not None:
            look = found.problems or found.without_segmentation or not found.cases
            self._ui.batchFoundLabel.text = marked("look" if look else "ok", found_text(found))

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
        self.lists.show(found, self._source)
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
