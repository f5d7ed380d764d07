"""CSV tables of everything: answers, marks, lesions, forms - training, repeats and unfinished readers included."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from MedUSISLib.study.answers import Row
from MedUSISLib.study.export.rated import Exported
from MedUSISLib.study.lesions import ScoredMark
from MedUSISLib.study.questions import Mark
from MedUSISLib.study.readings import Reading, cell, readings_csv

ANSWERS, MARKS, LESIONS, FORMS = "answers.csv", "marks.csv", "lesions.csv", "forms.csv"
MARK_COLUMNS = (
    "reader", "test", "case", "lesion", "rating", "outcome", "category", "x_lps_mm", "y_lps_mm", "z_lps_mm", "size_mm",
    "trial", "stage", "training", "repeat_of",
)  # fmt: skip
LESION_COLUMNS = ("case", "lesion", "volume_mm3", "x_lps_mm", "y_lps_mm", "z_lps_mm", "mask_value", "stratum")
FORM_COLUMNS = ("reader", "form", "question", "answer", "at")


def write_tables(readings: Sequence[Reading], folder: str | Path, rows: Iterable[Row] = ()) -> Exported:
    """Write the four tables into a folder that exists.

    Parameters
    ----------
    readings : sequence of Reading
    folder : str or Path
    rows : iterable of Row
        All rows of the answers, for profiles and closing forms; of each reader and form the newest.

    Returns
    -------
    Exported
        ``rows`` counts answers.
    """
    folder = Path(folder)
    (folder / ANSWERS).write_text(readings_csv(readings), encoding="utf-8", newline="\n")
    _write(folder / MARKS, MARK_COLUMNS, (row for reading in readings for row in _mark_rows(reading)))
    _write(folder / LESIONS, LESION_COLUMNS, _lesion_rows(readings))
    _write(folder / FORMS, FORM_COLUMNS, _form_rows(rows))
    return Exported(len(readings))


def _mark_rows(reading: Reading) -> Iterable[Sequence[Any]]:
    """Scored marks; those of a case without a mask have no outcome."""
    given: list[tuple[Mark, ScoredMark | None]] = [(scored.mark, scored) for scored in reading.marks]
    if not reading.scored:
        lists = (value for value in reading.values.values() if isinstance(value, list))
        given = [(Mark.model_validate(mark), None) for value in lists for mark in value]
    for mark, scored in given:
        hit = scored is not None and scored.outcome.value == "hit"
        yield (
            reading.reader,
            reading.arm,
            reading.case,
            scored.lesion if scored is not None and hit else "",
            mark.confidence,
            scored.outcome.value if scored is not None else "",
            mark.category,
            *mark.position_lps_mm,
            mark.size_mm,
            reading.trial,
            reading.stage,
            reading.training,
            reading.repeat_of,
        )


def _lesion_rows(readings: Sequence[Reading]) -> Iterable[Sequence[Any]]:
    """Every lesion, and a row with an empty lesion for each case with a mask and none."""
    cases = {reading.case: reading for reading in readings if reading.scored}
    for case, reading in sorted(cases.items()):
        for lesion in reading.lesions:
            yield (case, lesion.label, lesion.volume_mm3, *lesion.centre_lps_mm, lesion.mask_value, reading.stratum)
        if not reading.lesions:
            yield (case, "", "", "", "", "", "", reading.stratum)


def _form_rows(rows: Iterable[Row]) -> Iterable[Sequence[Any]]:
    newest = {(row.reader, row.kind): row for row in sorted(rows, key=lambda r: r.sequence)}
    for (reader, kind), row in sorted(newest.items()):
        if kind in ("profile", "closing"):
            for question, value in row.values.items():
                yield (reader, kind, question, value, row.at)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            table.writerow([cell(value) for value in row])
