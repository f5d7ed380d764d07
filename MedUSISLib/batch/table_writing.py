"""What was found, as a table of cases that a person corrects and hands in again (`table.read_case_table` reads it)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.problems import PROBLEMS
from MedUSISLib.batch.table import COLUMNS
from MedUSISLib.imaging.writing import atomic_path

_COLUMN = {
    "SEVERAL_SEGMENTATIONS": "ct",
    "ONE_OF_SEVERAL": "segmentation",
    "SEVERAL_CTS": "segmentation",
    "NAME_AGAINST_VOXELS": "segmentation",
    "NO_CT": "segmentation",
    "OTHER_IMAGE": "segmentation",
    "UNKNOWN_IMAGE": "ct",
    "FEW_SLICES": "ct",
    "FURTHER_SEGMENTATION": "segmentation",
}
"""What somebody who knows better may want to use after all, and the column that names it."""
_PASSED_OVER = "# What follows was not taken. To use it, remove the # in front and complete the row."


def write_case_table(found: FoundCases, path: Path, source: Path | None = None) -> Path:
    """Write the cases that were found as a table, which can be corrected by hand and given as the input.

    CTs and segmentations that were matched with nothing follow in rows that begin with ``#``, which nobody reads until
    a person takes the ``#`` away.

    Parameters
    ----------
    found : FoundCases
    path : Path
        Of the table; readable by this user alone, because it names patients.
    source : Path, optional
        The folder in which was looked: with it the rows after the cases name files, too.

    Raises
    ------
    MedUSISError
        ``DISK_FULL`` or ``BAD_SETTING`` when it cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(case) for case in found.cases)
    unused = list(_unused(found.problems, source.resolve())) if source is not None and source.is_dir() else []
    if unused:
        writer.writerow([_PASSED_OVER])
        writer.writerows(unused)
    with atomic_path(path, path.suffix) as half:
        half.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape", newline="\n")
        half.chmod(0o600)
    return path


def _row(case: BatchCase) -> list[str]:
    key = f"./{case.key}" if case.key.lstrip().startswith("#") else case.key  # a row that begins with # is no row
    return [str(cell) for cell in (key, case.ct, case.segmentation or "", case.labels or "", case.ct_series or "")]


def _unused(problems: Sequence[CaseProblem], root: Path) -> Iterator[list[str]]:
    """Rows by kind of problem, each kind under its title; only what is there can be named."""
    for code, column in _COLUMN.items():
        places = dict.fromkeys(one.where for one in problems if one.code == code)
        there = [place for place in places if (root / place).exists()]
        if there:
            yield [f"# {PROBLEMS[code].title}:"]
        for place in there:
            cells = {"id": f"# {place}", column: str(root / place)}
            yield [cells.get(name, "") for name in COLUMNS]
