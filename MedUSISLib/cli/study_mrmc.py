"""``medusis study mrmc``: the multi-reader multi-case analysis of any table of ratings."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.study.statistics.figures import Figure


class FigureName(StrEnum):
    """Figures of merit that the command knows."""

    AUC = "auc"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    ACCURACY = "accuracy"
    MEAN = "mean"
    WAFROC = "wafroc"
    AFROC = "afroc"
    WAFROC1 = "wafroc1"
    AFROC1 = "afroc1"
    INFERRED_ROC = "inferred-roc"
    LESION_SENSITIVITY = "lesion-sensitivity"
    FALSE_MARKS = "false-marks"


class CovarianceName(StrEnum):
    """As in ``study.statistics.covariances``, which loads too slowly for the help text."""

    JACKKNIFE = "jackknife"
    DELONG = "delong"
    BOOTSTRAP = "bootstrap"


def mrmc(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE.csv", help="Columns reader, test, case, truth, rating; or marks."),
    ],
    figure: Annotated[FigureName, typer.Option("--figure", help="Figure of merit.")] = FigureName.AUC,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Rating from which a case is called positive.")
    ] = None,
    lesions: Annotated[
        Path | None,
        typer.Option("--lesions", help="CSV with case, lesion, weight, for AFROC figures; TABLE then has the marks."),
    ] = None,
    covariance: Annotated[
        CovarianceName, typer.Option("--covariance", help="How the variance over cases is estimated.")
    ] = CovarianceName.JACKKNIFE,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals.")] = 0.95,
    drop_incomplete: Annotated[
        bool, typer.Option("--drop-incomplete", help="Leave out cases that somebody did not rate.")
    ] = False,
    samples: Annotated[int, typer.Option("--samples", help="Bootstrap samples.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Compare tests read by several readers: AUCs, F, degrees of freedom, p-values and intervals.

    Random readers and random cases, fixed readers, and fixed cases (Obuchowski-Rockette with Hillis's degrees of
    freedom). docs/study-statistics.md has the formulas.
    """
    from MedUSISLib.study.statistics.covariances import CovarianceMethod
    from MedUSISLib.study.statistics.mrmc import analyse_mrmc
    from MedUSISLib.study.statistics.mrmc_text import mrmc_text

    chosen = _figure(table, lesions, figure, threshold, drop_incomplete)
    result = analyse_mrmc(chosen, CovarianceMethod(covariance.value), confidence, samples, seed)
    print(json.dumps(result.as_dict(), indent=2) if as_json else mrmc_text(result))


def _figure(
    table: Path, lesions: Path | None, name: FigureName, threshold: float | None, drop_incomplete: bool
) -> Figure:
    from MedUSISLib.study.statistics.free_response import (
        AfrocArea,
        FalseMarksPerCase,
        LesionSensitivity,
        inferred_roc_area,
    )
    from MedUSISLib.study.statistics.lesion_table import LesionTable
    from MedUSISLib.study.statistics.mrmc import FIGURES
    from MedUSISLib.study.statistics.rating_table import RatingTable

    of_lesions = name.value not in FIGURES
    if of_lesions != (lesions is not None):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the figure {name.value} {'needs' if of_lesions else 'does not take'} a table of lesions",
            "figures of marks (AFROC, inferred ROC, lesions found, false marks) take --lesions, the others do not",
        )
    if lesions is None:
        ratings = RatingTable.from_csv(table)
        if drop_incomplete:
            ratings = ratings.complete_cases()
        return FIGURES[name.value](ratings, threshold)
    marks = LesionTable.from_csv(lesions, table)
    if name is FigureName.INFERRED_ROC:
        return inferred_roc_area(marks)
    if name is FigureName.LESION_SENSITIVITY:
        return LesionSensitivity(marks)
    if name is FigureName.FALSE_MARKS:
        return FalseMarksPerCase(marks)
    return AfrocArea(marks, weighted=name.value.startswith("w"), false_marks_of_all_cases=name.value.endswith("1"))
