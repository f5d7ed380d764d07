"""Lesion reading: which arm shows more lesions, for other readers and other cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from MedUSISLib.progress import Progress
from MedUSISLib.study.analysis import contrast
from MedUSISLib.study.analysis.asked import confidence_question, marks_question, presence_question
from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.completeness import crossed
from MedUSISLib.study.analysis.curves import lesion_curves, roc_curve
from MedUSISLib.study.analysis.lesion_counts import (
    TOTAL,
    category_counts,
    lesion_counts,
    number_of_marks,
    paired_lesions,
    paired_marks,
    pooled_counts,
    stratum_counts,
)
from MedUSISLib.study.analysis.result_parts import LesionReading
from MedUSISLib.study.analysis.result_statistics import ALL, Comparison, Curve
from MedUSISLib.study.key import Key
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.figures import (
    EmpiricalAuc,
    Figure,
    ShareOfCases,
    mean_rating,
    sensitivity,
    specificity,
)
from MedUSISLib.study.statistics.free_response import AfrocArea, FalseMarksPerCase, LesionSensitivity
from MedUSISLib.study.statistics.from_readings import case_ratings, first_readings, lesion_marks
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.statistics.rating_table import RatingTable


def lesion_reading(
    study: Path,
    protocol: Protocol,
    key: Key,
    readings: Sequence[Reading],
    analysed: Sequence[str],
    notes: Notes,
    progress: Progress,
) -> LesionReading:
    """Analyse lesion reading.

    Parameters
    ----------
    study : Path
        For the images that contrast is measured on.
    protocol, key
    readings : sequence of Reading
        Without training.
    analysed : sequence of str
        Readers of the analysis over readers.
    notes : Notes
    progress : Progress
    """
    marks = marks_question(protocol)
    assert marks is not None  # the protocol's rule
    level = 1 - protocol.analysis.alpha
    presence = presence_question(protocol)
    asked = presence.id if presence is not None else ""
    first = first_readings(readings)
    arms = tuple(arm.id for arm in protocol.arms if any(reading.arm == arm.id for reading in first))
    cases = {reading.case: reading for reading in first}
    without_mask = sum(not reading.scored for reading in cases.values())
    if without_mask:
        notes.add(
            "NO_MASK",
            f"{without_mask} of {len(cases)} cases have no lesion mask: their marks are counted, but cannot be told "
            "right from wrong; figures of lesions found leave these cases out.",
        )
    if first and not any(number_of_marks(reading, marks.id) for reading in first):
        notes.add("NOTHING_MARKED", "Nobody marked anything.")
    chosen = [reading for reading in first if reading.reader in analysed]
    found = contrast.measured_contrasts(study, key, chosen, notes, progress)
    return LesionReading(
        arms=arms,
        cases=len(cases),
        cases_with_lesions=sum(bool(reading.status) for reading in cases.values()),
        lesions=sum(len(reading.lesions) for reading in cases.values()),
        counts=lesion_counts(first, marks.id, asked, level),
        pooled=pooled_counts(chosen, marks.id, asked, level),
        strata=stratum_counts(chosen, marks.id, asked, level),
        categories=category_counts(first, marks.id, marks.categories),
        paired_lesions=paired_lesions(first, arms),
        paired_marks=paired_marks(first, arms, marks.id, marks.categories),
        comparisons=_comparisons(protocol, chosen, analysed, arms, notes),
        curves=(*_roc_curves(protocol, chosen), *lesion_curves([reading for reading in chosen if reading.scored])),
        contrast=contrast.summaries(found),
        paired_contrast=contrast.paired(found),
    )


def _comparisons(
    protocol: Protocol, readings: Sequence[Reading], readers: Sequence[str], arms: Sequence[str], notes: Notes
) -> dict[str, Comparison]:
    """Every figure of merit that the study can have, by name."""
    marks, rating, presence = marks_question(protocol), confidence_question(protocol), presence_question(protocol)
    assert marks is not None
    whole, left_out = crossed(readings, readers, arms)
    if not whole:
        why = "each reader read each case in one arm only" if protocol.randomisation.one_arm_per_case else (
            "no case was read by all of them in all arms"
        )  # fmt: skip
        notes.add("NOT_CROSSED", f"No comparison of the arms over readers and cases: {why}.")
        return {}
    if left_out:
        notes.add(
            "CASES_LEFT_OUT", f"{left_out} cases that somebody did not read in every arm are left out of comparisons."
        )
    known = [reading for reading in whole if reading.status is not None]
    scored = [reading for reading in whole if reading.scored]
    level = 1 - protocol.analysis.alpha

    def jafroc() -> Figure:
        table = lesion_marks(scored)
        return AfrocArea(table, false_marks_of_all_cases=bool(table.truth.all()))

    def called(figure: Callable[[RatingTable, float], ShareOfCases], title: str) -> Figure:
        assert presence is not None
        made = figure(_table(known, lambda r: float(r.values.get(presence.id) == "yes")), 0.5)
        made.title = title
        return made

    wanted: dict[str, tuple[str, Callable[[], Figure]]] = {}
    if rating is not None and known:
        wanted["auc"] = "comparison of ROC areas", lambda: EmpiricalAuc(case_ratings(known, rating.id))
    if scored:
        wanted["jafroc"] = "comparison of AFROC areas (JAFROC)", jafroc
        wanted["lesion-sensitivity"] = "comparison of lesions found", lambda: LesionSensitivity(lesion_marks(scored))
        wanted["false-marks"] = "comparison of false marks per case", lambda: FalseMarksPerCase(lesion_marks(scored))
    if presence is not None and known:
        wanted["case-sensitivity"] = (
            "comparison of cases called positive",
            lambda: called(sensitivity, "cases with a lesion called so"),
        )
        wanted["case-specificity"] = (
            "comparison of cases called negative",
            lambda: called(specificity, "cases without a lesion called so"),
        )
    for category in (TOTAL, *marks.categories):
        wanted[f"marks: {category}"] = (
            f"comparison of marks per case, {category}",
            lambda category=category: mean_rating(  # type: ignore[misc]
                _table(whole, lambda r: float(number_of_marks(r, marks.id, category)))
            ),
        )
    found = {}
    for name, (what, figure) in wanted.items():
        result = _compared(what, figure, level, notes)
        if result is not None:
            found[name] = result
    return found


def _compared(what: str, figure: Callable[[], Figure], level: float, notes: Notes) -> Comparison | None:
    def compare() -> Comparison:
        made = figure()
        if not made.truth[made.relevant].size or made.relevant.sum() < 2:
            raise ValueError("fewer than two cases")
        result = analyse_mrmc(made, confidence=level)
        notes.add_cautions(result.warnings, everywhere=True)
        return Comparison.model_validate(_finite(result.as_dict()))

    with np.errstate(invalid="ignore", divide="ignore"):
        return notes.attempt(what, compare)


def _table(readings: Sequence[Reading], rating: Callable[[Reading], float]) -> RatingTable:
    return RatingTable.from_rows(
        {
            "reader": reading.reader,
            "test": reading.arm,
            "case": reading.case,
            "truth": int(bool(reading.status)),
            "rating": rating(reading),
        }
        for reading in readings
    )


def _roc_curves(protocol: Protocol, readings: Sequence[Reading]) -> list[Curve]:
    """ROC curves of the confidence that a case has a lesion."""
    question = confidence_question(protocol)
    if question is None:
        return []
    rated = [r for r in readings if r.status is not None and isinstance(r.values.get(question.id), (int, float))]
    curves = []
    for arm in dict.fromkeys(reading.arm for reading in rated):
        here = [reading for reading in rated if reading.arm == arm]
        groups = {reader: [r for r in here if r.reader == reader] for reader in dict.fromkeys(r.reader for r in here)}
        if len(groups) > 1:
            groups[ALL] = here
        for reader, mine in groups.items():
            curve = roc_curve(
                arm,
                reader,
                [float(r.values[question.id]) for r in mine if not r.status],
                [float(r.values[question.id]) for r in mine if r.status],
            )
            curves += [curve] if curve is not None else []
    return curves


def _finite(value: object) -> object:
    """Numbers that are none become None, for JSON."""
    if isinstance(value, dict):
        return {name: _finite(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
