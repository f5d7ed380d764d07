"""What the statistics found, as it is stored in ``results.json``; None stands for what is not defined."""

from __future__ import annotations

from typing import Literal

from MedUSISLib.study.versioned import Part

ALL = "all readers"
"""Stands for all readers together; no reader can be called so, for it has a space."""


class Note(Part):
    """Something to know about the results: a code for programs, a sentence for people."""

    code: str
    message: str


class Share(Part):
    """``count`` of ``total`` with Clopper-Pearson and Wilson intervals, and the exact test against ``chance``."""

    count: int
    total: int
    value: float | None
    exact: tuple[float, float] | None = None
    wilson: tuple[float, float] | None = None
    chance: float | None = None
    p_chance: float | None = None


class DPrimeValue(Part):
    """d' of one reader, log-linear correction, normal interval."""

    value: float
    standard_error: float
    low: float
    high: float
    criterion: float


class EquivalenceTest(Part):
    """Two one-sided tests against the margin of the protocol."""

    margin: float
    p_value: float | None
    low: float | None
    high: float | None
    shown: bool


class AgainstChance(Part):
    """A mean over readers, tested against chance; ``sentence`` says it in words."""

    figure: str
    title: str
    generalises_to: str
    chance: float
    value: float | None
    standard_error: float | None
    ddf: float | None
    low: float | None
    high: float | None
    logit_low: float | None = None
    logit_high: float | None = None
    p_value: float | None
    equivalence: EquivalenceTest | None
    sentence: str


class EstimateOf(Part):
    """A number of one test with its intervals."""

    test: str
    value: float | None
    standard_error: float | None
    ddf: float | None
    low: float | None
    high: float | None
    logit_low: float | None = None
    logit_high: float | None = None


class DifferenceOf(Part):
    """First test minus second; ``reader`` where it is one reader's."""

    reader: str = ""
    first: str
    second: str
    value: float | None
    standard_error: float | None
    ddf: float | None
    low: float | None
    high: float | None
    p_value: float | None


class Generalised(Part):
    """One of the three analyses: random readers and cases, these readers, these cases."""

    generalises_to: str
    statistic_name: str
    statistic: float | None
    ndf: float | None
    ddf: float | None
    p_value: float | None
    error: float | None
    differences: tuple[DifferenceOf, ...]
    tests: tuple[EstimateOf, ...]


class CaseNumbers(Part):
    """Cases of a comparison."""

    positive: int
    negative: int
    sampling_units: int


class Comparison(Part):
    """A figure of merit of all readers in all arms, compared by Obuchowski-Rockette with Hillis's degrees."""

    figure: str
    title: str
    covariance: str
    confidence: float
    readers: tuple[str, ...]
    tests: tuple[str, ...]
    cases: CaseNumbers
    values: dict[str, dict[str, float | None]]
    mean_squares: dict[str, float | None]
    components: dict[str, float | None]
    analyses: tuple[Generalised, ...]
    reader_differences: tuple[DifferenceOf, ...]
    warnings: tuple[Note, ...]

    @property
    def main(self) -> Generalised:
        """The first analysis that was possible: random readers and cases, else these readers."""
        return self.analyses[0]


class CoefficientOf(Part):
    """A coefficient of agreement; None where it is not defined."""

    name: str
    value: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    observed: float | None
    expected: float | None
    subjects: int
    raters: int


class IccOf(Part):
    """Intraclass correlation of numbers; single ratings and the mean over readers."""

    form: str
    single: float | None
    single_low: float | None
    single_high: float | None
    average: float | None
    average_low: float | None
    average_high: float | None
    subjects: int
    raters: int


class PairAgreement(Part):
    """Two readers, or a reader and his own earlier reading (then both are the same)."""

    first: str
    second: str
    same: int
    total: int
    kappa: CoefficientOf | None


class Agreement(Part):
    """Agreement on one question in one arm ("" where arms are taken together)."""

    question: str
    arm: str
    between: tuple[CoefficientOf, ...]
    pairs: tuple[PairAgreement, ...]
    within: tuple[PairAgreement, ...]
    numbers: IccOf | None = None


class TimeSummary(Part):
    """Seconds per answer, corrections included, breaks not; ``kind`` says what ``name`` is a name of."""

    kind: Literal["reader", "arm", "outcome"]
    name: str
    answers: int
    median_s: float
    quartiles_s: tuple[float, float]
    mean_s: float
    total_s: float


class Curve(Part):
    """Points of an operating characteristic, from the strictest rating down.

    ``x`` is the share of negative cases (ROC), false marks per case (FROC), or the share of cases with a false mark
    (AFROC); ``y`` the share of positive cases or of lesions.
    """

    kind: Literal["roc", "froc", "afroc"]
    arm: str
    reader: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    area: float | None = None
