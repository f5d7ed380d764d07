"""``results.json``: everything that was found in a study, validated, with a version; counts beside every share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from MedUSISLib.study.versioned import Identifier, Migration, Part, ReaderId, Sha256, read_versioned

RESULTS_NAME = "results.json"
MIGRATIONS: Mapping[int, Migration] = {}
"""Version 1 is the first."""

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


class ReaderTuring(Part):
    """One reader (or all) in a visual Turing test; shares are of definite answers."""

    reader: str
    answers: int
    correct: Share
    sensitivity: Share
    specificity: Share
    unsure: int
    d_prime: DPrimeValue | None
    auc: float | None = None


class StratumTuring(Part):
    """One stratum: counts of all readers, and the test where there are enough cases."""

    stratum: str
    counts: ReaderTuring
    accuracy: AgainstChance | None


class VisualTuring(Part):
    """Single images: real, synthetic or unsure."""

    positive: Literal["synthetic", "real"]
    unsure_rule: str
    accuracy: AgainstChance | None
    d_prime: AgainstChance | None
    auc: AgainstChance | None
    readers: tuple[ReaderTuring, ...]
    pooled: ReaderTuring
    strata: tuple[StratumTuring, ...]
    curves: tuple[Curve, ...]


class ReaderChoices(Part):
    """One reader (or all, or a stratum) in a forced choice: right answers, and how often the left side was chosen."""

    reader: str
    correct: Share
    left: Share


class ForcedChoice(Part):
    """Two images: which one is real."""

    correct: AgainstChance | None
    d_prime: tuple[float, float | None, float | None] | None = Field(
        description="sqrt(2) z(share right): value, low, high"
    )
    readers: tuple[ReaderChoices, ...]
    pooled: ReaderChoices
    strata: tuple[ReaderChoices, ...]


class LesionCounts(Part):
    """One reader in one arm: marks, and what they are worth."""

    reader: str
    arm: str
    cases: int
    marks: int
    found: Share = Field(description="lesions hit, of all lesions")
    false_marks: int
    false_marks_per_case: float | None
    duplicates: int
    called_positive: Share = Field(description="cases with a lesion that were called so")
    called_negative: Share = Field(description="cases without a lesion that were called so")


class StratumLesions(Part):
    """Counts of all readers in one stratum and arm; readers read the same cases, so intervals are too short."""

    stratum: str
    counts: LesionCounts


class CategoryCounts(Part):
    """Marks of one category, of one reader in one arm."""

    reader: str
    arm: str
    category: str
    cases: int
    marks: int
    hits: int
    false_marks: int


class PairedLesions(Part):
    """Lesions that one reader found in one arm, the other, both or neither; exact McNemar test."""

    reader: str
    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float


class PairedMarks(Part):
    """Marks per case of one category in two arms: Wilcoxon's signed rank test over cases of one reader."""

    reader: str
    category: str
    first: str
    second: str
    cases: int
    mean_first: float
    mean_second: float
    p_value: float | None


class ContrastSummary(Part):
    """Contrast of what was marked, on one kind of image in one arm; each lesion counts once.

    ``outcome``: "hit" (lesions that at least one reader found), "false-positive" (marks where nothing is), "missed"
    (lesions that nobody found) or "mark" (marks of cases without a mask).
    """

    arm: str
    image: str
    outcome: Literal["hit", "false-positive", "missed", "mark"]
    places: int
    cnr_median: float
    cnr_quartiles: tuple[float, float]
    ratio_median: float | None
    ratio_quartiles: tuple[float, float] | None


class PairedContrast(Part):
    """The same lesions on two kinds of images: median difference of the CNR and Wilcoxon's signed rank test."""

    first: str
    second: str
    lesions: int
    cnr_difference_median: float
    p_value: float | None


class LesionReading(Part):
    """Lesions: present or not, and where."""

    arms: tuple[str, ...]
    cases: int
    cases_with_lesions: int
    lesions: int
    counts: tuple[LesionCounts, ...]
    pooled: tuple[LesionCounts, ...] = Field(description="of all readers of the analysis together, by arm")
    strata: tuple[StratumLesions, ...]
    categories: tuple[CategoryCounts, ...]
    paired_lesions: tuple[PairedLesions, ...]
    paired_marks: tuple[PairedMarks, ...]
    comparisons: dict[str, Comparison]
    curves: tuple[Curve, ...]
    contrast: tuple[ContrastSummary, ...]
    paired_contrast: tuple[PairedContrast, ...]


class ReaderSummary(Part):
    """How far a reader is, what was corrected, and what he said of himself."""

    reader: ReaderId
    answered: int
    expected: int
    corrected_answers: int
    corrections: int
    closed: bool
    profile: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether everything was answered."""
        return self.answered == self.expected


class FormSummary(Part):
    """One question of the closing form: numbers with their distribution, or texts, by reader."""

    question: str
    text: str
    kind: str
    points: int | None = None
    lowest: str = ""
    highest: str = ""
    answers: dict[str, str | float | int]
    median: float | None = None
    mean: float | None = None


class AcceptedLeak(Part):
    """A finding of the leak check that somebody took responsibility for."""

    code: str
    what: str
    reason: str
    at: str


class LeakFinding(Part):
    """A finding of the leak check when the study was analysed."""

    code: str
    severity: Literal["leak", "remark", "accepted"]
    title: str
    what: str


class LeakSummary(Part):
    """The leak check, made again with the images as they are now."""

    images: dict[str, int]
    findings: tuple[LeakFinding, ...]


class Materials(Part):
    """What was answered and what of it was analysed, in numbers of answers."""

    cases: int
    images: int
    answers: int
    analysed: int
    training: int
    repeats: int


class StudyResults(Part):
    """Contents of ``results.json``."""

    version: Literal[1] = 1
    study: Identifier
    title: str
    kind: str
    design: str
    protocol_sha256: Sha256 = Field(description="of the whole protocol")
    binding_sha256: Sha256 = Field(description="of what packages and answers are tied to")
    confidence: float
    margin: float
    analysed_at: str
    software: dict[str, str]
    materials: Materials
    readers: tuple[ReaderSummary, ...]
    analysed_readers: tuple[str, ...] = Field(description="whose answers the analysis over readers is made of")
    notes: tuple[Note, ...]
    visual_turing: VisualTuring | None = None
    forced_choice: ForcedChoice | None = None
    lesion_reading: LesionReading | None = None
    agreement: tuple[Agreement, ...] = ()
    times: tuple[TimeSummary, ...] = ()
    closing: tuple[FormSummary, ...] = ()
    leak_check: LeakSummary
    accepted_leaks: tuple[AcceptedLeak, ...] = ()
    protocol: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Single figures, for a result event."""
        return {
            "study": self.study,
            "readers": len(self.readers),
            "complete_readers": sum(reader.complete for reader in self.readers),
            "answers": self.materials.analysed,
            "notes": len(self.notes),
            "headline": headline(self),
        }


def headline(results: StudyResults) -> str:
    """The main result in one sentence."""
    if results.visual_turing is not None and results.visual_turing.accuracy is not None:
        return results.visual_turing.accuracy.sentence
    if results.forced_choice is not None and results.forced_choice.correct is not None:
        return results.forced_choice.correct.sentence
    if results.lesion_reading is not None:
        for name in ("jafroc", "auc"):
            found = results.lesion_reading.comparisons.get(name)
            if found is not None and found.main.differences:
                return f"{found.title}: " + "; ".join(_difference_text(d) for d in found.main.differences)
    return "no analysis over readers and cases was possible; see the notes"


def _difference_text(d: DifferenceOf) -> str:
    if d.value is None or d.low is None or d.high is None:
        return f"{d.first} - {d.second} not defined"
    p = "p not defined" if d.p_value is None else "p < 0.0001" if d.p_value < 1e-4 else f"p = {d.p_value:.4f}"
    return f"{d.first} - {d.second} {d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}], {p}"


def load_results(path: str | Path) -> StudyResults:
    """Read ``results.json``; a folder means the one in it.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE or BAD_SETTING.
    """
    path = Path(path)
    path = path / RESULTS_NAME if path.is_dir() else path
    return read_versioned(path, StudyResults, MIGRATIONS, "the results of the study")
