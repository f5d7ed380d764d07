"""Do readers agree with each other, and with themselves when a trial came again?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.result_statistics import Agreement, CoefficientOf, IccOf, PairAgreement
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.agreement import Coefficient, cohen_kappa, fleiss_kappa, gwet_ac1, krippendorff_alpha
from MedUSISLib.study.statistics.from_readings import answers_by_case, first_readings, repeated_pairs
from MedUSISLib.study.statistics.icc import icc


def agreement_on(
    readings: Sequence[Reading],
    question: str,
    options: Sequence[str],
    confidence: float,
    notes: Notes,
    arm: str = "",
    shown: str = "",
) -> Agreement:
    """Agreement on a question with options.

    Parameters
    ----------
    readings : sequence of Reading
        Repeats included, training not.
    question : str
    options : sequence of str
        In order.
    confidence : float
        Of the intervals.
    notes : Notes
    arm : str
        Only readings of this arm; "" takes all, each image being a subject.
    shown : str
        How notes call the question.
    """
    chosen = [reading for reading in readings if not arm or reading.arm == arm]
    readers = list(dict.fromkeys(reading.reader for reading in first_readings(chosen)))
    table = answers_by_case(chosen, question)
    about = f"agreement on {shown or question}" + (f" in arm {arm}" if arm else "")
    between: list[CoefficientOf] = []
    pairs: list[PairAgreement] = []
    if len(readers) > 1:
        for function in (fleiss_kappa, gwet_ac1):
            found = notes.attempt(about, lambda function=function: function(table, confidence))  # type: ignore[misc]
            between += [_of(found)] if found is not None else []
        alpha = notes.attempt(about, lambda: krippendorff_alpha(table, categories=options, confidence=confidence))
        between += [_of(alpha)] if alpha is not None else []
        pairs = [
            _pair(readers[a], readers[b], [(row[a], row[b]) for row in table], options, confidence)
            for a, b in combinations(range(len(readers)), 2)
        ]
    else:
        notes.add("ONE_READER", f"No {about} between readers: there is one reader.")
    within = [
        _pair(reader, reader, found, options, confidence)
        for reader, found in repeated_pairs(chosen, question).items()
        if found
    ]
    return Agreement(question=question, arm=arm, between=tuple(between), pairs=tuple(pairs), within=tuple(within))


def agreement_of_counts(readings: Sequence[Reading], counts: Sequence[float], name: str, arm: str, confidence: float,
                        notes: Notes) -> Agreement:  # fmt: skip
    """Intraclass correlation of a number per reading in one arm, over the cases that every reader read.

    Parameters
    ----------
    readings : sequence of Reading
        First readings.
    counts : sequence of float
        One for each of them.
    """
    counted = [replace(r, values={name: float(c)}) for r, c in zip(readings, counts, strict=True) if r.arm == arm]
    table = [row for row in answers_by_case(counted, name) if None not in row]
    found = None
    if table and len(table[0]) > 1:
        found = notes.attempt(f"intraclass correlation of {name} in arm {arm}",
                              lambda: icc(table, confidence=confidence))  # fmt: skip
    numbers = IccOf.model_validate(found.as_dict()) if found is not None else None
    return Agreement(question=name, arm=arm, between=(), pairs=(), within=(), numbers=numbers)


def _pair(
    first: str, second: str, pairs: Iterable[tuple[object, object]], options: Sequence[str], confidence: float
) -> PairAgreement:
    both: list[tuple[Any, Any]] = [pair for pair in pairs if None not in pair]
    kappa = None
    if both:
        one, other = zip(*both, strict=True)
        kappa = _of(cohen_kappa(one, other, categories=options, confidence=confidence))
    same = sum(a == b for a, b in both)
    return PairAgreement(first=first, second=second, same=same, total=len(both), kappa=kappa)


def _of(found: Coefficient) -> CoefficientOf:
    return CoefficientOf.model_validate(found.as_dict())
