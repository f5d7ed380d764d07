"""Starting a process that does not end with the one that starts it, nor with its terminal or session."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.cancellation import CONTROL_VARIABLE
from MedUSISLib.jobs.wishes import WISH_VARIABLE
from MedUSISLib.jobs.workspace import PRIVATE_VARIABLE
from MedUSISLib.leftovers import WORKSPACE_VARIABLE

_LARGEST_LOG = 1_000_000
_NOT_INHERITED = {CONTROL_VARIABLE, WISH_VARIABLE, PRIVATE_VARIABLE, WORKSPACE_VARIABLE, "ITK_AUTOLOAD_PATH"}
_TEMPORARY = {"TMPDIR", "TEMP", "TMP"}


def start_detached(command: Sequence[str], log: Path) -> None:
    """Start a process in a session of its own, with no standard input, its output appended to ``log``.

    On Linux and macOS a new session: neither the end of Slicer nor a closed terminal reaches it. On Windows a process
    with an invisible console of its own, in its own group and outside the job object of its starter, where that lets
    it go (not tested: we have no Windows here).

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING when it cannot be started.
    """
    try:
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.unlink()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = _start(command, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING, "the worker of the runs cannot be started", "reinstall MedUSIS"
        ) from error
    # Whoever starts a process has to fetch its end, or a dead entry stays in the system's table while it lives.
    threading.Thread(target=process.wait, name="medusis-runs-worker", daemon=True).start()


def _start(command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
    def start(flags: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path.home() if Path.home().is_dir() else os.sep,  # no folder that somebody wants to move or unmount
            env=_environment(),
            close_fds=True,
            start_new_session=True,
            creationflags=flags,
        )

    if sys.platform == "win32":
        # Not DETACHED_PROCESS: without any console, every console program started below would open a window.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        try:
            return start(flags | subprocess.CREATE_BREAKAWAY_FROM_JOB)
        except PermissionError:  # the job object that the starter lives in lets nobody go
            return start(flags)
    else:
        return start(0)


def _environment() -> dict[str, str]:
    """That of this process without what ties a child to its starter."""
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    package_parent = str(Path(__file__).resolve().parents[2])
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not (name in _TEMPORARY and workspace and value.startswith(workspace))
    }
    search = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **kept,
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }
