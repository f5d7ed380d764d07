"""Where the assumptions of an analysis fail, said in words that a reader of the report understands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from MedUSISLib.study.statistics.figures import Figure
from MedUSISLib.study.statistics.obuchowski_rockette import Analysis, ObuchowskiRockette

FEW_READERS = 5
"""Below this the between-reader variance rests on fewer than four degrees of freedom."""

FEW_CASES = 10
"""Below this many cases of a class the normal theory behind the covariances is poor."""


@dataclass(frozen=True)
class Caution:
    """A warning: a code for programs and a sentence for people."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def cautions_of(figure: Figure, model: ObuchowskiRockette, analyses: Sequence[Analysis]) -> Iterator[Caution]:
    """Everything to be careful about in a multi-reader analysis."""
    yield from _about_readers(model)
    yield from _about_cases(figure)
    yield from _about_values(figure, model)
    yield from _about_components(model)
    yield from _about_intervals(figure, analyses)
    if model.t > 2:
        pairs = model.t * (model.t - 1) // 2
        yield Caution(
            "SEVERAL_PAIRS",
            f"The p-values of the {pairs} pairs of tests are not corrected for their number; look at the global test "
            f"first, or multiply them by {pairs} (Bonferroni).",
        )


def _about_readers(model: ObuchowskiRockette) -> Iterator[Caution]:
    if model.r == 1:
        yield Caution(
            "ONE_READER",
            "There is one reader: nothing can be said about other readers; results hold for this reader alone.",
        )
    elif model.r < FEW_READERS:
        yield Caution(
            "FEW_READERS",
            f"There are only {model.r} readers: how much readers differ is known badly, intervals for random readers "
            "are wide and depend on the normal distribution of the readers' figures.",
        )


def _about_cases(figure: Figure) -> Iterator[Caution]:
    positives, negatives = figure.truth & figure.relevant, ~figure.truth & figure.relevant
    for kind, mask in (("positive", positives), ("negative", negatives)):
        count = int(mask.sum())
        if 0 < count < FEW_CASES:
            yield Caution(
                "FEW_CASES", f"There are only {count} {kind} cases: variances over cases are estimated badly."
            )
    units = len(np.unique(figure.units))
    if units < len(figure.units):
        yield Caution(
            "CLUSTERED_CASES",
            f"The {len(figure.units)} cases come from {units} patients; variances were taken over patients.",
        )


def _about_values(figure: Figure, model: ObuchowskiRockette) -> Iterator[Caution]:
    values = model.values
    if figure.bounded:
        for limit, word in ((1.0, "perfect"), (0.0, "always wrong")):
            for t, r in np.argwhere(values == limit):
                yield Caution(
                    "PERFECT_SCORE" if limit else "ZERO_SCORE",
                    f"Reader {figure.readers[r]} is {word} in test {figure.tests[t]} (figure {limit:g}): the estimated "
                    "variance of this figure is 0, which is too small; averages and tests are then too optimistic.",
                )
    if figure.name in ("auc", "inferred-roc") and (values.mean(axis=1) < 0.5).all():
        yield Caution(
            "BELOW_CHANCE",
            "The mean area of every test lies below 1/2: look whether low ratings mean positive, or truth is turned "
            "around.",
        )
    diagonal = np.einsum("trtr->tr", model.covariance)
    if np.all(diagonal <= 0):
        yield Caution("ZERO_VARIANCE", "No figure varies with the cases: tests and intervals over cases mean nothing.")
    if model.r > 1 and any(square == 0 for square in model.squares.single):
        yield Caution(
            "IDENTICAL_READERS",
            "In at least one test all readers have the same figure: the variance between readers is estimated as 0.",
        )


def _about_components(model: ObuchowskiRockette) -> Iterator[Caution]:
    error, components = model.error, model.components
    if error.cov2 is not None and error.cov3 is not None and error.cov2 < error.cov3:
        yield Caution(
            "NEGATIVE_TEST_CASE_TERM",
            "Cov2 - Cov3 is negative and was set to 0 (Hillis 2007); the test between tests then rests on the readers "
            "alone.",
        )
    for name, value in (("readers", components.reader), ("readers x tests", components.test_reader)):
        if value is not None and value < 0:
            yield Caution(
                "NEGATIVE_COMPONENT", f"The estimated variance of {name} is negative; for planning take it as 0."
            )
    if model.squares.interaction == 0:
        yield Caution(
            "NO_INTERACTION",
            "All readers differ between tests by exactly the same amount: tests with random readers have no error of "
            "their own to compare with.",
        )


def _about_intervals(figure: Figure, analyses: Sequence[Analysis]) -> Iterator[Caution]:
    if not figure.bounded:
        return
    if any(_outside(test.estimate.low, test.estimate.high) for a in analyses for test in a.tests):
        yield Caution(
            "INTERVAL_OUTSIDE",
            "An interval of a single test leaves 0..1: so close to the limit the interval on the logit scale is "
            "the better one.",
        )


def _outside(low: float, high: float) -> bool:
    return math.isfinite(low) and (low < 0 or high > 1)
