"""Who works here: a small file that names the process, and how a dead process's claim is taken over."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.runs.files import write_whole
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.single_run import single_run

BEAT_S = 5.0
"""How often a process that works touches its claim."""
FOREIGN_S = 60.0
"""A claim of another computer that was not touched for so long is that of a dead process."""


class Claim:
    """The claim of one process on a folder, in a file.

    Whoever reads the file sees at once whether the process lives: by number and time of creation on this computer, by
    the age of the file (``beat``) on another one. So no claim has to be cleared after a crash, and a process that
    happens to have the number of a dead one is not taken for it.

    Taking is guarded by a lock of the file system, which two processes never hold together. Where the file system
    knows no locks (some network folders), the last one who wrote has the claim, and the other one notices.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def owner(self) -> ProcessIdentity | None:
        """Who claimed it, dead or alive; None when nobody did or the file cannot be understood."""
        with suppress(OSError, ValidationError, ValueError):
            return ProcessIdentity.model_validate_json(self.path.read_bytes())
        return None

    @property
    def held(self) -> bool:
        """Whether a living process has it."""
        owner = self.owner()
        if owner is None:
            return False
        if owner.here:
            return owner.alive
        with suppress(OSError):
            return time.time() - self.path.stat().st_mtime < FOREIGN_S
        return False

    @property
    def mine(self) -> bool:
        """Whether this process has it."""
        return self.owner() == ProcessIdentity.of()

    def take(self) -> bool:
        """Take it for this process; False when another living one has it. OSError where nothing can be written."""
        with guarded(self.path.with_name(f"{self.path.name}-lock")) as locked:
            if self.held and not self.mine:
                return False
            me = ProcessIdentity.of()
            assert me is not None
            write_whole(self.path, me.model_dump_json())
            if not locked:
                time.sleep(0.05)
            return self.mine

    def beat(self) -> None:
        """Say that this process still works."""
        with suppress(OSError):
            os.utime(self.path)

    def release(self) -> None:
        """Give it up, if it is this process's."""
        if self.mine:
            with suppress(OSError):
                self.path.unlink()


@contextmanager
def guarded(lock_path: Path, timeout_s: float = 5.0) -> Iterator[bool]:
    """Hold a lock for a short change, waiting while another process holds it; see `single_run`.

    Raises
    ------
    MedUSISError
        BAD_SETTING when it is held for longer than ``timeout_s``.
    """
    end = time.monotonic() + timeout_s
    while True:
        lock = single_run(lock_path)
        try:
            locked = lock.__enter__()
            break
        except MedUSISError:
            if time.monotonic() > end:
                raise MedUSISError(
                    ErrorCode.BAD_SETTING, "another program is changing this run", "try again in a moment"
                ) from None
            time.sleep(0.01)
    try:
        yield locked
    finally:
        lock.__exit__(None, None, None)
