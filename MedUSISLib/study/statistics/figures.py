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

from MedUSISLib.study.statistics.rating_table import RatingTable


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


def wilcoxon_kernel(negative: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """psi(x, y) = 1 where y > x, 1/2 where y = x, else 0; shape [..., N, P] from [..., N] and [..., P].

    Examples
    --------
    >>> wilcoxon_kernel(np.array([1.0, 2.0]), np.array([2.0]))
    array([[1. ],
           [0.5]])
    """
    x, y = negative[..., :, None], positive[..., None, :]
    return (y > x) + 0.5 * (y == x)


class EmpiricalAuc:
    """Area under the empirical ROC curve: the mean of `wilcoxon_kernel` over pairs of a negative and a positive case.

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
        self.kernel = wilcoxon_kernel(table.ratings[:, :, ~table.truth], table.ratings[:, :, table.truth])
        """float [T, R, N, P]."""

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See `Figure`."""
        if weights is None:
            return self.kernel.mean(axis=(2, 3))
        n, p = weights[~self.truth], weights[self.truth]
        return (self.kernel @ p @ n) / (n.sum() * p.sum())

    def without_each_case(self) -> np.ndarray:
        """The area without each case in turn, [C, T, R]; the same as ``values`` with that weight 0, only faster."""
        tests, readers, n, p = self.kernel.shape
        whole = self.kernel.sum(axis=(2, 3))
        found = np.empty((len(self.truth), tests, readers))
        found[~self.truth] = np.moveaxis(whole[..., None] - self.kernel.sum(axis=3), 2, 0) / ((n - 1) * p)
        found[self.truth] = np.moveaxis(whole[..., None] - self.kernel.sum(axis=2), 2, 0) / (n * (p - 1))
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
    called = (table.ratings >= threshold).astype(float)
    return ShareOfCases("sensitivity", f"sensitivity at {threshold:g}", table, called, table.truth)


def specificity(table: RatingTable, threshold: float) -> ShareOfCases:
    """Share of the negative cases with a rating below ``threshold``."""
    table.require_crossed()
    called = (table.ratings < threshold).astype(float)
    return ShareOfCases("specificity", f"specificity at {threshold:g}", table, called, ~table.truth)


def accuracy(table: RatingTable, threshold: float) -> ShareOfCases:
    """Share of all cases on the right side of ``threshold``; depends on how many cases are positive."""
    table.require_crossed()
    right = ((table.ratings >= threshold) == table.truth).astype(float)
    return ShareOfCases("accuracy", f"accuracy at {threshold:g}", table, right)


def mean_rating(table: RatingTable) -> ShareOfCases:
    """Mean of the ratings themselves (counts of lesions, image quality), whatever the truth."""
    table.require_crossed()
    return ShareOfCases("mean", "mean rating", table, table.ratings, bounded=False)
