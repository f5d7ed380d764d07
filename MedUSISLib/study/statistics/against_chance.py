"""Is a figure different from chance, and is it equivalent to chance: one test, several readers, the same cases.

Answers of several readers to the same pictures are not independent, so that a binomial test over all of them counts
the same evidence several times. Here the mean over readers is tested with the single-test standard error and degrees
of freedom of Obuchowski-Rockette-Hillis, which holds for proportions of right answers as for areas.

References
----------
Hillis, Stat. Med. 26 (2007) 596-619: the single-test analysis.
Chen, Gong, Gallas, J. Med. Imaging 5 (2018) 031410: multi-reader analysis of binary answers.
Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657-680: two one-sided tests (TOST).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.statistics.figures import Figure
from MedUSISLib.study.statistics.mrmc import MrmcResult, analyse_mrmc
from MedUSISLib.study.statistics.mrmc_text import p_equals
from MedUSISLib.study.statistics.obuchowski_rockette import Estimate, Generalisation, Student


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of ``|figure - chance| < margin``.

    Attributes
    ----------
    margin : float
        Given before the study.
    p_value : float
        The larger of the two; below 1 - confidence the figure is shown to be equivalent to chance.
    low, high : float
        Interval of twice the error, for 95 % confidence the 90 % interval: equivalence is shown exactly when it lies
        within the margin.
    shown : bool
    """

    margin: float
    p_value: float
    low: float
    high: float
    shown: bool


@dataclass(frozen=True)
class ChanceTest:
    """The mean over readers against chance.

    ``p_value``: two-sided, of "equal to chance". A large one proves nothing; ``equivalence`` can. ``logit``: the
    interval on the logit scale, for figures in 0..1; the one to report where the other leaves 0..1.
    """

    figure: str
    title: str
    generalisation: Generalisation
    chance: float
    estimate: Estimate
    p_value: float
    equivalence: Equivalence | None
    confidence: float = 0.95
    logit: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        e = self.equivalence
        return {
            "figure": self.figure,
            "title": self.title,
            "generalises_to": self.generalisation.value,
            "chance": self.chance,
            **self.estimate.as_dict(),
            "logit_low": self.logit[0] if self.logit else None,
            "logit_high": self.logit[1] if self.logit else None,
            "p_value": self.p_value if math.isfinite(self.p_value) else None,
            "equivalence": {
                "margin": e.margin,
                "p_value": e.p_value if math.isfinite(e.p_value) else None,
                "low": e.low,
                "high": e.high,
                "shown": e.shown,
            }
            if e
            else None,
        }

    def sentence(self) -> str:
        """What the tests say, in words."""
        e = self.estimate
        if not math.isfinite(self.p_value):
            return (
                f"{self.title} {e.value:.3f}, chance {self.chance:g}: the figure does not vary with cases and readers, "
                "so that no test over them is possible; the exact test of each reader is"
            )
        low, high = e.low, e.high
        if self.logit is not None and (low < 0 or high > 1):
            low, high = self.logit
        text = f"{self.title} {e.value:.3f} [{low:.3f}, {high:.3f}], chance {self.chance:g}: "
        differs = self.p_value < 1 - self.confidence
        if self.equivalence is not None and self.equivalence.shown:
            text += f"equivalent to chance within {self.equivalence.margin:g} ({p_equals(self.equivalence.p_value)})"
            return text + (", though measurably different from it" if differs else "")
        text += "different from chance" if differs else "no difference from chance was found"
        text += f" ({p_equals(self.p_value)})"
        if self.equivalence is not None:
            return text + f"; equivalence within {self.equivalence.margin:g} was not shown"
        return text + ("" if differs else "; that does not prove that there is none")


def compare_with_chance(
    figure: Figure,
    margin: float | None = None,
    confidence: float = 0.95,
    generalisation: Generalisation | None = None,
) -> tuple[ChanceTest, MrmcResult]:
    """Test the mean over readers of a figure with one test against its chance value.

    Parameters
    ----------
    figure : Figure
        With one test and a chance value.
    margin : float, optional
        For the equivalence test; must have been fixed before the study.
    confidence : float
        Of the interval; 1 - confidence is the level of the tests.
    generalisation : Generalisation, optional
        Default: random readers and cases; with one reader, random cases.

    Returns
    -------
    ChanceTest, MrmcResult
        The latter holds the readers' values, variance components and warnings.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING``: more than one test, no chance value, a margin that is not positive.
    """
    if figure.chance is None or len(figure.tests) != 1:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "a test against chance needs one test and a figure with a chance value"
        )
    if margin is not None and not margin > 0:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"the margin of equivalence must be positive, not {margin:g}")
    result = analyse_mrmc(figure, confidence=confidence)
    analysis = result.analysis(generalisation or Generalisation.READERS_AND_CASES) or result.analyses[0]
    estimate = analysis.tests[0].estimate
    distance = estimate.value - figure.chance
    found = ChanceTest(
        figure=figure.name,
        title=figure.title,
        generalisation=analysis.generalisation,
        chance=figure.chance,
        estimate=estimate,
        p_value=_two_sided(distance, estimate),
        equivalence=equivalence(estimate, figure.chance, margin, confidence) if margin is not None else None,
        confidence=confidence,
        logit=analysis.tests[0].logit,
    )
    return found, result


def equivalence(estimate: Estimate, reference: float, margin: float, confidence: float = 0.95) -> Equivalence:
    """TOST of an estimate against ``reference`` +- ``margin``.

    Examples
    --------
    >>> shown = equivalence(Estimate(0.52, 0.02, 30.0, 0, 0), 0.5, 0.1)
    >>> shown.shown, round(shown.p_value, 4)
    (True, 0.0002)
    """
    distribution = Student(estimate.ddf)
    error, distance = estimate.standard_error, estimate.value - reference
    if error <= 0:
        return Equivalence(margin, math.nan, estimate.value, estimate.value, False)
    p = max(distribution.sf((distance + margin) / error), distribution.cdf((distance - margin) / error))
    half = distribution.ppf(confidence) * error
    return Equivalence(margin, p, estimate.value - half, estimate.value + half, p < 1 - confidence)


def _two_sided(distance: float, estimate: Estimate) -> float:
    if estimate.standard_error <= 0:
        return math.nan
    return 2 * Student(estimate.ddf).sf(abs(distance) / estimate.standard_error)
