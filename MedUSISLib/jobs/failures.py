"""From any exception to a named error, and from a named error to an exit code."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.specification import bad_setting
from MedUSISLib.trouble import is_disk_full, is_out_of_memory

EXIT_CODES: Mapping[ErrorCode, int] = MappingProxyType(
    {
        ErrorCode.INTERNAL: 1,
        ErrorCode.BAD_SETTING: 2,
        ErrorCode.INPUT_NOT_READABLE: 10,
        ErrorCode.NOT_A_CT: 11,
        ErrorCode.GEOMETRY_MISMATCH: 12,
        ErrorCode.EMPTY_SEGMENTATION: 13,
        ErrorCode.UNKNOWN_LABELS: 14,
        ErrorCode.GENERATOR_NOT_FOUND: 20,
        ErrorCode.GENERATOR_CORRUPT: 21,
        ErrorCode.OUT_OF_MEMORY: 30,
        ErrorCode.DEVICE_NOT_AVAILABLE: 31,
        ErrorCode.DISK_FULL: 32,
        ErrorCode.DEPENDENCY_MISSING: 33,
        ErrorCode.TIMED_OUT: 34,
        ErrorCode.CANCELLED: 130,
    }
)
"""Exit code of the child process and of the ``medusis`` command for each named error; part of the interface."""

_PATH_ERRNO = frozenset(
    # the last three: what was there a moment ago is gone, a disk is broken, a network drive has left
    {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
    | {errno.ENOENT, errno.EIO, *([errno.ESTALE] if hasattr(errno, "ESTALE") else [])}
)
_PACKAGE = Path(__file__).resolve().parent.parent
_PATH_TEXTS = ("embedded null", "Symlink loop", "Could not determine home directory")  # of pathlib
_DEVICE_TEXTS = ("No CUDA GPUs are available", "Torch not compiled with CUDA", "Found no NVIDIA driver")


def exit_code_of(error: MedUSISError) -> int:
    """The exit code that stands for this error."""
    return EXIT_CODES.get(error.code, EXIT_CODES[ErrorCode.INTERNAL])


def named_error(error: BaseException) -> MedUSISError:
    """The named error for an exception; itself when it has a name already.

    The text of a foreign exception is never taken over: libraries put file names into it, and those can be names of
    patients. What is kept is its type and the place in our code.

    Examples
    --------
    >>> named_error(MemoryError()).code.value
    'OUT_OF_MEMORY'
    """
    if isinstance(error, MedUSISError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return MedUSISError(ErrorCode.CANCELLED, "the job was cancelled")
    if isinstance(error, ValidationError):
        return bad_setting(error, "the settings are not valid")
    if is_out_of_memory(error):
        return MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            "the memory does not suffice",
            "close other programs, give a smaller --batch-size, or --device cpu",
        )
    if is_disk_full(error):
        return MedUSISError(ErrorCode.DISK_FULL, "the disk is full", "free some space or choose another output folder")
    if isinstance(error, OSError) and error.errno in _PATH_ERRNO:
        return MedUSISError(
            ErrorCode.BAD_SETTING,
            f"a file or folder cannot be used ({os.strerror(error.errno)})",
            "check the paths that were given, and who may read and write there",
            error.filename if isinstance(error.filename, str) else None,
        )
    if isinstance(error, (ValueError, RuntimeError)) and any(text in str(error) for text in _PATH_TEXTS):
        return MedUSISError(
            ErrorCode.BAD_SETTING,
            "a path that was given is none: it leads in a circle, holds a zero character, or names the home of nobody",
            "check the paths that were given",
        )
    if isinstance(error, (RuntimeError, AssertionError)) and any(text in str(error) for text in _DEVICE_TEXTS):
        return MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE, "the accelerator cannot be used", "choose --device auto or --device cpu"
        )
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] != _PACKAGE.name:
        package = error.name.partition(".")[0]
        return MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"the Python package {package!r} is missing or does not load",
            f"install it into the environment that runs MedUSIS (pip install {package})",
        )
    return MedUSISError(
        ErrorCode.INTERNAL,
        f"unexpected {type(error).__name__}{_place(error)}",
        "this is a fault of MedUSIS: please report it together with the log",
    )


def _place(error: BaseException) -> str:
    """" in imaging/conform.py, line 33": the innermost frame in this package."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_PACKAGE) and path.parent.name != "jobs":
            return f" in {path.relative_to(_PACKAGE).as_posix()}, line {frame.lineno}"
    return ""
