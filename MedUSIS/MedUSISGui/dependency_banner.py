"""The banner that says which packages are missing, and installs them when asked."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal


class DependencyBanner:
    """Shown only when something is missing; nothing is downloaded before the user agrees.

    Parameters
    ----------
    ui : widgets of the panel
    installation : MedUSISLib.mrml.installation.InstallationProtocol
    dialogs : Dialogs

    Attributes
    ----------
    installing : Signal
        Without arguments: packages are about to be replaced.
    changed : Signal
        Without arguments: the packages may have become complete.
    failed : Signal
        With the error of an installation that did not work.
    """

    def __init__(self, ui, installation, dialogs) -> None:
        self._ui = ui
        self._installation = installation
        self._dialogs = dialogs
        self.installing = Signal()
        self.changed = Signal()
        self.failed = Signal()
        self.complete = False
        ui.dependencyInstallButton.connect("clicked(bool)", self._on_install)
        ui.dependencyWheelsButton.connect("clicked(bool)", self._on_install_from_wheels)

    def refresh(self, note: str = "") -> None:
        """Look again what is there; ``note`` is said first."""
        status = self._installation.status()
        self.complete = status.complete
        self._ui.dependencyLabel.text = " ".join(filter(None, [note, status.sentence, status.torch_hint]))
        self._ui.dependencyFrame.visible = not status.complete or status.restart_needed
        for button in (self._ui.dependencyInstallButton, self._ui.dependencyWheelsButton):
            button.visible = not status.complete

    def _on_install(self, _checked: bool = False) -> None:
        self._install(None)

    def _on_install_from_wheels(self, _checked: bool = False) -> None:
        folder = self._dialogs.folder(_("Folder that holds the packages as .whl files"))
        if folder is not None:
            self._install(folder)

    def _install(self, wheels) -> None:
        from MedUSISLib.mrml.installation import InstallationDeclined

        self._enable(False)
        self.installing()
        self._ui.dependencyLabel.text = _("Installing. This can take several minutes; Slicer does not react meanwhile.")
        slicer.app.processEvents()
        note = ""
        try:
            self._installation.install(wheels)
        except InstallationDeclined as declined:
            note = f"{declined.message[:1].upper()}{declined.message[1:]}."
        except MedUSISError as error:
            self.failed(error)
        finally:
            self._enable(True)
        self.changed()
        self.refresh(note)

    def _enable(self, on: bool) -> None:
        self._ui.dependencyInstallButton.enabled = on
        self._ui.dependencyWheelsButton.enabled = on
