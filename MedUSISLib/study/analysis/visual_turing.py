"""The visual Turing test: single images, or which of two is real."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy import stats

from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.curves import roc_curve
from MedUSISLib.study.analysis.result_parts import (
    ForcedChoice,
    ReaderChoices,
    ReaderTuring,
    StratumTuring,
    VisualTuring,
)
from MedUSISLib.study.analysis.result_statistics import ALL, AgainstChance, Curve, Share
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.questions import Choice, Confidence
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.against_chance import ChanceTest
from MedUSISLib.study.statistics.from_readings import first_readings, forced_choices, turing_answers
from MedUSISLib.study.statistics.proportions import Proportion, proportion
from MedUSISLib.study.statistics.turing import (
    Said,
    TuringAnswer,
    UnsureRule,
    analyse_forced_choice,
    analyse_turing,
    reader_counts,
)

_SIGN = {Said.REAL: -1.0, Said.SYNTHETIC: 1.0, Said.UNSURE: 0.0}


def visual_turing(
    protocol: Protocol,
    readings: Sequence[Reading],
    analysed: Sequence[str],
    source: Choice,
    confidence: Confidence | None,
    notes: Notes,
) -> VisualTuring:
    """Analyse answers to single images.

    Parameters
    ----------
    protocol : Protocol
    readings : sequence of Reading
        Without training.
    analysed : sequence of str
        Readers of the analysis over readers; the others appear in the tables only.
    source, confidence : questions
    notes : Notes
    """
    plan = protocol.analysis
    level = 1 - plan.alpha
    positive = Said(plan.positive)
    answers = turing_answers(readings, source.id, confidence.id if confidence is not None else "")
    chosen = [answer for answer in answers if answer.reader in analysed]
    if not any(answer.said is Said.UNSURE for answer in answers) and "unsure" in source.options:
        notes.add("NOBODY_UNSURE", "Nobody answered unsure.")
    result = notes.attempt(
        "analysis of the visual Turing test over readers and cases",
        lambda: analyse_turing(chosen, plan.equivalence_margin, level, UnsureRule.HALF, positive),
    )
    if result is not None:
        notes.add_cautions(result.warnings)
        if result.auc is None:
            notes.add("NO_AUC", "No ROC curve over readers: not every answer has a confidence, or answers are missing.")
    strata = sorted({answer.stratum for answer in chosen if answer.stratum})
    tests = result.strata if result is not None else {}
    return VisualTuring(
        positive=plan.positive,
        unsure_rule=UnsureRule.HALF.value,
        accuracy=against_chance(result.accuracy if result else None),
        d_prime=against_chance(result.d_prime if result else None),
        auc=against_chance(result.auc if result else None),
        readers=tuple(
            _reader(name, [a for a in answers if a.reader == name], level, positive)
            for name in dict.fromkeys(answer.reader for answer in answers)
        ),
        pooled=_reader(ALL, chosen, level, positive),
        strata=tuple(
            StratumTuring(
                stratum=stratum,
                counts=_reader(ALL, [a for a in chosen if a.stratum == stratum], level, positive),
                accuracy=against_chance(tests.get(stratum)),
            )
            for stratum in strata
        ),
        curves=tuple(_curves(answers, chosen)),
    )


def forced_choice(
    protocol: Protocol, readings: Sequence[Reading], analysed: Sequence[str], source: Choice, notes: Notes
) -> ForcedChoice:
    """Analyse which of two images was taken for the real one; arguments as of `visual_turing`."""
    level = 1 - protocol.analysis.alpha
    first = first_readings(readings)
    chosen = [reading for reading in first if reading.reader in analysed]

    def analysed_test() -> AgainstChance | None:
        given = forced_choices(chosen, source.id)
        test, _, cautions = analyse_forced_choice(given, protocol.analysis.equivalence_margin, level)
        notes.add_cautions(cautions)
        return against_chance(test)

    test = notes.attempt("analysis of the forced choice over readers and pairs", analysed_test) if chosen else None
    if not chosen:
        notes.add("EMPTY_TABLE", "No analysis of the forced choice: there are no answers.")
    return ForcedChoice(
        correct=test,
        d_prime=_d_prime(test),
        readers=tuple(
            _choices(name, [r for r in first if r.reader == name], source.id, level)
            for name in dict.fromkeys(reading.reader for reading in first)
        ),
        pooled=_choices(ALL, chosen, source.id, level),
        strata=tuple(
            _choices(stratum, [r for r in chosen if r.stratum == stratum], source.id, level)
            for stratum in sorted({reading.stratum for reading in chosen if reading.stratum})
        ),
    )


def chosen_image(readings: Sequence[Reading], question: str) -> list[Reading]:
    """Forced choices as the image that was taken for real: sides differ from reader to reader and mean nothing."""
    return [
        replace(r, values={**r.values, question: "real" if r.values[question] == r.right_answer else "synthetic"})
        for r in readings
        if question in r.values
    ]


def right_or_wrong(reading: Reading, question: str) -> str:
    """ "right", "wrong" or "unsure"."""
    said = reading.values.get(question)
    return "unsure" if said == "unsure" else "right" if said == reading.right_answer else "wrong"


def against_chance(test: ChanceTest | None) -> AgainstChance | None:
    """A test against chance as it is stored, with its sentence."""
    if test is None:
        return None
    return AgainstChance.model_validate({**test.as_dict(), "sentence": test.sentence()})


def share(found: Proportion) -> Share:
    """A proportion as it is stored."""
    return Share.model_validate(found.as_dict())


def _reader(name: str, answers: Sequence[TuringAnswer], level: float, positive: Said) -> ReaderTuring:
    counts = reader_counts(name, answers, level, positive)
    curve = _curve(name, answers)
    return ReaderTuring.model_validate(
        {**counts.as_dict(), "answers": len(answers), "auc": curve.area if curve is not None else None}
    )


def _curves(answers: Sequence[TuringAnswer], chosen: Sequence[TuringAnswer]) -> list[Curve]:
    readers = list(dict.fromkeys(answer.reader for answer in answers))
    found = [_curve(name, [a for a in answers if a.reader == name]) for name in readers]
    if len({answer.reader for answer in chosen}) > 1:
        found.append(_curve(ALL, chosen))
    return [curve for curve in found if curve is not None]


def _curve(name: str, answers: Sequence[TuringAnswer]) -> Curve | None:
    """The ROC curve of the confidence, negative where the answer was "real"; None unless every answer has one."""
    if any(answer.confidence is None and answer.said is not Said.UNSURE for answer in answers):
        return None
    rated = [(answer.synthetic, _SIGN[answer.said] * (answer.confidence or 0.0)) for answer in answers]
    return roc_curve("", name, [x for truth, x in rated if not truth], [x for truth, x in rated if truth])


def _choices(name: str, readings: Sequence[Reading], question: str, level: float) -> ReaderChoices:
    right = sum(reading.values[question] == reading.right_answer for reading in readings)
    left = sum(reading.values[question] == "left" for reading in readings)
    return ReaderChoices(
        reader=name,
        correct=share(proportion(right, len(readings), 0.5, level)),
        left=share(proportion(left, len(readings), 0.5, level)),
    )


def _d_prime(test: AgainstChance | None) -> tuple[float, float | None, float | None] | None:
    """``sqrt(2) z(share right)`` (Green and Swets) of the estimate and of the ends of its interval.

    None where all answers were right or wrong; an end outside 0..1 is None.
    """

    def of(x: float | None) -> float | None:
        return math.sqrt(2) * float(stats.norm.ppf(x)) if x is not None and 0 < x < 1 else None

    value = of(test.value) if test is not None else None
    return (value, of(test.low), of(test.high)) if test is not None and value is not None else None
