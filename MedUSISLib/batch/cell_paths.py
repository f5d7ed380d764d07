"""The files that cells of a table name, however the computer spells paths on which they were written."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

_DRIVE = re.compile(r"""["']?([A-Za-z]:[\\/]|\\\\)""")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201e": "\u201c"}


def named_file(text: str, folder: Path) -> Path | None:
    """The file or folder that a cell names; None when it is not there, and for an empty cell.

    Also when it is written as on Windows (backslashes, in quotes as "Copy as path" gives it) or as on a Mac, where an
    umlaut may be two characters.

    Parameters
    ----------
    text : str
    folder : Path
        Where a path that is not absolute starts.
    """
    for spelling in dict.fromkeys(_spellings(text)) if text else ():
        try:
            path = folder / Path(spelling).expanduser()
            if path.exists():
                return path.resolve()
        except (OSError, RuntimeError, ValueError):  # too long, "~" of somebody unknown, a character of no path
            continue
    return None


def names_a_drive(text: str) -> bool:
    r"""True when a cell names a drive or a share of Windows, and this is another system.

    Examples
    --------
    >>> names_a_drive("C:/data/ct.nii.gz"), names_a_drive("data/ct.nii.gz")
    (True, False)
    """
    return os.name != "nt" and _DRIVE.match(text) is not None


def _spellings(text: str) -> Iterator[str]:
    bare = text[1:-1].strip() if len(text) > 2 and _QUOTES.get(text[0]) == text[-1] else text
    for one in (text, bare):
        for path in (one, PureWindowsPath(one).as_posix()):
            yield from (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))
