"""Cases from folders: one folder for each case, its files called by what they are; and the table of cases as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.case_table import COLUMNS, IMAGE_COLUMNS

FILE_COLUMNS = (*IMAGE_COLUMNS, "lesions")
_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")

Cells = Mapping[str, str]
"""A row of the table as text, by column."""


def find_cases(folder: Path) -> list[dict[str, str]]:
    """Cases in the folders of a folder, by name: ``real``, ``synthetic``, ``second``, ``ct``, ``uncertainty``,
    ``lesions``.

    A name is the file's without its ending (``ct.nii.gz``), or that of a folder of DICOM slices (``ct/``). Folders
    without any of them are passed over.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when the folder cannot be read; BAD_SETTING when there is no case in it, or a name twice.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [(number, _case(path)) for number, path in enumerate(folders, start=1)]
    except OSError:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the folder of cases cannot be read", path=folder) from None
    cases = [{"case": f"{folder.name}-{number}", **files} for number, files in found if files]
    if not cases:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "no case was found in the folder",
            f"make a folder for each case with files called {', '.join(FILE_COLUMNS)}",
            folder,
        )
    return cases


def read_cells(table: Path) -> list[dict[str, str]]:
    """The cells of a table of cases as text, files with their whole paths; the table is checked first.

    Raises
    ------
    MedUSISError
        As ``case_table.read_case_table``.
    """
    from MedUSISLib.study.case_table import read_case_table

    read_case_table(table)
    text = table.read_text(encoding="utf-8-sig")
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    head = [name.strip().lower() for name in rows[0]]
    cells = [dict(zip(head, (cell.strip() for cell in row), strict=True)) for row in rows[1:]]
    for row in cells:
        for column in FILE_COLUMNS:
            if row.get(column):
                row[column] = str((table.parent / Path(row[column]).expanduser()).resolve())
    return cells


def write_cells(table: Path, cells: Sequence[Cells]) -> None:
    """Write a table of cases; columns that are empty everywhere are left out.

    Raises
    ------
    MedUSISError
        BAD_SETTING when it cannot be written; DISK_FULL.
    """
    columns = [name for name in COLUMNS if name == "case" or any(row.get(name) for row in cells)]
    with atomic_path(table) as half:
        half.touch(mode=0o600)  # it says who is who
        with half.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([row.get(name, "") for name in columns] for row in cells)


def _case(folder: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        stem = next((name[: -len(ending)] for ending in _ENDINGS if name.endswith(ending)), None)
        column = name if path.is_dir() else stem
        if column not in FILE_COLUMNS:
            continue
        if column in files:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"a case has two files called {column}", "leave one of them", folder
            )
        files[column] = str(path.resolve())
    return files
