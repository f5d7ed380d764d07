"""Marks and lesions of a free-response study: what was marked, how sure the reader was, and which lesion it hit.

Two tables: *lesions* (``case``, ``lesion``, perhaps ``weight``; a row with an empty ``lesion`` is a case without any)
and *marks* (``reader``, ``test``, ``case``, ``lesion``, ``rating``; an empty ``lesion`` is a false mark). Whether a
mark hits is decided before, by the rule of the protocol.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.table_file import number_of, read_rows
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem

UNMARKED = -math.inf
"""Rating of a lesion without a mark, and of a case without a false mark: below every rating."""


@dataclass(frozen=True)
class LesionTable:
    """Highest ratings of a free-response study.

    Attributes
    ----------
    readers, tests, cases : tuple of str
    lesion_case : ndarray of int [L]
        Index of the case that each lesion lies in.
    lesion_weight : ndarray of float [L]
        Of the lesions of one case the weights sum to 1.
    lesion_ratings : ndarray of float [T, R, L]
        Highest rating of a mark on the lesion; -inf unmarked.
    false_ratings : ndarray of float [T, R, C]
        Highest rating of a false mark on the case; -inf without any.
    false_marks : tuple of tuple of ndarray of float
        ``false_marks[t][r]``: ratings of all false marks, for FROC curves.
    false_counts : ndarray of float [T, R, C]
        Number of false marks.
    """

    readers: tuple[str, ...]
    tests: tuple[str, ...]
    cases: tuple[str, ...]
    lesion_case: np.ndarray
    lesion_weight: np.ndarray
    lesion_ratings: np.ndarray
    false_ratings: np.ndarray
    false_marks: tuple[tuple[np.ndarray, ...], ...]
    false_counts: np.ndarray

    @property
    def truth(self) -> np.ndarray:
        """Bool [C]: the case has a lesion."""
        found = np.zeros(len(self.cases), bool)
        found[self.lesion_case] = True
        return found

    @classmethod
    def from_csv(cls, lesions: Path, marks: Path) -> LesionTable:
        """Read both tables; see the module's text for their columns.

        Raises
        ------
        TableError
        """
        names = {"case": ("case", "caseid"), "lesion": ("lesion", "lesionid")}
        mark_names = {**names, "reader": ("reader", "readerid"), "test": ("test", "modality", "treatment", "arm")}
        lesion_rows = read_rows(lesions, {**names, "weight": ("weight",)}, optional=("weight",))
        return cls.from_rows(lesion_rows, read_rows(marks, {**mark_names, "rating": ("rating", "confidence")}))

    @classmethod
    def from_rows(
        cls,
        lesions: Iterable[Mapping[str, object]],
        marks: Iterable[Mapping[str, object]],
        readers: Sequence[str] = (),
        tests: Sequence[str] = (),
    ) -> LesionTable:
        """Make the table.

        Parameters
        ----------
        lesions, marks : iterable of mapping
            See the module's text. Without weights all lesions of a case weigh the same.
        readers, tests : sequence of str
            All there are; needed where somebody marked nothing at all.

        Raises
        ------
        TableError
            ``DUPLICATE_ROW``, ``EMPTY_FIELD``, ``BAD_LESION`` (a mark on a case or lesion that is not in the table, a
            weight that is not positive) or ``NOT_A_NUMBER``.
        """
        known = _Lesions.of(lesions)
        marked = list(marks)
        for count, row in enumerate(marked, 1):
            for name in ("reader", "test"):
                if not _text(row, name):
                    where = f"row {row.get('line', count)} of the marks"
                    raise TableError(TableProblem.EMPTY_FIELD, f"the {name} is empty in {where}")
        reader_index = _numbered([*readers, *(str(m["reader"]) for m in marked)])
        test_index = _numbered([*tests, *(str(m["test"]) for m in marked)])
        if not reader_index or not test_index:
            raise TableError(TableProblem.EMPTY_TABLE, "there are no marks", "name the readers and tests")
        shape = (len(test_index), len(reader_index))
        lesion_ratings = np.full((*shape, len(known.lesions)), UNMARKED)
        false_ratings = np.full((*shape, len(known.cases)), UNMARKED)
        false_counts = np.zeros((*shape, len(known.cases)))
        false_marks: list[list[list[float]]] = [[[] for _ in reader_index] for _ in test_index]
        for count, row in enumerate(marked, 1):
            where = f"row {row.get('line', count)} of the marks"
            t, r = test_index[str(row["test"])], reader_index[str(row["reader"])]
            rating = _number(str(row["rating"]), f"the rating in {where}")
            case, lesion = known.place(row, where)
            if lesion is None:
                false_ratings[t, r, case] = max(false_ratings[t, r, case], rating)
                false_counts[t, r, case] += 1
                false_marks[t][r].append(rating)
            else:
                lesion_ratings[t, r, lesion] = max(lesion_ratings[t, r, lesion], rating)
        lesion_case = np.array([known.cases[case] for case, _ in known.lesions], int)
        weights = np.array(known.weights, float)
        if len(weights):
            weights = weights / np.bincount(lesion_case, weights, len(known.cases))[lesion_case]
        return cls(
            tuple(reader_index),
            tuple(test_index),
            tuple(known.cases),
            lesion_case,
            weights,
            lesion_ratings,
            false_ratings,
            tuple(tuple(np.array(ratings, float) for ratings in row) for row in false_marks),
            false_counts,
        )

    def inferred_roc(self) -> RatingTable:
        """One rating per case: the highest of all its marks; -inf for a case without a mark."""
        highest = self.false_ratings.copy()
        for index, case in enumerate(self.lesion_case):
            highest[:, :, case] = np.maximum(highest[:, :, case], self.lesion_ratings[:, :, index])
        return RatingTable(self.readers, self.tests, self.cases, self.truth, highest)


@dataclass(frozen=True)
class _Lesions:
    """The table of lesions: numbers of cases and of (case, lesion), and weights as given."""

    cases: dict[str, int]
    lesions: dict[tuple[str, str], int]
    weights: list[float]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, object]]) -> _Lesions:
        found = cls({}, {}, [])
        empty: set[str] = set()
        for count, row in enumerate(rows, 1):
            where = f"row {row.get('line', count)} of the lesions"
            case, lesion = _text(row, "case"), _text(row, "lesion")
            if not case:
                raise TableError(TableProblem.EMPTY_FIELD, f"the case is empty in {where}")
            found.cases.setdefault(case, len(found.cases))
            if not lesion:
                empty.add(case)
                continue
            if (case, lesion) in found.lesions:
                raise TableError(TableProblem.DUPLICATE_ROW, f"{where} repeats a lesion")
            weight = _number(_text(row, "weight") or "1", f"the weight in {where}")
            if weight <= 0:
                raise TableError(TableProblem.BAD_LESION, f"the weight in {where} is not positive")
            found.lesions[case, lesion] = len(found.lesions)
            found.weights.append(weight)
        if empty & {case for case, _ in found.lesions}:
            raise TableError(TableProblem.BAD_LESION, "a case is listed both without a lesion and with one")
        if not found.cases:
            raise TableError(TableProblem.EMPTY_TABLE, "the table of lesions has no rows")
        return found

    def place(self, row: Mapping[str, object], where: str) -> tuple[int, int | None]:
        """Number of a mark's case, and of the lesion that it hit."""
        case, lesion = _text(row, "case"), _text(row, "lesion")
        if case not in self.cases:
            raise TableError(
                TableProblem.BAD_LESION,
                f"{where} names a case that is not in the table of lesions",
                "list cases without a lesion there too, with the lesion left empty",
            )
        if not lesion:
            return self.cases[case], None
        if (case, lesion) not in self.lesions:
            raise TableError(TableProblem.BAD_LESION, f"{where} names a lesion that its case lacks")
        return self.cases[case], self.lesions[case, lesion]


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _number(text: str, what: str) -> float:
    try:
        value = number_of(text)
    except ValueError as error:
        raise TableError(TableProblem.NOT_A_NUMBER, f"{what} is not a number", str(error)) from None
    if not math.isfinite(value):
        raise TableError(TableProblem.NOT_A_NUMBER, f"{what} is infinite", "leave out what was not marked")
    return value
