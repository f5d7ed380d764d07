"""RJafroc's Excel file for free-response data (github.com/dpc10ster/RJafroc): worksheets TRUTH, FP and TP.

The worksheets for marks may also be called NL and LL, but RJafroc looks for its first worksheet by the alphabet and
does not find "NL" after "LL"; FP and TP, with the columns FP_Rating and TP_Rating, are read by every version.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.export.rated import Exported, case_number, crossed_readings
from MedUSISLib.study.lesions import Outcome
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading

TRUTH = ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
FALSE_MARKS = ("ReaderID", "ModalityID", "CaseID", "FP_Rating")
HITS = ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating")
PARADIGM = ("FROC", "FCTRL")
"""The first two rows of the column Paradigm: kind of data, and that all readers read all cases in all arms."""


def write_rjafroc(readings: Sequence[Reading], path: str | Path, protocol: Protocol) -> Exported:
    """Write an ``.xlsx`` file: ``DfReadDataFile(file, newExcelFileFormat = TRUE)``.

    Lesions of a case are numbered from 1 and weigh the same; a second mark on a lesion is left out, being neither a
    hit nor a false mark.

    Raises
    ------
    MedUSISError
        BAD_SETTING for other than lesion reading, cases without masks alone, and where a worksheet of marks would be
        empty, which RJafroc cannot read; DEPENDENCY_MISSING without openpyxl.
    """
    scored = [reading for reading in readings if reading.scored]
    if protocol.kind != "lesion-reading" or not scored:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "RJafroc's file holds marks of lesions, which this study does not have", "use imrmc"
        )
    kept, remarks = crossed_readings(scored)
    truth, false_marks, hits = _truth_rows(kept), [], []
    duplicates = 0
    for reading in kept:
        for mark in reading.marks:
            where = (reading.reader, reading.arm, case_number(reading.case))
            if mark.outcome is Outcome.HIT:
                hits.append((*where, mark.lesion, mark.mark.confidence))
            elif mark.outcome is Outcome.FALSE_POSITIVE:
                false_marks.append((*where, mark.mark.confidence))
            else:
                duplicates += 1
    if not hits or not false_marks or len(truth) < 2:
        what = "hit" if not hits else "false mark"
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"there is no {what}: RJafroc cannot read an empty worksheet", "export CSV tables"
        )
    if duplicates:
        remarks = (*remarks, f"{duplicates} second marks on a lesion are left out")
    with_masks = {reading.case for reading in scored}
    bare = len({reading.case for reading in readings} - with_masks)
    if bare:
        remarks = (*remarks, f"{bare} cases without a mask are left out")
    _write(path, {"TRUTH": (TRUTH, truth), "FP": (FALSE_MARKS, false_marks), "TP": (HITS, hits)})
    return Exported(len(false_marks) + len(hits), remarks)


def _truth_rows(readings: Sequence[Reading]) -> list[tuple[Any, ...]]:
    """One row for a case without lesions (lesion 0), one for each lesion of the others."""
    readers = ",".join(dict.fromkeys(reading.reader for reading in readings))
    arms = ",".join(dict.fromkeys(reading.arm for reading in readings))
    cases = {case_number(reading.case): reading.lesions for reading in readings}
    rows: list[tuple[Any, ...]] = []
    for case, lesions in sorted(cases.items()):
        labels = sorted(lesion.label for lesion in lesions)
        for label in labels or [0]:
            paradigm = PARADIGM[len(rows)] if len(rows) < len(PARADIGM) else None
            rows.append((case, label, 1 / len(labels) if labels else 0, readers, arms, paradigm))
    return rows


def _write(path: str | Path, sheets: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> None:
    try:
        from openpyxl import Workbook
    except ImportError:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            "openpyxl is not installed, which writes Excel files",
            "pip install 'medusis[studies]'",
        ) from None
    book = Workbook()
    book.remove(book.active)
    for name, (head, rows) in sheets.items():
        sheet = book.create_sheet(name)
        for row in (head, *rows):
            sheet.append(list(row))
    with atomic_path(path) as half:
        book.save(half)
