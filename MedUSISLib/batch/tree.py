"""All folders of a tree, in a fixed order, each once: what cannot be entered is told, not passed over.

Links to folders are followed, but no folder is entered twice, so loops end. Hidden files and the droppings of operating
systems are left alone, and so is what MedUSIS itself wrote.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.folder import CASES_NAME, MANIFEST_NAME
from MedUSISLib.batch.problems import problem
from MedUSISLib.output_directory import MARKER_NAME
from MedUSISLib.progress import Progress
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

_SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "#recycle"}


@dataclass(frozen=True)
class Folder:
    """A folder and the plain files in it, by name.

    Attributes
    ----------
    path : Path
    name : str
        Its path below the tree's root with forward slashes, "" for the root; always valid text.
    files : tuple of Path
    """

    path: Path
    name: str
    files: tuple[Path, ...]

    def name_of(self, file: Path) -> str:
        """Path of a file below the root."""
        return joined(self.name, plain(file.name))


def plain(name: str) -> str:
    r"""A file's name as valid text: bytes that are none are written as ``\udc80``, as Python's ``repr`` does.

    Examples
    --------
    >>> plain("M\udcfcller")
    'M\\udcfcller'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def joined(folder: str, name: str) -> str:
    """A path below the root, of a folder below the root and a name in it."""
    return f"{folder}/{name}" if folder else name


def walk(root: Path, problems: list[CaseProblem], progress: Progress) -> Iterator[Folder]:
    """Folders from the root down, each before those in it, by name.

    Parameters
    ----------
    root : Path
    problems : list of CaseProblem
        Gets what could not be entered, dead links, and results of MedUSIS that were left out.
    progress : Progress
        Asked ``checkpoint`` at each folder.
    """
    seen: set[object] = set()
    waiting = [(root, "")]
    while waiting:
        path, name = waiting.pop()
        progress.checkpoint()
        try:
            if (same := _identity(path)) in seen:
                continue
            seen.add(same)
            with os.scandir(path) as found:
                entries = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError:
            problems.append(problem("NOT_READABLE", name or ".", "a folder that cannot be opened"))
            continue
        names = {entry.name for entry in entries}
        if MANIFEST_NAME in names and CASES_NAME in names:
            problems.append(problem("SYNTHETIC", name or ".", "the results of a batch"))
            continue
        own = _written_here(path)
        if own:
            problems.append(problem("SYNTHETIC", name or ".", "a result of MedUSIS"))
        folders, files = _sorted_out([entry for entry in entries if entry.name not in own], name, problems)
        yield Folder(path, name, files)
        waiting += [(path / below, joined(name, plain(below))) for below in reversed(folders)]


def _identity(folder: Path) -> object:
    """By which a folder is known again, whatever path leads to it; some network drives give no number to any."""
    status = folder.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else folder.resolve()


def _sorted_out(
    entries: list[os.DirEntry[str]], name: str, problems: list[CaseProblem]
) -> tuple[list[str], tuple[Path, ...]]:
    """Names of folders, and files; pipes, sockets and devices are neither, and are never opened."""
    folders, files = [], []
    for entry in entries:
        with suppress(OSError):  # a link that leads round in a circle
            if entry.is_dir():
                if entry.name.lower() not in _SYSTEM_FOLDERS:
                    folders.append(entry.name)
                continue
            if entry.is_file():
                files.append(Path(entry.path))
                continue
        if entry.is_symlink():
            problems.append(problem("NOT_READABLE", joined(name, plain(entry.name)), "a link that leads nowhere"))
    return folders, tuple(files)


def _written_here(folder: Path) -> set[str]:
    """Names of the files of a synthesis in this folder; none when it holds something else of MedUSIS."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        written = parse_json(read_small_file(folder / MARKER_NAME))["written"]
        return {str(name) for name in written} if "provenance.json" in written else set()
    return set()
