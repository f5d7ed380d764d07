"""The table of cases: a CSV file with the columns ct and segmentation, and optionally id, labels and series.

    id,ct,segmentation,labels
    head 1,p1/ct.nii.gz,p1/seg.nii.gz,synthseg
    head 2,p2/ct,,

Comma, semicolon and tab all separate. Paths start from the table's own folder. A row without a segmentation is a CT
that nobody segmented. ``labels`` is the name of a mapping or the path of a label table, ``series`` the
SeriesInstanceUID of a CT in a DICOM folder that holds several. Lines that start with ``#`` and empty lines are skipped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases
from MedUSISLib.batch.cell_paths import named_file, names_a_drive
from MedUSISLib.batch.grids import Grids
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.voxel_owners import VoxelOwners
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_file

COLUMNS = ("id", "ct", "segmentation", "labels", "series")
_OTHER_NAMES = {"seg": "segmentation", "case": "id", "ct_series": "series"}
_SUFFIXES = (".csv", ".tsv", ".txt")
# What Excel writes as the first line so that it finds the separator again.
_SAYS_SEPARATOR = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)


@dataclass(frozen=True)
class _Row:
    """A row and the line that it begins in, the heading being line 1."""

    line: int
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        return f"row {self.line}"


def is_table(path: Path) -> bool:
    """True for the suffix of a table."""
    return path.suffix.lower() in _SUFFIXES


def read_case_table(path: Path) -> FoundCases:
    """Cases of a table, in its order; a row that is wrong becomes a problem with its line, and the others stay.

    UTF-8 and UTF-16 with or without a mark at the beginning, and what Excel writes in Western Europe.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the file cannot be read; ``BAD_SETTING`` when its first line names no column ct.
    """
    path = Path(path).absolute()
    lines = _lines(path)
    head = [_OTHER_NAMES.get(name, name) for name in (cell.strip().lower() for cell in lines[0][1])] if lines else []
    known = [name for name in head if name in COLUMNS]
    if "ct" not in known or len(set(known)) != len(known):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the first line of the table must name the column ct, and each column once",
            f"make the first line: {','.join(COLUMNS[:4])}",
            path,
        )
    problems = [
        problem("UNKNOWN_COLUMN", f"column {number}", f"it is passed over; known are {', '.join(COLUMNS)}")
        for number, name in enumerate(head, start=1)
        if name and name not in COLUMNS
    ]
    rows = []
    for line, cells in lines[1:]:
        if len(cells) > len(head) and any(cell.strip() for cell in cells[len(head) :]):
            what = f"it has {len(cells)} cells, the heading has {len(head)}: a path with a separator needs quotes"
            problems.append(problem("TABLE_ROW", f"row {line}", what))
        else:
            cells += [""] * (len(head) - len(cells))
            rows.append(_Row(line, {name: cell.strip() for name, cell in zip(head, cells, strict=False)}))
    cases = _cases(rows, path.parent, problems)
    if not cases and not problems:
        problems.append(problem("TABLE_ROW", "row 2", "the table has a heading and no rows"))
    return FoundCases(tuple(cases), tuple(problems), "table")


def _cases(rows: list[_Row], folder: Path, problems: list[CaseProblem]) -> list[BatchCase]:
    cases: list[BatchCase] = []
    places: list[str] = []
    ids: dict[str, int] = {}
    inputs: dict[BatchCase, int] = {}
    for row in rows:
        case = _case(row, folder, problems)
        if case is None:
            continue
        same = replace(case, key="")
        if same in inputs:
            problems.append(problem("DUPLICATE", row.place, f"it names the files of row {inputs[same]}"))
            continue
        key = case.key
        if not row.cells.get("id") and key in ids:  # one CT with several segmentations
            key = f"{key} + {row.cells.get('segmentation', '')}"
        if ids.setdefault(key, row.line) != row.line:
            problems.append(problem("DUPLICATE_ID", row.place, f"row {ids[key]} has the same id"))
            continue
        inputs[same] = row.line
        cases.append(replace(case, key=key))
        places.append(row.place)
    return list(_not_mixed_up(cases, places, problems))


def _not_mixed_up(
    cases: Sequence[BatchCase], places: Sequence[str], problems: list[CaseProblem]
) -> Iterator[BatchCase]:
    """A table of which one column was sorted without the others looks right; the voxels of its files do not."""
    owners = VoxelOwners([(case.ct,) for case in cases if case.ct.is_file()], Grids())
    cts_of: dict[Path | None, list[tuple[Path, ...]]] = {}
    for case in cases:
        cts_of.setdefault(case.segmentation, []).append((case.ct,))
    for case, place in zip(cases, places, strict=True):
        one = case.segmentation
        if one is not None and one.is_file() and case.ct.is_file() and owners.is_of_another((one,), cts_of[one]):
            what = "its segmentation lies on the voxels of the CT of another row"
            problems.append(problem("ROW_AGAINST_VOXELS", place, what))
        else:
            yield case


def _case(row: _Row, folder: Path, problems: list[CaseProblem]) -> BatchCase | None:
    """A case without regard to the other rows; None when something is missing."""
    written = row.cells["ct"]
    if not written:
        problems.append(problem("TABLE_ROW", row.place, "it names no CT"))
        return None
    missing = False
    paths: dict[str, Path | None] = {}
    for column in ("ct", "segmentation"):
        text = row.cells.get(column, "")
        paths[column] = named_file(text, folder)
        if text and paths[column] is None:
            drive = " (a drive of Windows, which this computer does not have)" if names_a_drive(text) else ""
            problems.append(problem("MISSING_FILE", row.place, f"what column {column} names is not there{drive}"))
            missing = True
    labels: str | None = row.cells.get("labels") or None
    if labels and Path(labels).suffix.lower() in _SUFFIXES:
        found = named_file(labels, folder)
        if found is None:
            problems.append(problem("MISSING_FILE", row.place, "the label table of column labels is not there"))
            missing = True
        labels = str(found)
    ct = paths["ct"]
    if missing or ct is None:
        return None
    if ct == paths["segmentation"] and ct.is_file():
        problems.append(problem("TABLE_ROW", row.place, "its CT and its segmentation are the same file"))
        return None
    series = row.cells.get("series") or None
    key = row.cells.get("id") or (f"{written}#{series}" if series else written)
    return BatchCase(key, ct, paths["segmentation"], labels, series)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Cells of the lines that are not empty, with the number of the line that each begins in."""
    try:
        text = _decoded(read_small_file(path))
    except (OSError, UnicodeDecodeError):
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, "the table cannot be read", "save it as CSV in UTF-8", path
        ) from None
    beginning = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    said = _SAYS_SEPARATOR.fullmatch(beginning.strip(" \r\n"))
    delimiter = said[1] if said else max(",;\t", key=beginning.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found = []
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                found.append((line, cells))
    except csv.Error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the table is no CSV table: line {before + 1} cannot be read",
            "see whether a quotation mark is missing, and save it as CSV in UTF-8",
            path,
        ) from None
    return found[1:] if said else found


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\0" in data[:1024]:
        raise UnicodeDecodeError("utf-8", data[:16], 0, 1, "not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")
