"""Which packages are asked for: two for a reader, more for whoever makes and analyses studies."""

from __future__ import annotations


class EitherInstallation:
    """The installation that fits who is there; an ``InstallationProtocol`` for the banner.

    Parameters
    ----------
    reading, administration : MedUSISLib.mrml.installation.InstallationProtocol
    """

    def __init__(self, reading, administration) -> None:
        self._reading = reading
        self._administration = administration
        self.administrator = False

    @property
    def can_read(self) -> bool:
        """Whether a reading can be opened."""
        return bool(self._reading.status().complete)

    def status(self):
        """What is there and what is missing."""
        return self._chosen().status()

    def install(self, wheels=None):
        """Ask once and install what is missing."""
        return self._chosen().install(wheels)

    def _chosen(self):
        return self._administration if self.administrator else self._reading
