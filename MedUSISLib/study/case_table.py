"""The table of cases that a study is made of: which files belong to a case, and what is known about it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_text

IMAGE_COLUMNS = ("real", "synthetic", "second", "ct", "uncertainty")
COLUMNS = ("case", *IMAGE_COLUMNS, "lesions", "stratum", "status", "training", "slice")
_YES, _NO = {"yes", "y", "1", "true"}, {"no", "n", "0", "false"}
_LARGEST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class CaseRow:
    """One row of the table.

    Attributes
    ----------
    row : int
        Line of the row in the table, the head being line 1: how a case is found again without its name.
    images : mapping
        Role ("real", "synthetic", "second", "ct", "uncertainty") to file or DICOM folder.
    lesions : Path, optional
        Mask of the lesions; background 0.
    stratum : str
        What results are also given by, such as a scanner or a severity.
    status : bool, optional
        Whether there is a lesion; from the mask when not given.
    training : bool
        Shown first, never analysed.
    slice_fraction : float, optional
        Where the slice is taken, as a part of the body's extent.
    """

    row: int
    images: Mapping[str, Path] = field(default_factory=dict)
    lesions: Path | None = None
    stratum: str = ""
    status: bool | None = None
    training: bool = False
    slice_fraction: float | None = None


def read_case_table(path: str | Path) -> list[CaseRow]:
    """Read a CSV table of cases (comma, semicolon or tab; UTF-8).

    Columns: ``case`` and at least one of ``real``, ``synthetic``, ``second``, ``ct``; optional ``uncertainty``,
    ``lesions``, ``stratum``, ``status`` (yes/no), ``training`` (yes/no), ``slice`` (0 to 1). Files are looked for from
    the table's own folder. The names in ``case`` only have to differ: they are not passed on.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when the table or a file in it is not there, BAD_SETTING for what the table says; with line
        and column, never with the value.
    """
    path = Path(path)
    lines = _lines(path)
    if not lines:
        raise _wrong("the table of cases is empty", path)
    head = [name.strip().lower() for name in lines[0][1]]
    unknown = [number for number, name in enumerate(head, start=1) if name not in COLUMNS]
    if unknown or len(set(head)) != len(head) or "case" not in head:
        where = f"column {unknown[0]} is not known" if unknown else "a column is missing or there twice"
        raise _wrong(f"the head of the table of cases is wrong: {where}", path, f"use {', '.join(COLUMNS)}")
    rows, seen = [], set()
    for number, cells in lines[1:]:
        if len(cells) != len(head):
            raise _wrong(f"line {number} of the table of cases has {len(cells)} cells, its head {len(head)}", path)
        values = dict(zip(head, (cell.strip() for cell in cells), strict=True))
        if not values["case"] or values["case"] in seen:
            raise _wrong(f"line {number} of the table of cases has no case, or one that was there before", path)
        seen.add(values["case"])
        rows.append(_row(number, values, path))
    if not rows:
        raise _wrong("the table of cases has a head and no cases", path)
    return rows


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = read_small_text(path, _LARGEST_BYTES)
    except (OSError, UnicodeDecodeError):
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, "the table of cases cannot be read", "give a CSV file in UTF-8", path
        ) from None
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        cells = list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error:
        raise _wrong("the table of cases is no CSV table", path) from None
    return [(number, row) for number, row in enumerate(cells, start=1) if any(cell.strip() for cell in row)]


def _row(number: int, values: Mapping[str, str], table: Path) -> CaseRow:
    def wrong(column: str, rule: str) -> MedUSISError:
        return _wrong(f"line {number}, column {column} of the table of cases {rule}", table)

    def file(column: str) -> Path | None:
        text = values.get(column, "")
        if not text:
            return None
        try:
            found = (table.parent / Path(text).expanduser()).resolve()
            there = found.exists()
        except (OSError, RuntimeError, ValueError):  # a name too long, "~" of somebody unknown, a character of no path
            found, there = table, False
        if not there:
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                f"the file in line {number}, column {column} of the table of cases does not exist",
                "check the path; it starts from the table's folder",
                found,
            )
        return found

    def decision(column: str) -> bool | None:
        text = values.get(column, "").lower()
        if text not in {"", *_YES, *_NO}:
            raise wrong(column, "is neither yes nor no")
        return None if not text else text in _YES

    images = {role: found for role in IMAGE_COLUMNS if (found := file(role)) is not None}
    if not images:
        raise _wrong(f"line {number} of the table of cases has no image", table)
    fraction = None
    if values.get("slice"):
        try:
            fraction = float(values["slice"])
        except ValueError:
            raise wrong("slice", "is not a number") from None
        if not 0.0 <= fraction <= 1.0:
            raise wrong("slice", "is not between 0 and 1")
    return CaseRow(
        row=number,
        images=images,
        lesions=file("lesions"),
        stratum=values.get("stratum", ""),
        status=decision("status"),
        training=bool(decision("training")),
        slice_fraction=fraction,
    )


def _wrong(message: str, path: Path, hint: str = "correct the table") -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, message, hint, path)
