"""Files that must not outlive a killed process: a list that the process keeps and its starter clears.

A process that is killed cannot tidy up. It therefore writes down every temporary file *before* it makes it, in a
private folder that its starter chose (environment variable ``MEDUSIS_WORKSPACE``); whoever started it removes what
is still there afterwards. Without that variable nothing is written down and everything works as usual.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from MedUSISLib.single_run import LOCK_SUFFIX, remove_abandoned_lock

WORKSPACE_VARIABLE = "MEDUSIS_WORKSPACE"
_LIST_NAME = "leftovers.jsonl"


@contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A file or folder that is gone afterwards, whatever happens - this process being killed included.

    The caller creates it inside the block. What was renamed away is not touched.

    Examples
    --------
    >>> with temporary(Path("half-written.nii.gz")) as half:
    ...     _ = half.write_bytes(b"...")
    >>> half.exists()
    False
    """
    path = Path(path).absolute()
    note(path)
    try:
        yield path
    finally:
        remove(path)


def note(path: Path) -> None:
    """Write down a file or folder that must not outlive this process."""
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    if workspace:
        with suppress(OSError), open(Path(workspace) / _LIST_NAME, "a", encoding="utf-8") as listing:
            listing.write(json.dumps([_number(Path(workspace)), str(path)]) + "\n")


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it; silence when it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def remove_leftovers(workspace: Path) -> None:
    """Remove everything that a process wrote down in its workspace and could not tidy up itself.

    Only what was written down in this very folder: a list out of an archive that was unpacked in the temporary folder
    could name any file of this user.
    """
    with suppress(OSError):
        number = _number(workspace)
        for line in (workspace / _LIST_NAME).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, TypeError):
                of_folder, name = json.loads(line)
                if of_folder == number:
                    _remove_noted(Path(name))


def _remove_noted(path: Path) -> None:
    if path.name.endswith(LOCK_SUFFIX):
        remove_abandoned_lock(path)
    else:
        remove(path)


def _number(folder: Path) -> int:
    """By which the file system knows a folder; nobody knows it before the folder is made."""
    return folder.stat().st_ino
