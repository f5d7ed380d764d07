"""The part with "Synthesize MR" and "Cancel": what is missing, how far the run is, what it says."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from MedUSISLib.signal import Signal

from .pictures import PictureLabel
from .rich_text import finding_line, marked, sentence
from .scrolling import scroll_to
from .wording import time_left_text

_STEPS = 1000


class RunSection:
    """Buttons, readiness, progress, newest slice and log.

    Parameters
    ----------
    ui : widgets of the panel

    Attributes
    ----------
    start_asked, cancel_asked : Signal
        The two buttons.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._busy = False
        self._notes: list[str] = []
        self.start_asked = Signal()
        self.cancel_asked = Signal()
        self._preview = PictureLabel(ui.previewLabel)
        ui.progressBar.minimum = 0
        ui.progressBar.maximum = _STEPS
        ui.synthesizeButton.connect("clicked(bool)", lambda _checked=False: self.start_asked())
        ui.cancelButton.connect("clicked(bool)", lambda _checked=False: self.cancel_asked())
        ui.logCopyButton.connect("clicked(bool)", self._on_copy_log)
        ui.progressFrame.visible = False
        self._show_notes()
        self.set_readiness([], ready=False)

    @property
    def busy(self) -> bool:
        """Whether the panel shows a run that is going on."""
        return self._busy

    def set_readiness(self, findings: Sequence, ready: bool) -> None:
        """Say what is missing (blocking findings) and what to know (the others).

        Parameters
        ----------
        findings : sequence of Finding
        ready : bool
            Whether a run can be started.
        """
        self._ui.synthesizeButton.enabled = ready and not self._busy
        lines = [finding_line(finding) for finding in findings]
        if not lines and ready:
            lines = [_("Ready.")]
        self._ui.readinessLabel.text = "<br>".join(lines)
        self._ui.readinessLabel.visible = bool(lines) and not self._busy

    def begin(self, title: str) -> None:
        """A run begins."""
        self._busy = True
        self._ui.synthesizeButton.enabled = False
        self._ui.cancelButton.enabled = True
        self._ui.readinessLabel.visible = False
        self._ui.logText.clear()
        self._notes = []
        self._show_notes()
        self._preview.show(None)
        self.set_stage(title)
        self.set_progress(0.0, None)
        self._ui.progressFrame.visible = True
        scroll_to(self._ui.runFrame)

    def end(self, text: str) -> None:
        """The run is over; ``text`` says how."""
        self._busy = False
        self._ui.cancelButton.enabled = False
        self._ui.progressFrame.visible = False
        self._preview.show(None)
        if text:
            self.add_log(text)

    def set_stage(self, title: str) -> None:
        """What is being done now."""
        self._ui.stageLabel.text = title

    def set_progress(self, fraction: float, seconds_left: float | None) -> None:
        """How much of the whole run is done, 0 to 1, and how long it will still take."""
        self._ui.progressBar.value = round(_STEPS * min(1.0, max(0.0, fraction)))
        self._ui.timeLeftLabel.text = time_left_text(seconds_left)

    def set_stopping(self) -> None:
        """The user has cancelled; the run is being ended."""
        self._ui.cancelButton.enabled = False
        self.set_stage(_("Ending the run"))
        self._ui.timeLeftLabel.text = ""

    def show_preview(self, path) -> None:
        """Show a finished slice; a picture that is just being written is passed over."""
        first = self._ui.previewLabel.isHidden()
        if self._preview.show(path) and first:
            scroll_to(self._ui.progressFrame)

    def add_log(self, line: str) -> None:
        """One more line of the log."""
        self._ui.logText.appendPlainText(line)

    def add_note(self, text: str) -> None:
        """Something that the user should know about this run; it stays until the next one."""
        if text not in self._notes:
            self._notes.append(text)
            self._show_notes()

    def _show_notes(self) -> None:
        self._ui.runNotesLabel.text = "<br>".join(marked("look", sentence(note)) for note in self._notes)
        self._ui.runNotesLabel.visible = bool(self._notes)

    def _on_copy_log(self, _checked: bool = False) -> None:
        self._ui.logText.selectAll()
        self._ui.logText.copy()
