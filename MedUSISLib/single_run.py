"""A lock on a path, so that two runs never write to the same place; the system releases it when a process dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError

LOCK_SUFFIX = "-lock"
"""How the name of a lock file ends."""


@contextmanager
def single_run(lock_path: Path) -> Iterator[bool]:
    """Hold the lock file ``lock_path`` while the block runs; it is removed afterwards.

    Yields
    ------
    bool
        True when the lock is held. False where the folder is read-only or the file system knows no locks (some
        network folders): the block runs without one.

    Raises
    ------
    MedUSISError
        BAD_SETTING when another run holds it.
    """
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        descriptor = -1
    if descriptor < 0:
        yield False
        return
    try:
        held = _lock(descriptor)
        if held is None or (held and not _is_same_file(descriptor, lock_path)):
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "another MedUSIS run is writing to the same place",
                "wait for it, or choose another place",
                path=lock_path.parent,
            )
        try:
            yield held
        finally:
            with suppress(OSError):
                lock_path.unlink()  # while it is held: nobody else can have this file
    finally:
        os.close(descriptor)
        if sys.platform == "win32":
            with suppress(OSError):
                lock_path.unlink()  # Windows removes no open file


@contextmanager
def held_if_free(lock_path: Path) -> Iterator[bool]:
    """Hold a lock file that is there, without removing it afterwards; False when a living process may have it."""
    try:
        descriptor = os.open(lock_path, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor) is True
    finally:
        os.close(descriptor)


def remove_abandoned_lock(lock_path: Path) -> None:
    """Remove the lock file of a run that was killed; one that somebody holds stays."""
    if lock_path.is_file():
        with suppress(MedUSISError), single_run(lock_path):
            pass


def _is_same_file(descriptor: int, path: Path) -> bool:
    """False when the file was removed by its former holder between our opening and locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool | None:
        """True: held. None: somebody else holds it. False: no locks here."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return None
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool | None:
        """True: held. None: somebody else holds it. False: no locks here."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError:
            return False
        return True
