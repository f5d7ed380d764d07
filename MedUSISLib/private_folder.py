"""Temporary folders with patient data: for this user alone, gone after use - and after a kill with the next start."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from MedUSISLib.errors import MedUSISError
from MedUSISLib.leftovers import remove, remove_leftovers
from MedUSISLib.single_run import LOCK_SUFFIX, held_if_free, single_run

PREFIX = "medusis-"
"""How the names of all private folders begin."""

OWNER_LOCK = f".medusis-owner{LOCK_SUFFIX}"
USER_LOCK = f".medusis-user{LOCK_SUFFIX}"
"""Held by another process that works in the folder: its owner may have died before it."""

_EMPTY_S = 3600.0
_TRIES = 20


class PrivateFolder:
    """A new folder (0700) in the system's temporary folder, never beside the scene or the patient's files.

    While it is used a lock file in it is held, which the system releases when the process dies. So a folder that a
    killed process left behind is known by its lock, and the next one that is made removes it, with all that was
    written down in it (``leftovers``). Folders without such a file are not ours, whatever they are called.

    Parameters
    ----------
    purpose : str
        Shown in its name; nothing of the patient.

    Attributes
    ----------
    path : Path

    Examples
    --------
    >>> folder = PrivateFolder("example")
    >>> folder.path.name.startswith("medusis-example-")
    True
    >>> folder.close()
    >>> folder.path.exists()
    False
    """

    def __init__(self, purpose: str = "") -> None:
        remove_abandoned()
        prefix = f"{PREFIX}{purpose}-" if purpose else PREFIX
        self._held = ExitStack()
        for _ in range(_TRIES):
            self.path = Path(tempfile.mkdtemp(prefix=prefix))
            with suppress(MedUSISError):  # somebody looked at it before it was locked, and takes it away
                self._held.enter_context(single_run(self.path / OWNER_LOCK))
                if self.path.is_dir():
                    return
        raise OSError("no folder can be made in the temporary folder")

    def close(self) -> None:
        """Remove it with all that is in it, and what is written down in it; again does nothing."""
        _empty(self.path)
        self._held.close()
        shutil.rmtree(self.path, ignore_errors=True)  # Windows removes no file that is open


@contextmanager
def private_folder(purpose: str = "") -> Iterator[Path]:
    """A ``PrivateFolder`` for a block.

    Examples
    --------
    >>> with private_folder() as folder:
    ...     _ = (folder / "ct.nii").write_text("a patient")
    >>> folder.exists()
    False
    """
    folder = PrivateFolder(purpose)
    try:
        yield folder.path
    finally:
        folder.close()


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """While this process works in somebody else's private folder it is not abandoned, though its owner may be dead."""
    with ExitStack() as held:
        with suppress(MedUSISError):  # one that works in it is enough
            held.enter_context(single_run(folder / USER_LOCK))
        yield


def remove_abandoned() -> None:
    """Remove the private folders whose processes are gone."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with suppress(OSError):
                if _is_ours(folder):
                    _remove_if_abandoned(folder)


def _is_ours(folder: Path) -> bool:
    """A folder of this user: the temporary folder is shared, and a link may lead anywhere."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _remove_if_abandoned(folder: Path) -> None:
    locks = [path for name in (OWNER_LOCK, USER_LOCK) if (path := folder / name).is_file() and not path.is_symlink()]
    if not locks:
        if time.time() - folder.stat().st_mtime > _EMPTY_S:
            folder.rmdir()  # its process was killed when it had just been made; one that holds anything stays
        return
    with ExitStack() as held:
        # Held until it is gone: its maker may have made the lock file a moment ago and be about to lock it.
        if not all([held.enter_context(held_if_free(lock)) for lock in locks]):
            return
        _empty(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if sys.platform == "win32":
        shutil.rmtree(folder, ignore_errors=True)  # Windows removes no file that is open


def _empty(folder: Path) -> None:
    """All but the locks, which must be the last to go: without one nobody would know what this folder is."""
    remove_leftovers(folder)
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name not in (OWNER_LOCK, USER_LOCK):
                remove(path)
