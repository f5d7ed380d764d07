"""Counts of lesion reading: marks, hits and calls of every reader in every arm, and paired tests between arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from MedUSISLib.study.analysis.result_parts import (
    CategoryCounts,
    LesionCounts,
    PairedLesions,
    PairedMarks,
    StratumLesions,
)
from MedUSISLib.study.analysis.result_statistics import ALL
from MedUSISLib.study.analysis.visual_turing import share
from MedUSISLib.study.lesions import Outcome
from MedUSISLib.study.questions import Mark
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.proportions import mcnemar, proportion
from MedUSISLib.study.statistics.signed_rank import signed_rank_p

TOTAL = "all categories"


def marks_of(reading: Reading, question: str) -> list[Mark]:
    """All marks of a reading, with or without a mask to score them."""
    return [Mark.model_validate(mark) for mark in reading.values.get(question, [])]


def number_of_marks(reading: Reading, question: str, category: str = TOTAL) -> int:
    """Marks of one category."""
    return sum(category in (TOTAL, mark.category) for mark in marks_of(reading, question))


def lesion_counts(
    readings: Sequence[Reading], question: str, presence: str, confidence: float
) -> tuple[LesionCounts, ...]:
    """Of every reader in every arm; ``presence`` is the id of the yes-no question, "" where there is none."""
    found = []
    for reader, arm, mine in _cells(readings):
        scored = [reading for reading in mine if reading.scored]
        lesions = sum(len(reading.lesions) for reading in scored)
        hits = sum(reading.hits for reading in scored)
        false = sum(reading.false_positives for reading in scored)
        sick = [r.values.get(presence) for r in mine if r.status is True and presence in r.values]
        well = [r.values.get(presence) for r in mine if r.status is False and presence in r.values]
        found.append(
            LesionCounts(
                reader=reader,
                arm=arm,
                cases=len(mine),
                marks=sum(number_of_marks(reading, question) for reading in mine),
                found=share(proportion(hits, lesions, None, confidence)),
                false_marks=false,
                false_marks_per_case=false / len(scored) if scored else None,
                duplicates=sum(m.outcome is Outcome.DUPLICATE for reading in scored for m in reading.marks),
                called_positive=share(proportion(sum(v == "yes" for v in sick), len(sick), None, confidence)),
                called_negative=share(proportion(sum(v == "no" for v in well), len(well), None, confidence)),
            )
        )
    return tuple(found)


def pooled_counts(
    readings: Sequence[Reading], question: str, presence: str, confidence: float
) -> tuple[LesionCounts, ...]:
    """As ``lesion_counts``, of all readers together: for tables, not for conclusions."""
    return lesion_counts([replace(r, reader=ALL) for r in readings], question, presence, confidence)


def stratum_counts(
    readings: Sequence[Reading], question: str, presence: str, confidence: float
) -> tuple[StratumLesions, ...]:
    """Counts of all readers together by stratum and arm."""
    return tuple(
        StratumLesions(stratum=stratum, counts=counts)
        for stratum in sorted({reading.stratum for reading in readings if reading.stratum})
        for counts in pooled_counts([r for r in readings if r.stratum == stratum], question, presence, confidence)
    )


def category_counts(
    readings: Sequence[Reading], question: str, categories: Sequence[str]
) -> tuple[CategoryCounts, ...]:
    """Marks of every category, reader and arm."""
    found = []
    for reader, arm, mine in _cells(readings):
        for category in categories:
            scored = [m for reading in mine for m in reading.marks if m.mark.category == category]
            found.append(
                CategoryCounts(
                    reader=reader,
                    arm=arm,
                    category=category,
                    cases=len(mine),
                    marks=sum(number_of_marks(reading, question, category) for reading in mine),
                    hits=sum(m.outcome is Outcome.HIT for m in scored),
                    false_marks=sum(m.outcome is Outcome.FALSE_POSITIVE for m in scored),
                )
            )
    return tuple(found)


def paired_lesions(readings: Sequence[Reading], arms: Sequence[str]) -> tuple[PairedLesions, ...]:
    """McNemar's test on lesions of cases that a reader read in both arms."""
    found = []
    for reader, by_arm in _by_reader(readings):
        for first, second in combinations(arms, 2):
            cases = by_arm.get(first, {}).keys() & by_arm.get(second, {}).keys()
            table = {(a, b): 0 for a in (True, False) for b in (True, False)}
            for case in cases:
                one, other = by_arm[first][case], by_arm[second][case]
                if one.scored and other.scored:
                    for lesion in one.lesions:
                        table[_hit(one, lesion.label), _hit(other, lesion.label)] += 1
            if sum(table.values()):
                found.append(
                    PairedLesions(
                        reader=reader,
                        first=first,
                        second=second,
                        both=table[True, True],
                        only_first=table[True, False],
                        only_second=table[False, True],
                        neither=table[False, False],
                        p_value=mcnemar(table[True, False], table[False, True]),
                    )
                )
    return tuple(found)


def paired_marks(
    readings: Sequence[Reading], arms: Sequence[str], question: str, categories: Sequence[str]
) -> tuple[PairedMarks, ...]:
    """Wilcoxon's signed rank test on marks per case, of every reader and category, between arms."""
    found = []
    for reader, by_arm in _by_reader(readings):
        for first, second in combinations(arms, 2):
            cases = sorted(by_arm.get(first, {}).keys() & by_arm.get(second, {}).keys())
            for category in (TOTAL, *categories) if cases else ():
                one = np.array([number_of_marks(by_arm[first][case], question, category) for case in cases])
                other = np.array([number_of_marks(by_arm[second][case], question, category) for case in cases])
                found.append(
                    PairedMarks(
                        reader=reader,
                        category=category,
                        first=first,
                        second=second,
                        cases=len(cases),
                        mean_first=float(one.mean()),
                        mean_second=float(other.mean()),
                        p_value=signed_rank_p(one - other),
                    )
                )
    return tuple(found)


def _cells(readings: Sequence[Reading]) -> list[tuple[str, str, list[Reading]]]:
    groups: dict[tuple[str, str], list[Reading]] = {}
    for reading in readings:
        groups.setdefault((reading.reader, reading.arm), []).append(reading)
    return [(reader, arm, mine) for (reader, arm), mine in sorted(groups.items())]


def _by_reader(readings: Sequence[Reading]) -> list[tuple[str, dict[str, dict[str, Reading]]]]:
    found: dict[str, dict[str, dict[str, Reading]]] = {}
    for reading in readings:
        found.setdefault(reading.reader, {}).setdefault(reading.arm, {})[reading.case] = reading
    return list(found.items())


def _hit(reading: Reading, lesion: int) -> bool:
    return any(mark.outcome is Outcome.HIT and mark.lesion == lesion for mark in reading.marks)
