"""Wilcoxon's signed rank test, exact also where differences tie, as counts of lesions nearly always do.

scipy's test enumerates sign changes in Python when there are ties (a second for 12 cases) and turns to the normal
distribution for more than 13 cases; the distribution of the sum of midranks is a convolution, and quick.

References
----------
Wilcoxon, Biometrics Bull. 1 (1945) 80-83. Pratt, Gibbons, Concepts of Nonparametric Theory (1981), ch. 3: ties.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

LARGEST_EXACT = 200
"""With more differences than this the normal distribution is used."""


def signed_rank_p(differences: Sequence[float] | np.ndarray) -> float | None:
    """Two-sided p-value of "differences are symmetric around 0"; differences of 0 are left out (Wilcoxon's way).

    Parameters
    ----------
    differences : sequence of float
        One per pair.

    Returns
    -------
    float or None
        None when no pair differs: then there is nothing to be tested.

    Examples
    --------
    >>> round(signed_rank_p([1, 1, 1, 2, 0, 3, 1]), 5)
    0.03125
    """
    values = np.asarray(differences, float)
    values = values[values != 0]
    if not len(values):
        return None
    if len(values) > LARGEST_EXACT:
        return float(stats.wilcoxon(values, method="approx").pvalue)
    doubled = np.rint(2 * stats.rankdata(np.abs(values))).astype(int)
    chances = np.ones(1)
    for rank in doubled:
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    observed = int(doubled[values > 0].sum())
    smaller = min(observed, int(doubled.sum()) - observed)
    return float(min(1.0, 2 * chances[: smaller + 1].sum()))
