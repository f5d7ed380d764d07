"""`slicer.app.extensionsManagerModel()`: which extensions are installed, decided by the test."""

from __future__ import annotations

from PySide6.QtCore import QObject

from slicer_harness.ctk_widgets.stored_property import stored
from slicer_harness.messages import messages


class qSlicerExtensionsManagerModel(QObject):
    """Installing is recorded as a message of kind "installExtension" and does nothing else."""

    interactive = stored(bool, "interactive", True)

    def __init__(self) -> None:
        super().__init__()
        self._installed: set[str] = set()

    def isExtensionInstalled(self, name: str) -> bool:
        return name in self._installed

    def isExtensionEnabled(self, name: str) -> bool:
        return name in self._installed

    def installExtensionFromServer(self, name: str, restart: bool = True, update: bool = True) -> bool:
        return bool(messages.show("installExtension", name, default=True))

    def updateExtensionsMetadataFromServer(self, force: bool = False, wait: bool = False) -> bool:
        return True

    def set_installed(self, *names: str) -> None:
        """For tests."""
        self._installed = set(names)
