"""The table format of mappings: a CSV file with the columns value, name (may be left out) and class.

    # a comment
    value,name,class
    1,Left lung,lung
    251-255,corpus callosum,white_matter

``value`` is a whole number or a range ``first-last``; ``class`` is a class's name or its index; ``name`` is what the
source calls the value. Comma, semicolon and tab all separate. Lines that start with ``#`` and empty lines are skipped;
further columns are ignored. Rows are in order of precedence: a later row wins.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import NamedTuple

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_text

_VALUE = re.compile(r"([+-]?[0-9]{1,12})\s*(?:-\s*([+-]?[0-9]{1,12}))?")
_LONGEST_RANGE = 100_000
_LARGEST_VALUE = 2**31 - 1


class MappingRow(NamedTuple):
    """A checked row: label values ``first`` to ``last``, the source's name for them, and the class they become."""

    line: int
    first: int
    last: int
    name: str
    class_name: str


def read_mapping_table(path: str | Path) -> list[MappingRow]:
    """Rows of a table file, in the order of the file.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when the file cannot be read as text, BAD_SETTING with the line number when a row is wrong.
    """
    path = Path(path)
    try:
        text = read_small_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else "no such file, or not readable"
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, f"the label table cannot be read: {reason}", "give a .csv file", path
        ) from error
    return parse_mapping_table(text, path)


def parse_mapping_table(text: str, path: Path | None = None) -> list[MappingRow]:
    """Rows of a table given as text; see `read_mapping_table`."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise _bad("the label table is empty", "its first line must be: value,name,class", path)
    header_line, header = lines[0]
    separator = max(",;\t", key=header.count)
    columns = [cell.lower() for cell in _cells(header_line, header, separator, path)]
    missing = [column for column in ("value", "class") if columns.count(column) != 1]
    if missing:
        raise _bad(
            f"line {header_line} of the label table must name the columns value, name and class; "
            f"{' and '.join(missing)} is missing or there twice",
            "make the first line: value,name,class",
            path,
        )
    cells_of_lines = [(number, _cells(number, line, separator, path)) for number, line in lines[1:]]
    rows = [_row(number, cells, columns, path) for number, cells in cells_of_lines if any(cells)]
    if not rows:
        raise _bad("the label table has a heading but no rows", "add a row for each label value", path)
    return rows


def format_mapping_table(rows: list[MappingRow]) -> str:
    """The text of a table; `parse_mapping_table` gives the same rows back (line numbers apart)."""
    out = ["value,name,class"]
    for row in rows:
        value = str(row.first) if row.first == row.last else f"{row.first}-{row.last}"
        name = '"' + row.name.replace('"', '""') + '"' if re.search(r'[",;\t#\s]', row.name) else row.name
        out.append(f"{value},{name},{row.class_name}")
    return "\n".join(out) + "\n"


def _cells(line: int, text: str, separator: str, path: Path | None) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=separator))]
    except csv.Error as error:
        raise _bad(f"line {line} of the label table is not CSV", "use a plain .csv file", path) from error


def _row(line: int, cells: list[str], columns: list[str], path: Path | None) -> MappingRow:
    if len(cells) < len(columns):
        raise _bad(
            f"line {line} of the label table has {len(cells)} columns instead of {len(columns)}",
            "each row needs a value for every column of the heading",
            path,
        )
    row = dict(zip(columns, cells, strict=False))
    match = _VALUE.fullmatch(row["value"])
    if match is None:
        raise _bad(
            f"line {line} of the label table: '{row['value']}' is not a label value",
            "write a whole number, or a range such as 251-255",
            path,
        )
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if last < first or last - first > _LONGEST_RANGE or max(-first, last) > _LARGEST_VALUE:
        raise _bad(
            f"line {line} of the label table: '{row['value']}' is not a usable range of label values",
            f"a range rises, spans at most {_LONGEST_RANGE} values and stays within 32 bits",
            path,
        )
    if not row["class"]:
        raise _bad(
            f"line {line} of the label table names no class for the label value {row['value']}",
            "write the class's name, or background for values to be left out",
            path,
        )
    return MappingRow(line, first, last, row.get("name", ""), row["class"])


def _bad(message: str, hint: str, path: Path | None) -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, message, hint, path)
