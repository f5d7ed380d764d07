"""Counts as proportions, with intervals that hold for few answers, and the two-sided exact test against chance.

References
----------
Clopper, Pearson, Biometrika 26 (1934): the exact interval. Wilson, JASA 22 (1927): the score interval.
Newcombe, Stat. Med. 17 (1998) 857-872: why not the plain normal one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from scipy import stats


@dataclass(frozen=True)
class Proportion:
    """``count`` of ``total``; None where the total is 0.

    Attributes
    ----------
    exact : tuple of float or None
        Clopper-Pearson interval.
    wilson : tuple of float or None
    p_chance : float or None
        Two-sided exact binomial test against ``chance``; None where there is none.
    """

    count: int
    total: int
    value: float | None
    exact: tuple[float, float] | None
    wilson: tuple[float, float] | None
    chance: float | None
    p_chance: float | None

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON."""
        return asdict(self)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test of two arms read by one reader.

    Parameters
    ----------
    only_first, only_second : int
        Lesions (or cases) that were got right with one arm alone. They are taken for independent: with several lesions
        in a case use ``free_response.LesionSensitivity`` in the multi-reader analysis, which is not misled.

    Returns
    -------
    float
        p-value; 1 where the arms never differ.

    References
    ----------
    McNemar, Psychometrika 12 (1947) 153-157.

    Examples
    --------
    >>> round(mcnemar(2, 10), 4)
    0.0386
    """
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def proportion(count: int, total: int, chance: float | None = None, confidence: float = 0.95) -> Proportion:
    """A proportion with its intervals.

    Parameters
    ----------
    count, total : int
        Independent answers; of one reader, one per case.
    chance : float, optional
        Tested against.
    confidence : float

    Raises
    ------
    ValueError
        If count is not in 0..total.

    Examples
    --------
    >>> found = proportion(15, 20, chance=0.5)
    >>> [round(x, 3) for x in (*found.exact, *found.wilson, found.p_chance)]
    [0.509, 0.913, 0.531, 0.888, 0.041]
    """
    if not 0 <= count <= total:
        raise ValueError(f"a count must lie between 0 and {total}, not {count}")
    if total == 0:
        return Proportion(0, 0, None, None, None, chance, None)
    test = stats.binomtest(count, total, chance if chance is not None else 0.5)
    exact = test.proportion_ci(confidence, "exact")
    wilson = test.proportion_ci(confidence, "wilson")
    return Proportion(
        count,
        total,
        count / total,
        (float(exact.low), float(exact.high)),
        (float(wilson.low), float(wilson.high)),
        chance,
        float(test.pvalue) if chance is not None else None,
    )
