"""Whether the files that were read are still those that were looked at first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError

Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp:
    """Size, time of the last change and number of a file; OSError when it is gone."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def changed(role: str, path: Path) -> MedUSISError:
    """``INPUT_NOT_READABLE``: what was read may be half of the old and half of the new."""
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        f"{role} was changed while it was read",
        "wait until nothing is written there any more, then try again",
        path,
    )


@contextmanager
def unchanged(files: Iterable[Path], role: str, path: Path) -> Iterator[None]:
    """Refuse what is read in this block when one of the files changes meanwhile.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``.
    """
    before = {file: stamp_of(file) for file in files}
    yield
    try:
        same = all(stamp_of(file) == stamp for file, stamp in before.items())
    except OSError:
        same = False
    if not same:
        raise changed(role, path)
