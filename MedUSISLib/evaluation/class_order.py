"""Do tissues lie in the right order of brightness? Swapped classes (scalp drawn on the bone labels) named as such."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedUSISLib.evaluation.class_table import ClassRow

REAL_CONTRAST = 0.15
"""Two classes are compared when their real means differ by at least this (white matter = 0.7); chosen: cortex and white
matter of a T1 differ by about 0.2."""

INVERTED_SHARE = 0.5
"""They count as swapped when the synthetic means differ the other way round by at least this share of the real
difference; less is a contrast that was lost, which the class table shows."""

SMALLEST_SHARE = 0.01
"""Of the body: smaller classes are not compared."""


def swapped_classes(
    rows_real: Sequence[ClassRow], rows_synthetic: Sequence[ClassRow], ignore: Sequence[str] = ("background",)
) -> list[tuple[str, str]]:
    """Pairs of large classes whose contrast is inverted, the worst first.

    Parameters
    ----------
    rows_real, rows_synthetic : sequence of ClassRow
        Tables of the same schema; means on the scale on which white matter is 0.7.

    Returns
    -------
    list of (str, str)
        Titles, the brighter one of the real image first.

    Examples
    --------
    >>> def rows(**means):
    ...     return [ClassRow(i, name, name, 500, mean, 0.1) for i, (name, mean) in enumerate(means.items())]
    >>> swapped_classes(rows(scalp=0.9, bone=0.1, brain=0.6), rows(scalp=0.2, bone=0.8, brain=0.6))
    [('scalp', 'bone'), ('scalp', 'brain')]
    """
    made = {row.name: row for row in rows_synthetic}
    body = sum(row.count for row in rows_real if row.name not in ignore)
    large: list[tuple[str, float, float]] = []
    for row in rows_real:
        other = made.get(row.name)
        if row.name in ignore or row.count < max(SMALLEST_SHARE * body, 1) or other is None:
            continue
        if row.mean is not None and other.mean is not None:
            large.append((row.title, row.mean, other.mean))
    found: list[tuple[float, str, str]] = []
    for first_title, first_real, first_made in large:
        for second_title, second_real, second_made in large:
            contrast, inverted = first_real - second_real, second_made - first_made
            if contrast >= REAL_CONTRAST and inverted >= INVERTED_SHARE * contrast:
                found.append((inverted, first_title, second_title))
    return [(brighter, darker) for _, brighter, darker in sorted(found, reverse=True)]


def rank_correlation(rows_real: Sequence[ClassRow], rows_synthetic: Sequence[ClassRow]) -> float | None:
    """Spearman's correlation of the class means of the large classes; ``None`` for fewer than three."""
    from scipy.stats import spearmanr

    made = {row.name: row.mean for row in rows_synthetic}
    body = sum(row.count for row in rows_real if row.name != "background")
    pairs = [
        (row.mean, made[row.name])
        for row in rows_real
        if row.name != "background" and row.mean is not None and row.count >= max(SMALLEST_SHARE * body, 1)
        if made.get(row.name) is not None
    ]
    if len(pairs) < 3:
        return None
    real, synthetic = np.array(pairs, np.float64).T
    if np.ptp(real) == 0 or np.ptp(synthetic) == 0:
        return None
    return float(spearmanr(real, synthetic).statistic)
