"""A private folder for the files of one run: patient data, gone when the run is, at the latest with the next run."""

from __future__ import annotations

from MedUSISLib.private_folder import PrivateFolder


class RunFolder(PrivateFolder):
    """See ``PrivateFolder``."""

    def __init__(self) -> None:
        super().__init__("run")
