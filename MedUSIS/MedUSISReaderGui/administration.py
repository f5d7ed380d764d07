"""The administrator's pages: shown behind their switch, and one job at a time for all of them."""

from __future__ import annotations

from MedUSISLib.signal import Signal


class Administration:
    def __init__(self, ui, jobs, dialogs, open_room) -> None:
        self._ui = ui
        self.failed = Signal()

    def refresh(self, shown: bool, packages: bool) -> None:
        for part in (self._ui.newStudyCollapsibleButton, self._ui.resultsCollapsibleButton, self._ui.jobFrame):
            part.visible = False

    def close(self) -> None:
        pass
