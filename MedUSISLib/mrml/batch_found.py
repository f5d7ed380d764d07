"""What a look at the data of a batch found, for the window: how many, which, what is wrong, and the table of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.batch_logic import count

if TYPE_CHECKING:
    from MedUSISLib.batch.case import BatchCase, FoundCases

_KINDS = {
    "table": "a table",
    "bids": "a BIDS dataset",
    "dicom": "DICOM",
    "files": "image files",
}
_BY_BUTTON = "('Save table...' writes one)"


@dataclass(frozen=True)
class Problem:
    """Something in the data that became no case, or (``note``) a case that should be looked at."""

    where: str
    what: str
    remedy: str
    note: bool = False


@dataclass(frozen=True)
class Found:
    """What a look at the data found.

    Attributes
    ----------
    kind : str
        "table", "bids", "dicom" or "files".
    cases, without_segmentation : int
    problems : tuple of Problem
        The gravest kind first.
    workers : int
        Cases that will be done at a time; 0 while nobody knows.
    worker_bytes : int
        Memory that each of them will take.
    listed : FoundCases or None
        Everything by name; None when only the numbers are known.
    """

    kind: str
    cases: int
    without_segmentation: int
    problems: tuple[Problem, ...]
    workers: int = 0
    worker_bytes: int = 0
    listed: FoundCases | None = field(default=None, repr=False)

    @property
    def unused(self) -> tuple[Problem, ...]:
        """What became no case."""
        return tuple(problem for problem in self.problems if not problem.note)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Cases that somebody should look at before the start."""
        return tuple(problem for problem in self.problems if problem.note)


def read_found(path: Path, summary: Mapping[str, Any]) -> Found:
    """What a dry run wrote and said; without its file the counts alone are known."""
    from MedUSISLib.batch import found_file

    listed: FoundCases | None = None
    try:
        listed = found_file.read_found(path)
    except (OSError, ValueError):
        pass
    return Found(
        str(summary.get("kind", "")),
        int(summary.get("cases", 0)),
        int(summary.get("without_segmentation", 0)),
        _problems(listed) if listed is not None else (),
        int(summary.get("workers") or 0),
        int(summary.get("worker_bytes") or 0),
        listed,
    )


def found_text(found: Found) -> str:
    """Counts in a sentence or two.

    Examples
    --------
    >>> found_text(Found("bids", 12, 2, (Problem("sub-13", "its CT is cut short", "copy it again"),)))
    'In a BIDS dataset: 12 CTs, 10 with their segmentation, 2 without. 1 thing became no case.'
    """
    place = _KINDS.get(found.kind, "")
    if not found.cases:
        text = "No CT was found" + (f" in {place}." if place else ".")
    else:
        text = f"{count(found.cases, 'CT')}, "
        if not found.without_segmentation:
            text += "with its segmentation." if found.cases == 1 else "all with their segmentation."
        else:
            with_one = found.cases - found.without_segmentation
            text += f"{with_one} with their segmentation, {found.without_segmentation} without."
        text = f"In {place}: {text}" if place else text
    if found.unused:
        text += f" {count(len(found.unused), 'thing')} became no case."
    if found.notes:
        text += f" {count(len(found.notes), 'thing')} should be looked at."
    if found.cases and found.workers and found.worker_bytes:
        text += f" {found.workers} at a time, about {found.worker_bytes / 1e9:.1f} GB of memory each."
    return text


@dataclass(frozen=True)
class FoundLine:
    """A row of a list of what was found: its two cells, and everything there is to say, sentence by sentence."""

    where: str
    what: str
    details: tuple[str, ...]


@dataclass(frozen=True)
class FoundList:
    """``total`` things were found; ``lines`` are the first of them."""

    total: int
    lines: tuple[FoundLine, ...]


def lists_of(found: Found, source: Path, most: int) -> dict[str, FoundList]:
    """The lists in which something stands: "unused" (became no case), "notes" (to be looked at) and "cases".

    Parameters
    ----------
    found : Found
    source : Path
        The folder or table that was looked at: places below it are written without it.
    most : int
        Lines of a list.
    """
    cases = found.listed.cases if found.listed is not None else ()
    root = source.resolve() if source.is_dir() else source.resolve().parent
    lists = {
        "unused": FoundList(len(found.unused), tuple(map(_problem_line, found.unused[:most]))),
        "notes": FoundList(len(found.notes), tuple(map(_problem_line, found.notes[:most]))),
        "cases": FoundList(len(cases), tuple(_case_line(case, root) for case in cases[:most])),
    }
    return {name: listed for name, listed in lists.items() if listed.total}


def write_table(found: Found, source: Path, path: Path) -> Path:
    """Write the found cases as a table, which can be corrected and chosen in place of the folder; its path.

    Raises
    ------
    MedUSISError
        ``DISK_FULL`` or ``BAD_SETTING`` when it cannot be written.
    """
    from MedUSISLib.batch.table import is_table
    from MedUSISLib.batch.table_writing import write_case_table

    assert found.listed is not None
    if not is_table(path):
        path = path.with_name(f"{path.name}.csv")
        if path.exists():  # nobody was asked about this name
            raise MedUSISError(ErrorCode.BAD_SETTING, "the table exists already", "give another name", path)
    return write_case_table(found.listed, path, source)


def _problems(listed: FoundCases) -> tuple[Problem, ...]:
    from MedUSISLib.batch.found_text import by_code
    from MedUSISLib.batch.problems import PROBLEMS, TABLE_COMMAND

    found = []
    for code, problems in by_code(listed.problems).items():
        note = code in PROBLEMS and PROBLEMS[code].note
        for one in problems:
            found.append(Problem(one.where, one.what, one.remedy.replace(TABLE_COMMAND, _BY_BUTTON), note))
    return tuple(found)


def _problem_line(problem: Problem) -> FoundLine:
    details = (problem.what, f"what to do: {problem.remedy}" if problem.remedy else "")
    return FoundLine(problem.where, problem.what, tuple(filter(None, details)))


def _case_line(case: BatchCase, root: Path) -> FoundLine:
    from MedUSISLib.batch.found_text import segmentation_text

    what = segmentation_text(case, root)
    told = f"its segmentation: {what}" if case.segmentation is not None else "it has no segmentation"
    return FoundLine(case.key, what, (told,))
