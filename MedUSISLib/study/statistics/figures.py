"""Figures of merit: what a reader's ratings in one test come down to, and how it changes when cases are left out.

Everything that the multi-reader analysis knows of a figure is the small protocol `Figure`; a new figure is one class
with ``values`` here and nothing else.

References
----------
Bamber, J. Math. Psychol. 12 (1975): the area under the empirical ROC curve is the Wilcoxon statistic, ties half.
Obuchowski, Biometrics 53 (1997) 567-578: areas with clustered cases.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem
from MedUSISLib.study.statistics.wilcoxon import Wilcoxon


class Figure(Protocol):
    """A figure of merit of every reader in every test.

    Attributes
    ----------
    name, title : str
        For files and for people.
    readers, tests : tuple of str
    truth : ndarray of bool [C]
    units : ndarray of int [C]
        Sampling unit of each case, 0..U-1; cases of one unit are resampled together.
    relevant : ndarray of bool [C]
        Cases that the figure looks at (sensitivity: the positive ones).
    chance : float or None
        The figure's value for guessing.
    bounded : bool
        It lies between 0 and 1.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def readers(self) -> tuple[str, ...]: ...
    @property
    def tests(self) -> tuple[str, ...]: ...
    @property
    def truth(self) -> np.ndarray: ...
    @property
    def units(self) -> np.ndarray: ...
    @property
    def relevant(self) -> np.ndarray: ...
    @property
    def chance(self) -> float | None: ...
    @property
    def bounded(self) -> bool: ...

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """The figure, float [T, R], with each case counted ``weights`` [C] times (default: once)."""
        ...


class EmpiricalAuc:
    """Area under the empirical ROC curve: the Wilcoxon statistic of negative and positive cases.

    Raises
    ------
    TableError
        If there are fewer than two cases of a class, or cells are missing.

    Examples
    --------
    >>> table = RatingTable.from_rows(
    ...     {"reader": "a", "test": "CT", "case": c, "truth": t, "rating": x}
    ...     for c, t, x in [(1, 0, 1), (2, 0, 2), (3, 1, 2), (4, 1, 3)]
    ... )
    >>> float(EmpiricalAuc(table).values()[0, 0])
    0.875
    """

    name = "auc"
    title = "area under the ROC curve"
    chance: float | None = 0.5
    bounded = True

    def __init__(self, table: RatingTable) -> None:
        table.require_crossed()
        table.require_both_classes()
        self.readers, self.tests = table.readers, table.tests
        self.truth, self.units = table.truth, table.units
        self.relevant = np.ones(len(table.truth), bool)
        self._pairs = Wilcoxon(table.ratings[:, :, ~table.truth], table.ratings[:, :, table.truth])

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See `Figure`."""
        weights = np.ones(len(self.truth)) if weights is None else weights
        return self._pairs.area(weights[~self.truth], weights[self.truth])

    def placements(self) -> tuple[np.ndarray, np.ndarray]:
        """Negative cases below each positive one [T, R, P], positive cases above each negative one [T, R, N]."""
        ones = np.ones(len(self.truth))
        return self._pairs.below(ones[~self.truth]), self._pairs.above(ones[self.truth])

    def without_each_case(self) -> np.ndarray:
        """The area without each case in turn, [C, T, R]; the same as ``values`` with that weight 0, only faster."""
        below, above = self.placements()
        n, p = above.shape[2], below.shape[2]
        whole = below.sum(axis=2)
        found = np.empty((len(self.truth), *whole.shape))
        found[~self.truth] = np.moveaxis(whole[..., None] - above, 2, 0) / ((n - 1) * p)
        found[self.truth] = np.moveaxis(whole[..., None] - below, 2, 0) / (n * (p - 1))
        return found


class ShareOfCases:
    """Mean of a score in 0..1 over the relevant cases; sensitivity, specificity and accuracy are of this kind.

    Parameters
    ----------
    name, title : str
    table : RatingTable
    scores : ndarray of float [T, R, C]
        NaN where there is no answer: left out of that reader's mean.
    relevant : ndarray of bool [C], optional
    chance : float, optional
    bounded : bool
        False for scores outside 0..1.

    Raises
    ------
    TableError
        ``TOO_FEW_CASES`` unless there are two relevant ones, of two clusters.
    """

    def __init__(
        self,
        name: str,
        title: str,
        table: RatingTable,
        scores: np.ndarray,
        relevant: np.ndarray | None = None,
        chance: float | None = None,
        bounded: bool = True,
    ) -> None:
        self.name, self.title, self.chance, self.bounded = name, title, chance, bounded
        self.readers, self.tests = table.readers, table.tests
        self.truth, self.units = table.truth, table.units
        self.relevant = np.ones(len(table.truth), bool) if relevant is None else np.asarray(relevant, bool)
        if len(np.unique(self.units[self.relevant])) < 2:
            raise TableError(
                TableProblem.TOO_FEW_CASES,
                f"{int(self.relevant.sum())} cases for {title} are too few for a variance",
                "at least two are needed, and of two clusters where cases are clustered",
            )
        self.scores = scores
        answered = ~np.isnan(scores) & self.relevant
        self._answered = answered.astype(float)
        self._filled = np.where(answered, scores, 0.0)

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See `Figure`. NaN for a reader without any answer."""
        weights = np.ones(len(self.truth)) if weights is None else weights
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._filled @ weights) / (self._answered @ weights)


def sensitivity(table: RatingTable, threshold: float) -> ShareOfCases:
    """Share of the positive cases with a rating of at least ``threshold``."""
    table.require_crossed()
    called = (table.ratings >= _finite(threshold)).astype(float)
    return ShareOfCases("sensitivity", f"sensitivity at {threshold:g}", table, called, table.truth)


def specificity(table: RatingTable, threshold: float) -> ShareOfCases:
    """Share of the negative cases with a rating below ``threshold``."""
    table.require_crossed()
    called = (table.ratings < _finite(threshold)).astype(float)
    return ShareOfCases("specificity", f"specificity at {threshold:g}", table, called, ~table.truth)


def accuracy(table: RatingTable, threshold: float) -> ShareOfCases:
    """Share of all cases on the right side of ``threshold``; depends on how many cases are positive."""
    table.require_crossed()
    right = ((table.ratings >= _finite(threshold)) == table.truth).astype(float)
    return ShareOfCases("accuracy", f"accuracy at {threshold:g}", table, right)


def mean_rating(table: RatingTable) -> ShareOfCases:
    """Mean of the ratings themselves (counts of lesions, image quality), whatever the truth."""
    table.require_crossed()
    if not np.isfinite(table.ratings).all():
        raise TableError(TableProblem.NOT_A_NUMBER, "a rating is infinite, which has no mean")
    return ShareOfCases("mean", "mean rating", table, table.ratings, bounded=False)


def _finite(threshold: float) -> float:
    if not np.isfinite(threshold):
        raise MedUSISError(ErrorCode.BAD_SETTING, "the threshold is not a number", "give one of the ratings")
    return threshold
