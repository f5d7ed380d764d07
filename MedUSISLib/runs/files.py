"""Names of the files of a run, and how they are written: whole or not at all, for this user alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.user_folders import user_folder

RUNS_VARIABLE = "MEDUSIS_RUNS"
"""Environment variable that names the folder of the runs."""

CHECKPOINT_NAME = "last.ckpt"
"""Of a training, in its own folder: what it goes on from."""
JOB_NAME = "job.json"
STATE_NAME = "state.json"
WISH_NAME = "wish"
OWNER_NAME = "owner.json"
LOCK_NAME = "change-lock"
EVENTS_NAME = "events.jsonl"
LOG_NAME = "log.txt"
WORKER_NAME = "worker.json"
WORKER_LOG_NAME = "worker.log"


def default_runs_folder() -> Path:
    """Folder of this user's runs; it need not exist yet.

    ``MEDUSIS_RUNS`` if set, else the platform's place for application data.
    """
    return user_folder(RUNS_VARIABLE, "runs")


def write_whole(path: Path, text: str) -> None:
    """Write a file that others see either as it was or as it will be.

    It is on the disk before it gets its name: after a power cut there is no empty file.

    Raises
    ------
    OSError
        When it cannot be written; the old file stays.
    """
    half = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    finally:
        with suppress(OSError):
            half.unlink()


@contextmanager
def named_trouble(folder: Path) -> Iterator[None]:
    """Turn what the system says of a folder of runs into a named error: DISK_FULL, or BAD_SETTING."""
    try:
        yield
    except OSError as error:
        named = named_error(error)
        if named.code is ErrorCode.DISK_FULL:
            raise named from error
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the folder of the runs cannot be read or written ({type(error).__name__})",
            f"check the folder, or name another one by {RUNS_VARIABLE}",
            folder,
        ) from error
