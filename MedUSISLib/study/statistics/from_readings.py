"""From a study's readings to the tables of the statistics.

Training is left out everywhere. Of repeated trials the first reading counts; pairs of first and repeated reading are
for the agreement of a reader with an earlier reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem
from MedUSISLib.study.statistics.turing import Said, TuringAnswer

if TYPE_CHECKING:
    from MedUSISLib.study.readings import Reading


def first_readings(readings: Iterable[Reading]) -> list[Reading]:
    """Readings that are analysed: no training, no repeats."""
    return [reading for reading in readings if not reading.training and not reading.repeat_of]


def turing_answers(
    readings: Iterable[Reading], question: str = "source", confidence: str = "confidence"
) -> list[TuringAnswer]:
    """Answers "real", "synthetic" or "unsure" to single images.

    The real and the synthetic image of one case are two pictures of one patient, and are resampled together.

    Parameters
    ----------
    readings : iterable of Reading
    question, confidence : str
        Ids of the questions; an unanswered confidence is None.
    """
    return [
        TuringAnswer(
            reader=reading.reader,
            case=f"{reading.case}/{reading.arm}",
            synthetic=reading.right_answer == Said.SYNTHETIC.value,
            said=Said(reading.values[question]),
            confidence=_number(reading.values.get(confidence)),
            stratum=reading.stratum,
            patient=reading.case,
        )
        for reading in first_readings(readings)
    ]


def forced_choices(readings: Iterable[Reading], question: str = "source") -> list[tuple[str, str, bool]]:
    """(reader, case, right) of a two-alternative forced choice."""
    return [(r.reader, r.case, r.values[question] == r.right_answer) for r in first_readings(readings)]


def case_ratings(readings: Iterable[Reading], question: str = "confidence") -> RatingTable:
    """Ratings of lesion reading, tests being the arms: how likely the reader thinks a lesion.

    Raises
    ------
    TableError
        ``BAD_TRUTH`` where nobody knows whether a case has a lesion; ``EMPTY_TABLE``.
    """
    rows = []
    for reading in first_readings(readings):
        if reading.status is None:
            raise TableError(
                TableProblem.BAD_TRUTH,
                "for at least one case nobody knows whether it has a lesion",
                "give every case a lesion mask or a status",
            )
        rows.append(
            {
                "reader": reading.reader,
                "test": reading.arm,
                "case": reading.case,
                "truth": int(reading.status),
                "rating": _number(reading.values.get(question)),
            }
        )
    return RatingTable.from_rows(rows)


def lesion_marks(readings: Iterable[Reading]) -> LesionTable:
    """Marks of lesion reading, for AFROC figures. Second marks on one lesion count as neither hit nor false mark.

    Raises
    ------
    TableError
        ``BAD_LESION`` where a case without a mask was read.
    """
    chosen = first_readings(readings)
    lesions: dict[str, list[str]] = {}
    marks: list[dict[str, object]] = []
    for reading in chosen:
        if not reading.scored:
            raise TableError(
                TableProblem.BAD_LESION,
                "a case has no lesion mask, so that its marks cannot be told right from wrong",
                "give every case a mask, an empty one where there is no lesion",
            )
        lesions[reading.case] = [str(lesion.label) for lesion in reading.lesions]
        for mark in reading.marks:
            if mark.outcome.value != "duplicate":
                marks.append(
                    {
                        "reader": reading.reader,
                        "test": reading.arm,
                        "case": reading.case,
                        "lesion": str(mark.lesion) if mark.outcome.value == "hit" else "",
                        "rating": mark.mark.confidence,
                    }
                )
    rows = [{"case": case, "lesion": lesion} for case, found in lesions.items() for lesion in found or [""]]
    readers = list(dict.fromkeys(reading.reader for reading in chosen))
    arms = list(dict.fromkeys(reading.arm for reading in chosen))
    return LesionTable.from_rows(rows, marks, readers, arms)


def repeated_pairs(readings: Sequence[Reading], question: str) -> dict[str, list[tuple[object, object]]]:
    """First and repeated answer to a question, by reader; for ``agreement.cohen_kappa`` or ``icc.icc``."""
    known = {(reading.trial, reading.stage): reading for reading in readings}
    pairs: dict[str, list[tuple[object, object]]] = {}
    for reading in readings:
        first = known.get((reading.repeat_of, reading.stage)) if reading.repeat_of else None
        if first is not None and not reading.training:
            pairs.setdefault(reading.reader, []).append((first.values.get(question), reading.values.get(question)))
    return pairs


def answers_by_case(readings: Iterable[Reading], question: str) -> list[list[object]]:
    """Answers [case and arm][reader], None where there is none; for the agreement between readers."""
    chosen = first_readings(readings)
    readers = list(dict.fromkeys(reading.reader for reading in chosen))
    table: dict[tuple[str, str], list[object]] = {}
    for reading in chosen:
        row = table.setdefault((reading.case, reading.arm), [None] * len(readers))
        row[readers.index(reading.reader)] = reading.values.get(question)
    return list(table.values())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
