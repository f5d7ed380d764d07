"""Which process it is: a number alone is given to another one some day, even to one of another computer."""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict


class ProcessIdentity(BaseModel):
    """A process that is never confused with a later one of the same number.

    Attributes
    ----------
    pid : int
    began : str
        When it was created. On Linux the number of the boot and the kernel's ticks since then, which do not move when
        somebody sets the clock; elsewhere seconds since 1970.
    host : str
        Name of the computer: folders of runs may lie on a network.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    began: str
    host: str

    @classmethod
    def of(cls, pid: int | None = None) -> ProcessIdentity | None:
        """The process of this number (this one by default); None when there is none."""
        pid = os.getpid() if pid is None else pid
        began = _began(pid)
        return None if began is None else cls(pid=pid, began=began, host=platform.node())

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process of this computer."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether it runs; only to be asked of a process of this computer. A zombie does not run."""
        return _began(self.pid) == self.began

    def kill(self, wait_s: float = 10.0) -> None:
        """End it, if it lives, with all that it started, and wait until it is gone; only for one of this computer."""
        from MedUSISLib.jobs.process_tree import kill_tree, process_of

        if self.alive:
            kill_tree(process_of(self.pid))
        end = time.monotonic() + wait_s
        while self.alive and time.monotonic() < end:
            time.sleep(0.02)


def _began(pid: int) -> str | None:
    if sys.platform == "linux":
        with suppress(OSError, IndexError):
            # After the name, which may hold spaces and brackets: field 3 is the state, field 22 the ticks.
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    else:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                return f"{process.create_time():.2f}"
    return None


def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
