"""Workers on a cluster that a killed batch left behind end by themselves; whoever goes on waits until they have.

A file in the batch's folder says when they were last asked for events. It is gone when they were seen to be dead.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from MedUSISLib.leftovers import temporary
from MedUSISLib.progress import Progress

LEASE_S = 30.0
"""How long a worker goes on when nobody asks it for events: its batch is gone, or has given it up."""

MARGIN_S = 5.0
"""What a worker needs to end."""

_NAME = ".medusis-cluster"
_EVERY_S = 5.0
_LOOK_S = 0.5


class AskedFile:
    """Kept young while workers are asked.

    Parameters
    ----------
    out : Path
        Folder of the batch.
    """

    def __init__(self, out: Path) -> None:
        self._path, self._touched = out / _NAME, -_EVERY_S

    def asked(self) -> None:
        """Workers are asked now; call it as often as you like."""
        now = time.monotonic()
        if now - self._touched >= _EVERY_S:
            self._touched = now
            with suppress(OSError):  # a full disk; the cases will say so
                self._path.touch(0o600)

    def over(self) -> None:
        """They are dead."""
        self._path.unlink(missing_ok=True)


def wait_for_left_workers(out: Path, progress: Progress) -> None:
    """Return when no worker on a cluster can be at work on the cases in ``out`` any more.

    Raises
    ------
    MedUSISError
        CANCELLED.
    """
    path = out / _NAME
    if not path.exists():
        return
    with suppress(OSError):
        end = time.monotonic() + LEASE_S + MARGIN_S + _EVERY_S - _age_s(path)
        if time.monotonic() < end:
            progress.stage("waiting until workers of the last run have ended")
        while time.monotonic() < end:
            progress.checkpoint()
            time.sleep(_LOOK_S)
        path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    """By the clock of the disk, which need not be this machine's."""
    with temporary(path.with_name(f"{path.name}-now")) as now:
        now.touch(0o600)
        return max(0.0, now.stat().st_mtime - path.stat().st_mtime)
