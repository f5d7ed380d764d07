"""The parts of ``results.json``: the two kinds of study, readers, forms, and the leak check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from MedUSISLib.study.analysis.result_statistics import (
    AgainstChance,
    Comparison,
    Curve,
    DPrimeValue,
    Share,
)
from MedUSISLib.study.versioned import Part, ReaderId


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
