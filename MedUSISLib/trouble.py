"""What an exception of a library means for a user: memory or disk ran out. Every library says so in its own way."""

from __future__ import annotations

import errno
from collections.abc import Iterator

_MEMORY_TEXTS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate",  # ITK, cuDNN
    "bad_alloc",
    "bad allocation",
    "memory allocation",  # OpenBLAS, which ends the process with these words
    "could not create a primitive",  # oneDNN, when there is no memory for a convolution
    "could not create a memory object",
)
_DISK_TEXTS = ("no space left on device", "disk is full", "disk quota exceeded", "file too large", "storagefull")

DISK_ERRNO = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""No space, a file larger than the file system or a limit allows, a quota that is used up."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, that of the computer or of the accelerator.

    Examples
    --------
    >>> is_out_of_memory(OSError(12, "Cannot allocate memory"))
    True
    >>> is_out_of_memory(RuntimeError("itk::ERROR: ImportImageContainer: Failed to allocate memory for image."))
    True
    """
    if isinstance(error, MemoryError) or any(t.__name__ == "OutOfMemoryError" for t in type(error).__mro__):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _MEMORY_TEXTS)


def is_disk_full(error: BaseException) -> bool:
    """Whether a write found no space; also where a library has made an error of its own of the system's.

    Examples
    --------
    >>> is_disk_full(OSError(28, "No space left on device"))
    True
    >>> is_disk_full(ValueError("no"))
    False
    """
    return any(_says_full(one) for one in _chain(error))


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in DISK_ERRNO
    return isinstance(error, Exception) and any(text in str(error).lower() for text in _DISK_TEXTS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it arose from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
