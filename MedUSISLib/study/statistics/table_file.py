"""Tables as people save them: CSV with any usual separator, from spreadsheets and statistics programs."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from MedUSISLib.small_files import read_small_file
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def read_rows(
    path: Path, columns: Mapping[str, tuple[str, ...]], optional: Sequence[str] = ("cluster",)
) -> list[dict[str, object]]:
    """Rows of a CSV file under our column names, with their "line" in the file.

    Comma, semicolon or tab; UTF-8, or UTF-16 with its mark. Empty lines and a spreadsheet's ``sep=;`` before the header
    are passed over, and so are columns that nobody asked for.

    Parameters
    ----------
    path : Path
    columns : mapping
        Our name of a column to the names that it may have, in lower case and without spaces, dots, dashes and
        underscores: "Reader ID" is ``readerid``. The first one that is there counts.
    optional : sequence of str
        Columns that may be absent.

    Raises
    ------
    TableError
        ``NOT_A_TABLE``, ``EMPTY_TABLE``, ``MISSING_COLUMN`` or ``REPEATED_COLUMN``.
    """
    lines = _text_of(path).splitlines(keepends=True)
    skipped = next((n for n, line in enumerate(lines) if line.strip() and not _SEPARATOR_LINE.fullmatch(line)), None)
    if skipped is None:
        raise TableError(TableProblem.EMPTY_TABLE, "the table is empty", path=path)
    first = lines[skipped]
    reader = csv.reader(io.StringIO("".join(lines[skipped:]), newline=""), delimiter=max(",;\t", key=first.count))
    rows: list[dict[str, object]] = []
    try:
        header = next(reader)
        places = _places([re.sub(r"[\s_.-]", "", name.lower()) for name in header], columns, optional, path)
        for fields in reader:
            if not any(text.strip() for text in fields):
                continue
            number = reader.line_num + skipped
            if len(fields) < len(header) or any(text.strip() for text in fields[len(header) :]):
                raise TableError(
                    TableProblem.NOT_A_TABLE,
                    f"line {number} has {len(fields)} fields and the header {len(header)}",
                    "check separators and quotes",
                    path,
                )
            row: dict[str, object] = {name: fields[place].strip() for name, place in places.items()}
            rows.append({**row, "line": number})
    except csv.Error as error:
        raise TableError(
            TableProblem.NOT_A_TABLE,
            f"the table cannot be read from line {reader.line_num + skipped} on",
            "check the quotes: one that is not closed swallows what follows",
            path,
        ) from error
    return rows


def number_of(text: str) -> float:
    """A number as people write it: a decimal comma is understood where it cannot be one of thousands.

    Raises
    ------
    ValueError
        With what to do.

    Examples
    --------
    >>> number_of("2,5"), number_of("-1e-3")
    (2.5, -0.001)
    """
    if _THOUSANDS.fullmatch(text):
        raise ValueError("the comma may be a decimal one or one of thousands; use a decimal point")
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        value = math.nan if "_" in text else float(text)  # Python takes "1_0" for 10
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError("use a decimal point")
    return value


def _text_of(path: Path) -> str:
    try:
        content = read_small_file(path)
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(
            TableProblem.NOT_A_TABLE, "the table cannot be read", "give a CSV file in UTF-8", path
        ) from error


def _places(
    header: Sequence[str], columns: Mapping[str, tuple[str, ...]], optional: Sequence[str], path: Path
) -> dict[str, int]:
    """Where our columns are in the file."""
    places: dict[str, int] = {}
    absent = []
    for ours, names in columns.items():
        name = next((name for name in names if name in header), None)
        if name is None:
            absent += [ours] if ours not in optional else []
        elif header.count(name) > 1:
            raise TableError(
                TableProblem.REPEATED_COLUMN, f"the table has {header.count(name)} columns {name}", "keep one", path
            )
        else:
            places[ours] = header.index(name)
    if absent:
        raise TableError(
            TableProblem.MISSING_COLUMN,
            f"the table has no column {', '.join(absent)}",
            f"the first line must name the columns {', '.join(name for name in columns if name not in optional)}",
            path,
        )
    return places
