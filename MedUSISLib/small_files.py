"""Small files that somebody handed in - settings, tables, manifests - read whole: real files, and no large ones."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 64 * 1024 * 1024
"""More than this no settings and no table take."""


def read_small_file(path: str | Path, largest: int = LARGEST_BYTES) -> bytes:
    """The content of a small file.

    A pipe or a device in its place is refused and not waited for, and a file that grows is not followed.

    Parameters
    ----------
    path : str or Path
    largest : int
        In bytes.

    Raises
    ------
    OSError
        When there is none, it is no regular file (``EINVAL``), or it is too large (``EFBIG``).

    Examples
    --------
    >>> read_small_file("/dev/null")
    Traceback (most recent call last):
        ...
    OSError: [Errno 22] not a regular file
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError:  # a character of no path
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"larger than {largest // 1024**2} MB")
    return content


def read_small_text(path: str | Path, largest: int = LARGEST_BYTES) -> str:
    """The same as text in UTF-8, with or without its mark; line ends become newlines.

    Raises
    ------
    OSError
    UnicodeDecodeError
    """
    return read_small_file(path, largest).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
