"""The module's panel: opening a reading, and the administrator's pages behind their switch."""

from __future__ import annotations

import slicer
from MedUSISGui.dependency_banner import DependencyBanner
from MedUSISGui.dialogs import Dialogs
from MedUSISGui.error_panel import ErrorPanel

from .administration import Administration
from .installations import EitherInstallation
from .start_section import StartSection


class Panel:
    """Life: made once by ``setup`` -> ``enter`` as the user comes -> ``close`` at the end.

    Parameters
    ----------
    ui : widgets of Resources/UI/MedUSISReader.ui
    logic : MedUSISReaderLogic
        Or an object with the same attributes: ``installation``, ``administration``, ``jobs``, ``open()``, ``close()``.
    dialogs : Dialogs, optional
    """

    def __init__(self, ui, logic, dialogs=None) -> None:
        self._ui = ui
        self._logic = logic
        dialogs = dialogs or Dialogs()
        self.errors = ErrorPanel(ui)
        self.installation = EitherInstallation(logic.installation, logic.administration)
        self.banner = DependencyBanner(ui, self.installation, dialogs)
        self.start = StartSection(ui, logic.open, dialogs)
        self.administration = Administration(ui, logic.jobs, dialogs, self.start.open_room)
        for part in (self.banner, self.start, self.administration):
            part.failed.connect(self.errors.show)
        self.banner.changed.connect(self.refresh)
        self.start.changed.connect(self.refresh)
        ui.administratorCheckBox.connect("toggled(bool)", self._on_administrator)
        self.refresh()

    @property
    def room(self):
        """The reading room while it is open, else None."""
        return self.start.room

    def enter(self) -> None:
        """The user opens the module."""
        self.refresh()

    def read(self, package: str, reader: str, answers: str = "") -> bool:
        """Open the reading room; False when that failed, the panel says why."""
        return self.start.read(package, reader, answers)

    def close(self) -> None:
        """The module goes away: a reading is left, jobs are ended. May be called again."""
        self.start.close()
        self.administration.close()
        self._logic.close()

    def scene_closing(self) -> None:
        """The scene is about to be closed."""
        self.start.scene_closing()

    def refresh(self) -> None:
        """Show the state anew."""
        administrator = self._ui.administratorCheckBox.checked
        self.installation.administrator = administrator
        self.banner.refresh()
        self.start.refresh(self.installation.can_read)
        self.administration.refresh(administrator, self.banner.complete)

    def _on_administrator(self, _on: bool) -> None:
        self.refresh()
        slicer.app.processEvents()
