"""Figures of merit of free-response studies: AFROC areas, as JAFROC uses them, and the points of an FROC curve.

References
----------
Chakraborty, Berbaum, Med. Phys. 31 (2004) 2313-2330: JAFROC; the area under the AFROC curve (Chakraborty, Winter,
    Radiology 174 (1990)) is the probability that a lesion is rated above the highest false mark of a normal case.
Chakraborty, Zhai, Med. Phys. 43 (2016) 2548-2557: weights, so that every diseased case counts the same.
Chakraborty, Observer Performance Methods for Diagnostic Imaging (CRC 2017), ch. 14: AFROC1.
Bunch, Hamilton, Sanderson, Simmons, Proc. SPIE 127 (1977): the FROC curve.
"""

from __future__ import annotations

import numpy as np

from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem
from MedUSISLib.study.statistics.wilcoxon import Wilcoxon


class AfrocArea:
    """Area under the (weighted) AFROC curve, trapezoids, unmarked lesions and cases below every rating.

    Weighted: ``1 / (N D) sum_n sum_d sum_l W_dl psi(X_n, Y_dl)`` with X the highest false mark of a normal case, Y a
    lesion's rating, W a lesion's weight (1 within a case) and psi of `Wilcoxon`. Unweighted, every lesion counts
    the same, so that cases with many lesions rule.

    Parameters
    ----------
    table : LesionTable
    weighted : bool
        JAFROC's present standard; False is the JAFROC figure of 2004.
    false_marks_of_all_cases : bool
        AFROC1: false marks on diseased cases count too. Needed where there are no normal cases.

    Raises
    ------
    TableError
        ``ONE_CLASS`` or ``TOO_FEW_CASES``.
    """

    chance: float | None = None
    bounded = True

    def __init__(self, table: LesionTable, weighted: bool = True, false_marks_of_all_cases: bool = False) -> None:
        truth = table.truth
        comparison = np.ones(len(truth), bool) if false_marks_of_all_cases else ~truth
        if not truth.any():
            raise TableError(TableProblem.ONE_CLASS, "no case has a lesion")
        if not comparison.any():
            raise TableError(
                TableProblem.ONE_CLASS, "every case has a lesion", "use AFROC1, which takes false marks from all cases"
            )
        if truth.sum() < 2 or comparison.sum() < 2:
            raise TableError(TableProblem.TOO_FEW_CASES, "at least two cases with and without lesions are needed")
        self.name = ("w" if weighted else "") + "afroc" + ("1" if false_marks_of_all_cases else "")
        self.title = f"area under the {'weighted ' if weighted else ''}AFROC{self.name.rpartition('afroc')[2]} curve"
        self.readers, self.tests, self.truth = table.readers, table.tests, truth
        self.units = np.arange(len(truth))
        self.relevant = np.ones(len(truth), bool)
        self._comparison, self._case = comparison, table.lesion_case
        self._lesion_weight = table.lesion_weight if weighted else np.ones(len(table.lesion_case))
        self._pairs = Wilcoxon(table.false_ratings[:, :, comparison], table.lesion_ratings)

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See ``figures.Figure``."""
        weights = np.ones(len(self.truth)) if weights is None else weights
        return self._pairs.area(weights[self._comparison], weights[self._case] * self._lesion_weight)


class LesionSensitivity:
    """Share of lesions that were marked, whatever the confidence; the lesions of one case are resampled together.

    Raises
    ------
    TableError
        ``ONE_CLASS`` or ``TOO_FEW_CASES``.
    """

    name = "lesion-sensitivity"
    title = "share of lesions found"
    chance: float | None = None
    bounded = True

    def __init__(self, table: LesionTable) -> None:
        self.readers, self.tests, self.truth = table.readers, table.tests, table.truth
        if not self.truth.any():
            raise TableError(TableProblem.ONE_CLASS, "no case has a lesion")
        if self.truth.sum() < 2:
            raise TableError(TableProblem.TOO_FEW_CASES, "at least two cases with lesions are needed")
        self.units, self.relevant = np.arange(len(self.truth)), self.truth
        self._found = np.isfinite(table.lesion_ratings).astype(float)
        self._case = table.lesion_case

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See ``figures.Figure``."""
        lesions = (np.ones(len(self.truth)) if weights is None else weights)[self._case]
        return (self._found @ lesions) / lesions.sum()


class FalseMarksPerCase:
    """Mean number of false marks on a case; lower is better."""

    name = "false-marks"
    title = "false marks per case"
    chance: float | None = None
    bounded = False

    def __init__(self, table: LesionTable) -> None:
        self.readers, self.tests, self.truth = table.readers, table.tests, table.truth
        self.units = np.arange(len(self.truth))
        self.relevant = np.ones(len(self.truth), bool)
        self._counts = table.false_counts

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See ``figures.Figure``."""
        weights = np.ones(len(self.truth)) if weights is None else weights
        return (self._counts @ weights) / weights.sum()


def inferred_roc_area(table: LesionTable) -> EmpiricalAuc:
    """Area under the ROC curve of each case's highest mark, whether it hit or not."""
    figure = EmpiricalAuc(table.inferred_roc())
    figure.name, figure.title = "inferred-roc", "area under the inferred ROC curve"
    return figure


def froc_points(table: LesionTable, test: int, reader: int) -> tuple[np.ndarray, np.ndarray]:
    """False marks per case and share of lesions found, at every rating that occurs, from the strictest down.

    Returns
    -------
    false_marks_per_case, sensitivity : ndarray of float [K + 1]
        Starting at (0, 0).
    """
    false, hits = table.false_marks[test][reader], table.lesion_ratings[test, reader]
    thresholds = np.unique(np.concatenate([false, hits[np.isfinite(hits)]]))[::-1]
    x = np.array([0.0, *((false >= c).sum() / len(table.cases) for c in thresholds)])
    y = np.array([0.0, *((hits >= c).mean() if len(hits) else 0.0 for c in thresholds)])
    return x, y
