"""DICOM files of a folder: which are some, and which belong to a series."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

_NAMED_DICOM = (".dcm", ".ima")
_MANY = 20_000


def is_dicom_file(path: Path) -> bool:
    """True for a file with the DICOM preamble; a pipe or device is none, and not waited for."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files of a folder itself; of one that holds none, those anywhere below it."""
    direct = [path for path in sorted(folder.iterdir()) if path.is_file() and is_dicom_file(path)]
    return direct or [path for path in sorted(folder.rglob("*")) if path.is_file() and is_dicom_file(path)]


def files_below(folder: Path, series_uids: Iterable[str]) -> list[Path]:
    """DICOM files of these series in folders below a folder; none where more than 20,000 files lie below it."""
    uids = [uid for uid in series_uids if uid]
    inner = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()] if uids else []
    below = list(islice(chain.from_iterable(one.rglob("*") for one in inner), _MANY + 1))
    if len(below) > _MANY:
        return []
    return [path for path in sorted(below) if path.is_file() and is_dicom_file(path) and names(path, *uids)]


def named_as_dicom_only(folder: Path) -> list[Path]:
    """Files that are called DICOM and are none, beside some that are: what a copy that broke off leaves behind."""
    named = [one for one in folder.iterdir() if one.suffix.lower() in _NAMED_DICOM and not one.name.startswith(".")]
    return [one for one in named if one.is_file() and not is_dicom_file(one)]


def names(path: Path, *series_uids: str) -> bool:
    """Whether the beginning of a file holds the UID of one of these series, even where the file is damaged."""
    with path.open("rb") as stream:
        beginning = stream.read(1 << 16)
    return any(uid.encode("ascii", "replace") in beginning for uid in series_uids)
