"""Ending a process together with everything that it started, and nothing else."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def process_of(pid: int | None) -> psutil.Process | None:
    """A handle that knows when its process began, so that a later owner of the same number is never killed."""
    with suppress(psutil.Error):
        return psutil.Process(pid) if pid is not None else None
    return None


def descendants(root: psutil.Process | None) -> list[psutil.Process]:
    """Everything that the process started, as far as it lives."""
    with suppress(psutil.Error):
        return root.children(recursive=True) if root is not None else []
    return []


def kill_tree(root: psutil.Process | None) -> None:
    """Kill the process, what it started, and - where it leads a session - what its children left behind."""
    if root is None or not root.is_running():
        return
    processes = [root, *descendants(root)]
    if sys.platform != "win32":
        with suppress(OSError):
            if os.getpgid(root.pid) == root.pid != os.getpgid(0):
                os.killpg(root.pid, signal.SIGKILL)
    kill_processes(processes)


def kill_processes(processes: Iterable[psutil.Process], wait_s: float = 0.5) -> None:
    """Kill those of the processes that still live, and wait until they do nothing more, ``wait_s`` at most.

    A killed process may still be in a system call; whoever removes its files wants it to have ended.
    """
    killed = list(processes)
    for process in killed:
        with suppress(psutil.Error):
            process.kill()
    end = time.monotonic() + wait_s
    while any(_acts(process) for process in killed) and time.monotonic() < end:
        time.sleep(0.005)


def _acts(process: psutil.Process) -> bool:
    """True while it runs; one that has ended but was not fetched by its parent (a zombie) does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill_session(leader: int | None) -> None:
    """Kill what a process that is gone left in the session that it led, in groups of their own too.

    While a session lives its number is given to nobody else; a process with that number is a stranger.
    """
    if leader is None or sys.platform == "win32" or psutil.pid_exists(leader):
        return
    left = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getsid(pid) == leader:
                left.append(psutil.Process(pid))
    kill_processes(left)


def kill_orphans(leader: int | None) -> None:
    """Kill what a process that is gone left in the session that it led.

    While a group of processes lives its number is given to nobody else; a process with that number is a stranger.
    """
    if leader is None or sys.platform == "win32" or psutil.pid_exists(leader):
        return
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
