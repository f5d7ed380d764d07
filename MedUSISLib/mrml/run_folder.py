"""A private folder for the files of one run: patient data, gone when the run is, at the latest with the next run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from MedUSISLib.errors import MedUSISError
from MedUSISLib.single_run import single_run

_PREFIX = "medusis-run-"
_LOCK = "owner"
_UNOWNED_S = 3600.0


class RunFolder:
    """A new folder (0700) in the system's temporary folder, never beside the scene or the patient's files.

    While it is used a lock file in it is held, which the system releases when the process dies. So a folder that a
    crashed Slicer left behind is known by its lock, and the next run removes it.

    Attributes
    ----------
    path : Path
    """

    def __init__(self) -> None:
        remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._held = ExitStack()
        self._held.enter_context(single_run(self.path / _LOCK))

    def close(self) -> None:
        """Remove it with all that is in it; again does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()
        shutil.rmtree(self.path, ignore_errors=True)  # Windows removes no file that is open


def remove_abandoned() -> None:
    """Remove the folders of runs whose process is gone."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
        return False  # somebody else's: the temporary folder is shared
    lock = folder / _LOCK
    if not lock.is_file():  # just being made, or half removed
        return folder.is_dir() and time.time() - folder.stat().st_mtime > _UNOWNED_S
    try:
        with single_run(lock) as held:
            return held
    except MedUSISError:
        return False
