"""The long table of a reader study: one row for what one reader said of one case in one test.

Columns ``reader``, ``test`` (also ``modality`` or ``treatment``), ``case``, ``truth`` (0 or 1) and ``rating``; what is
wrong with a table is said with a name (`TableProblem`) and the row, because such tables are made by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from MedUSISLib.study.statistics.table_file import number_of, read_rows
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "reader": ("reader", "readerid"),
    "test": ("test", "modality", "treatment", "arm", "testid", "modalityid", "treatmentid"),
    "case": ("case", "caseid", "patient", "patientid"),
    "truth": ("truth", "truthstate", "diseased", "status"),
    "rating": ("rating", "score", "confidence"),
    "cluster": ("cluster", "subject", "clusterid", "subjectid"),
}
"""What a column may be called, without spaces and signs; the first name is ours. ``cluster`` may be absent."""

_TRUE = {"true", "t", "yes", "y", "positive", "pos", "abnormal", "diseased", "present"}
_FALSE = {"false", "f", "no", "n", "negative", "neg", "normal", "healthy", "absent"}
_MISSING = {"", "na", "n/a", "#n/a", "nan", "none", "null", ".", "-"}


@dataclass(frozen=True)
class RatingTable:
    """Ratings of several readers for several cases in one or more tests.

    Attributes
    ----------
    readers, tests, cases : tuple of str
        In order of first appearance.
    truth : ndarray of bool [C]
        True: the case is positive (diseased, synthetic, ...).
    ratings : ndarray of float [T, R, C]
        Higher is more positive; NaN where a reader gave none.
    units : ndarray of int [C]
        Which sampling unit a case belongs to. Without a column ``cluster`` each case is its own. Cases of one patient
        share a unit, so that resampling takes them together (Obuchowski, Biometrics 53 (1997): clustered ROC data).
    """

    readers: tuple[str, ...]
    tests: tuple[str, ...]
    cases: tuple[str, ...]
    truth: np.ndarray
    ratings: np.ndarray
    units: np.ndarray = field(default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        shape = (len(self.tests), len(self.readers), len(self.cases))
        if self.ratings.shape != shape or self.truth.shape != shape[2:]:
            raise ValueError(f"ratings must have the shape {shape} and truth {shape[2:]}")
        if len(self.units) != len(self.cases):
            object.__setattr__(self, "units", np.arange(len(self.cases)))

    @property
    def positives(self) -> int:
        """Number of positive cases."""
        return int(self.truth.sum())

    @property
    def negatives(self) -> int:
        """Number of negative cases."""
        return int((~self.truth).sum())

    @classmethod
    def from_csv(cls, path: Path) -> RatingTable:
        """Read a table from a CSV file with a header line; comma, semicolon or tab.

        Raises
        ------
        TableError
            Named by `TableProblem`, with the line of the file.
        """
        return cls.from_rows(read_rows(path, COLUMN_NAMES), path)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]], path: Path | None = None) -> RatingTable:
        """Make a table from rows with the keys reader, test, case, truth, rating and perhaps cluster.

        Parameters
        ----------
        rows : iterable of mapping
            A key "line" is the number of the row in messages; without it they are counted from 1.
        path : Path, optional
            Where the rows come from; shown on the local terminal only.

        Raises
        ------
        TableError
            Named by `TableProblem`. Missing cells are allowed here; `require_crossed` refuses them.
        """
        problem = _Reporter(path)
        cells: dict[tuple[str, str, str], float] = {}
        truths: dict[str, bool] = {}
        clusters: dict[str, str] = {}
        tests: dict[str, int] = {}
        readers: dict[str, int] = {}
        for count, row in enumerate(rows, 1):
            line = int(str(row.get("line", count)))
            values = {name: _text(row, name) for name in ("reader", "test", "case", "truth")}
            for name, text in values.items():
                if not text:
                    raise problem(TableProblem.EMPTY_FIELD, f"the {name} is empty in line {line}")
            reader, test, case = values["reader"], values["test"], values["case"]
            truth = _truth(values["truth"])
            if truth is None:
                raise problem(
                    TableProblem.BAD_TRUTH,
                    f"the truth in line {line} is neither 0 nor 1",
                    "1, true, yes, positive or diseased is a positive case, 0, false, no, negative or normal is none",
                )
            if truths.setdefault(case, truth) != truth:
                raise problem(TableProblem.TRUTH_DIFFERS, f"line {line} gives a case another truth than before")
            cluster = _text(row, "cluster") or case
            if clusters.setdefault(case, cluster) != cluster:
                raise problem(TableProblem.CLUSTER_DIFFERS, f"line {line} gives a case another cluster than before")
            key = (test, reader, case)
            if key in cells:
                raise problem(
                    TableProblem.DUPLICATE_ROW,
                    f"line {line} repeats the reader, test and case of an earlier line",
                    "keep one of them here; repeated readings are for the agreement with an earlier reading",
                )
            cells[key] = _number(_text(row, "rating"), line, problem)
            tests.setdefault(test, len(tests))
            readers.setdefault(reader, len(readers))
        if not cells:
            raise problem(TableProblem.EMPTY_TABLE, "the table has no rows")
        number = {case: index for index, case in enumerate(truths)}
        ratings = np.full((len(tests), len(readers), len(number)), np.nan)
        for (test, reader, case), rating in cells.items():
            ratings[tests[test], readers[reader], number[case]] = rating
        unit = {name: index for index, name in enumerate(dict.fromkeys(clusters[case] for case in truths))}
        return cls(
            readers=tuple(readers),
            tests=tuple(tests),
            cases=tuple(truths),
            truth=np.array(list(truths.values()), bool),
            ratings=ratings,
            units=np.array([unit[clusters[case]] for case in truths], int),
        )

    def require_crossed(self) -> None:
        """Raise unless every reader rated every case in every test.

        Raises
        ------
        TableError
            ``UNBALANCED`` where a reader never read a test (or a case was never read in it), else ``MISSING_CELLS``.
        """
        missing = np.isnan(self.ratings)
        if not missing.any():
            return
        hint = "every reader must rate every case in every test; leave out what is incomplete, for all readers"
        for t, r in np.argwhere(missing.all(axis=2)):
            raise TableError(
                TableProblem.UNBALANCED, f"reader {self.readers[r]} has no ratings in test {self.tests[t]}", hint
            )
        for t, count in enumerate(missing.all(axis=1).sum(axis=1)):
            if count:
                raise TableError(
                    TableProblem.UNBALANCED, f"{count} cases were read by nobody in test {self.tests[t]}", hint
                )
        t, r = np.argwhere(missing.any(axis=2))[0]
        raise TableError(
            TableProblem.MISSING_CELLS,
            f"{int(missing.sum())} of {missing.size} ratings are missing, the first of them of reader "
            f"{self.readers[r]} in test {self.tests[t]}",
            hint,
        )

    def require_both_classes(self, least: int = 2) -> None:
        """Raise unless there are ``least`` positive and negative cases, and of as many clusters."""
        if not self.positives or not self.negatives:
            kind = "positive" if not self.positives else "negative"
            raise TableError(TableProblem.ONE_CLASS, f"the table has no {kind} case", "an ROC curve needs both")
        if min(self.positives, self.negatives) < least:
            raise TableError(
                TableProblem.TOO_FEW_CASES,
                f"{self.positives} positive and {self.negatives} negative cases are too few for a variance",
                f"at least {least} of each are needed",
            )
        for kind, mask in (("positive", self.truth), ("negative", ~self.truth)):
            if len(np.unique(self.units[mask])) < least:
                raise TableError(
                    TableProblem.TOO_FEW_CASES,
                    f"all {kind} cases are of one cluster, which leaves nothing to estimate a variance from",
                    "the column cluster (or subject) says which cases are of one patient; remove it if it does not",
                )

    def complete_cases(self) -> RatingTable:
        """The table with the cases left out that somebody did not rate.

        Raises
        ------
        TableError
            ``MISSING_CELLS`` when no case is left.
        """
        incomplete = np.isnan(self.ratings).any(axis=(0, 1))
        if incomplete.all():
            raise TableError(
                TableProblem.MISSING_CELLS,
                "no case was rated by every reader in every test",
                "leave out the readers or tests that are incomplete",
            )
        return self.without_cases(incomplete)

    def without_cases(self, mask: np.ndarray) -> RatingTable:
        """The table with the cases left for which ``mask`` [C] is False."""
        keep = ~np.asarray(mask, bool)
        _, units = np.unique(self.units[keep], return_inverse=True)
        return RatingTable(
            self.readers,
            self.tests,
            tuple(case for case, kept in zip(self.cases, keep, strict=True) if kept),
            self.truth[keep],
            self.ratings[:, :, keep],
            units,
        )


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(int(value) if isinstance(value, (bool, np.bool_)) else value).strip()


def _truth(text: str) -> bool | None:
    lower = text.lower()
    if lower in _TRUE or lower in _FALSE:
        return lower in _TRUE
    try:
        return {0.0: False, 1.0: True}.get(float(lower))
    except ValueError:
        return None


def _number(text: str, line: int, problem: _Reporter) -> float:
    """A rating; NaN for a missing cell, which `RatingTable.require_crossed` names."""
    if text.lower() in _MISSING:
        return math.nan
    try:
        return number_of(text)
    except ValueError as error:
        raise problem(TableProblem.NOT_A_NUMBER, f"the rating in line {line} is not a number", str(error)) from None


class _Reporter:
    """Makes errors that know where the table lies."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __call__(self, problem: TableProblem, message: str, hint: str = "") -> TableError:
        return TableError(problem, message, hint, self._path)
