"""The visual Turing test: can readers tell synthetic from real pictures?

The main figure is the balanced accuracy, 1/2 for guessing whatever the ratio of real to synthetic. It is tested against
chance, and for equivalence to chance within a margin given beforehand, over readers and cases at once
(``against_chance``). Each reader's own counts have exact binomial intervals and tests: the answers of one reader to
different pictures are independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from MedUSISLib.study.statistics.against_chance import ChanceTest, compare_with_chance
from MedUSISLib.study.statistics.cautions import Caution
from MedUSISLib.study.statistics.detection import BalancedAccuracy, DPrime, DPrimeFigure, d_prime
from MedUSISLib.study.statistics.figures import EmpiricalAuc, ShareOfCases
from MedUSISLib.study.statistics.proportions import Proportion, proportion
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem


class Said(StrEnum):
    """What a reader can answer."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    UNSURE = "unsure"


class UnsureRule(StrEnum):
    """How "unsure" counts over readers and cases.

    HALF is what the answer is worth on average had the reader been made to guess. Readers' own counts are always of
    definite answers, with the number of unsure ones beside them.
    """

    HALF = "half"
    WRONG = "wrong"
    LEFT_OUT = "left-out"


@dataclass(frozen=True)
class TuringAnswer:
    """One answer.

    Attributes
    ----------
    reader, case : str
    synthetic : bool
        The truth.
    said : Said
    confidence : float or None
        0..100, that the answer is right.
    stratum : str
        Sequence, region, lesion or not, ...
    patient : str
        Pictures of one patient (the real and the synthetic one) are resampled together; default: each its own.
    """

    reader: str
    case: str
    synthetic: bool
    said: Said
    confidence: float | None = None
    stratum: str = ""
    patient: str = ""


@dataclass(frozen=True)
class ReaderCounts:
    """One reader; proportions are of definite answers."""

    reader: str
    correct: Proportion
    sensitivity: Proportion
    specificity: Proportion
    unsure: int
    d_prime: DPrime | None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "reader": self.reader,
            "correct": self.correct.as_dict(),
            "sensitivity": self.sensitivity.as_dict(),
            "specificity": self.specificity.as_dict(),
            "unsure": self.unsure,
            "d_prime": self.d_prime.as_dict() if self.d_prime else None,
        }


@dataclass(frozen=True)
class TuringResult:
    """What a visual Turing test found.

    Attributes
    ----------
    accuracy, d_prime : ChanceTest
        Over readers and cases.
    auc : ChanceTest or None
        Of the confidence, signed by the answer; None where somebody gave none.
    readers : tuple of ReaderCounts
    pooled : ReaderCounts
        All answers as if of one reader: counts for tables. Its intervals are too narrow, because readers saw the same
        pictures; conclusions belong to ``accuracy``.
    strata : dict of str to ChanceTest
        The accuracy within each stratum that has two cases of each kind.
    """

    accuracy: ChanceTest
    d_prime: ChanceTest
    auc: ChanceTest | None
    readers: tuple[ReaderCounts, ...]
    pooled: ReaderCounts
    strata: Mapping[str, ChanceTest]
    unsure_rule: UnsureRule
    warnings: tuple[Caution, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "accuracy": self.accuracy.as_dict(),
            "d_prime": self.d_prime.as_dict(),
            "auc": self.auc.as_dict() if self.auc else None,
            "readers": [r.as_dict() for r in self.readers],
            "pooled": self.pooled.as_dict(),
            "strata": {name: test.as_dict() for name, test in self.strata.items()},
            "unsure_rule": self.unsure_rule.value,
            "warnings": [w.as_dict() for w in self.warnings],
        }


def analyse_turing(
    answers: Iterable[TuringAnswer],
    margin: float | None = None,
    confidence: float = 0.95,
    unsure: UnsureRule = UnsureRule.HALF,
    positive: Said = Said.SYNTHETIC,
) -> TuringResult:
    """Analyse answers "real", "synthetic" or "unsure" to single pictures.

    Parameters
    ----------
    answers : iterable of TuringAnswer
        One per reader and case (of repeated trials the first; the others belong into ``agreement``).
    margin : float, optional
        Of equivalence, in units of the balanced accuracy (0.1: 40 % to 60 % right counts as guessing).
    confidence : float
    unsure : UnsureRule
    positive : Said
        What sensitivity is of: SYNTHETIC, or REAL, as the protocol says. Changes the readers' counts only.

    Returns
    -------
    TuringResult

    Raises
    ------
    TableError
        ``DUPLICATE_ROW``, ``ONE_CLASS``, ``TOO_FEW_CASES``, ...
    """
    given = list(answers)
    table, scores = _scores(given, unsure)
    table.require_both_classes()
    accuracy, result = compare_with_chance(BalancedAccuracy(table, scores), margin, confidence)
    dprime, _ = compare_with_chance(DPrimeFigure(table, scores), None, confidence)
    warnings = list(result.warnings)
    auc = None
    signed = _signed_confidence(given, table)
    if signed is not None:
        auc, _ = compare_with_chance(EmpiricalAuc(signed), margin, confidence)
    missing = int(np.isnan(scores).sum())
    if missing:
        warnings.append(
            Caution(
                "UNANSWERED",
                f"{missing} of {scores.size} answers are missing or left out; each reader's figure is of the answers "
                "given, which is fair only if what is missing has nothing to do with how hard it was.",
            )
        )
    if margin is None:
        warnings.append(
            Caution("NO_MARGIN", "No margin was given: not being significant does not show that readers cannot tell.")
        )
    return TuringResult(
        accuracy=accuracy,
        d_prime=dprime,
        auc=auc,
        readers=tuple(
            reader_counts(name, [a for a in given if a.reader == name], confidence, positive) for name in table.readers
        ),
        pooled=reader_counts("all", given, confidence, positive),
        strata=_strata(given, margin, confidence, unsure),
        unsure_rule=unsure,
        warnings=tuple(warnings),
    )


def analyse_forced_choice(
    answers: Iterable[tuple[str, str, bool]], margin: float | None = None, confidence: float = 0.95
) -> tuple[ChanceTest, dict[str, Proportion], tuple[Caution, ...]]:
    """Analyse two-alternative forced choice: which of two pictures is real.

    Parameters
    ----------
    answers : iterable of (reader, case, right)
        One per reader and pair.
    margin, confidence
        As in `analyse_turing`.

    Returns
    -------
    ChanceTest
        Of the share right, over readers and pairs. ``d' = sqrt(2) z(share)``.
    dict of str to Proportion
        Each reader's.
    tuple of Caution
    """
    given = list(answers)
    table = RatingTable.from_rows(
        {"reader": r, "test": "2AFC", "case": c, "truth": 1, "rating": int(x)} for r, c, x in given
    )
    figure = ShareOfCases("correct", "share right", table, table.ratings, chance=0.5)
    test, result = compare_with_chance(figure, margin, confidence)
    own = {
        name: proportion(sum(x for r, _, x in given if r == name), sum(r == name for r, _, _ in given), 0.5, confidence)
        for name in table.readers
    }
    return test, own, result.warnings


def reader_counts(
    name: str, answers: Sequence[TuringAnswer], confidence: float = 0.95, positive: Said = Said.SYNTHETIC
) -> ReaderCounts:
    """Counts of one reader's definite answers, with exact intervals and the exact test against 1/2."""
    negative = Said.REAL if positive is Said.SYNTHETIC else Said.SYNTHETIC
    definite = [a for a in answers if a.said is not Said.UNSURE]
    truly = [a for a in definite if a.synthetic == (positive is Said.SYNTHETIC)]
    others = [a for a in definite if a.synthetic == (negative is Said.SYNTHETIC)]
    hits = sum(a.said is positive for a in truly)
    rejected = sum(a.said is negative for a in others)
    return ReaderCounts(
        reader=name,
        correct=proportion(hits + rejected, len(definite), 0.5, confidence),
        sensitivity=proportion(hits, len(truly), None, confidence),
        specificity=proportion(rejected, len(others), None, confidence),
        unsure=len(answers) - len(definite),
        d_prime=d_prime(hits, len(truly), len(others) - rejected, len(others), confidence),
    )


def _scores(answers: Sequence[TuringAnswer], unsure: UnsureRule) -> tuple[RatingTable, np.ndarray]:
    """A table with one test, and scores [1, R, C]."""
    worth = {UnsureRule.HALF: 0.5, UnsureRule.WRONG: 0.0, UnsureRule.LEFT_OUT: "nan"}[unsure]
    rows = [
        {
            "reader": a.reader,
            "test": "turing",
            "case": a.case,
            "truth": int(a.synthetic),
            "cluster": a.patient,
            "rating": worth if a.said is Said.UNSURE else float((a.said is Said.SYNTHETIC) == a.synthetic),
        }
        for a in answers
    ]
    table = RatingTable.from_rows(rows)
    silent = np.isnan(table.ratings).all(axis=(0, 2))
    if silent.any():
        raise TableError(
            TableProblem.UNBALANCED,
            f"reader {table.readers[int(np.argmax(silent))]} gave no definite answer",
            "count unsure answers as half, or leave this reader out",
        )
    return table, table.ratings


def _signed_confidence(answers: Sequence[TuringAnswer], table: RatingTable) -> RatingTable | None:
    """Ratings for the ROC: confidence, negative for "real", 0 for "unsure"; None unless complete."""
    if np.isnan(table.ratings).any() or any(a.confidence is None and a.said is not Said.UNSURE for a in answers):
        return None
    ratings = np.full(table.ratings.shape, np.nan)
    readers = {name: i for i, name in enumerate(table.readers)}
    cases = {name: i for i, name in enumerate(table.cases)}
    sign = {Said.REAL: -1.0, Said.SYNTHETIC: 1.0, Said.UNSURE: 0.0}
    for a in answers:
        ratings[0, readers[a.reader], cases[a.case]] = sign[a.said] * (a.confidence or 0.0)
    return RatingTable(table.readers, table.tests, table.cases, table.truth, ratings, table.units)


def _strata(
    answers: Sequence[TuringAnswer], margin: float | None, confidence: float, unsure: UnsureRule
) -> dict[str, ChanceTest]:
    found = {}
    for stratum in sorted({a.stratum for a in answers if a.stratum}):
        try:
            table, scores = _scores([a for a in answers if a.stratum == stratum], unsure)
            table.require_both_classes()
        except TableError:
            continue
        found[stratum], _ = compare_with_chance(BalancedAccuracy(table, scores), margin, confidence)
    return found
