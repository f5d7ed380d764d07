"""Paths for SimpleITK, which ends the whole process when one is no Unicode text."""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError


def itk_path(path: Path, role: str) -> str:
    """The path as SimpleITK takes it.

    Names of files are bytes on Linux; those that are no UTF-8 (an old disk, a medium from a scanner) have no text.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``.
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"{role} has a name, or lies in a folder with a name, whose characters are none of Unicode",
            "rename it, or copy it to another place",
            path,
        ) from None
    return text
