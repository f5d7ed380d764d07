"""The Wilcoxon statistic of negative and positive ratings, from ranks: no table of all pairs is ever made.

References
----------
Bamber, J. Math. Psychol. 12 (1975) 387-415: the area under the empirical ROC curve is this statistic.
Sun, Xu, IEEE Signal Process. Lett. 21 (2014) 1389-1393: DeLong's components from ranks.
"""

from __future__ import annotations

import numpy as np


class Wilcoxon:
    """``sum v_x w_y psi(x, y)``; psi = 1 where the positive rating y is above the negative x, 1/2 where they are equal.

    Sorting once, every sum costs as much as there are ratings: 100,000 of them take a fraction of a second.

    Parameters
    ----------
    negative, positive : ndarray of float [T, R, N], [T, R, P]
        No NaN; -inf is a rating below all others.

    Examples
    --------
    >>> pairs = Wilcoxon(np.array([[[1.0, 2.0]]]), np.array([[[2.0]]]))
    >>> float(pairs.area(np.ones(2), np.ones(1))[0, 0])
    0.75
    """

    def __init__(self, negative: np.ndarray, positive: np.ndarray) -> None:
        self._shape = negative.shape[:2]
        groups = self._shape[0] * self._shape[1]
        ratings = np.concatenate([negative, positive], axis=2).reshape(groups, -1)
        order = np.argsort(ratings, axis=1)
        ordered = np.take_along_axis(ratings, order, axis=1)
        rises = np.zeros(ratings.shape, np.int64)
        rises[:, 1:] = np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1)
        levels = np.empty_like(rises)
        np.put_along_axis(levels, order, rises, axis=1)
        self._levels = int(levels.max(initial=0)) + 1
        self._negative, self._positive = np.split(levels, [negative.shape[2]], axis=1)

    def below(self, weights: np.ndarray) -> np.ndarray:
        """Weight [N] of the negative ratings below each positive one, equal ones half; [T, R, P]."""
        return self._summed(self._negative, self._positive, weights)

    def above(self, weights: np.ndarray) -> np.ndarray:
        """Weight [P] of the positive ratings above each negative one, equal ones half; [T, R, N]."""
        return weights.sum() - self._summed(self._positive, self._negative, weights)

    def area(self, negative: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """The weighted mean of psi over all pairs, [T, R], from weights [N] and [P]."""
        return (self.below(negative) @ positive) / (negative.sum() * positive.sum())

    def _summed(self, of: np.ndarray, at: np.ndarray, weights: np.ndarray) -> np.ndarray:
        groups = len(of)
        places = of + self._levels * np.arange(groups)[:, None]
        spread = np.broadcast_to(np.asarray(weights, float), of.shape).ravel()
        held = np.bincount(places.ravel(), spread, groups * self._levels).reshape(groups, self._levels)
        lower = np.cumsum(held, axis=1) - held / 2
        return np.take_along_axis(lower, at, axis=1).reshape(*self._shape, -1)
