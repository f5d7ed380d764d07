"""The multi-reader multi-case analysis as a whole: figures, covariances, three analyses, and what to be careful about.

References
----------
See ``obuchowski_rockette`` (model, degrees of freedom) and ``covariances``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.statistics import figures
from MedUSISLib.study.statistics.cautions import Caution, cautions_of
from MedUSISLib.study.statistics.covariances import CovarianceMethod, covariance_of
from MedUSISLib.study.statistics.figures import Figure
from MedUSISLib.study.statistics.obuchowski_rockette import (
    Analysis,
    Difference,
    Generalisation,
    MeanSquares,
    ObuchowskiRockette,
    VarianceComponents,
)
from MedUSISLib.study.statistics.rating_table import RatingTable


@dataclass(frozen=True)
class MrmcResult:
    """What a multi-reader multi-case analysis found.

    Attributes
    ----------
    figure, title : str
        Name of the figure of merit, for files and for people.
    values : ndarray of float [T, R]
    analyses : tuple of Analysis
        Random readers and cases, fixed readers, fixed cases; the ones with random readers are left out where there is
        one reader.
    reader_differences : tuple of (int, Difference)
        Pairs of tests for each reader (its index) alone.
    warnings : tuple of Caution
        Where an assumption fails, in words.
    """

    figure: str
    title: str
    covariance: CovarianceMethod
    confidence: float
    readers: tuple[str, ...]
    tests: tuple[str, ...]
    positives: int
    negatives: int
    units: int
    values: np.ndarray
    mean_squares: MeanSquares
    components: VarianceComponents
    analyses: tuple[Analysis, ...]
    reader_differences: tuple[tuple[int, Difference], ...]
    warnings: tuple[Caution, ...]

    def analysis(self, generalisation: Generalisation) -> Analysis | None:
        """One of the analyses, if it was possible."""
        return next((a for a in self.analyses if a.generalisation is generalisation), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        return {
            "figure": self.figure,
            "title": self.title,
            "covariance": self.covariance.value,
            "confidence": self.confidence,
            "readers": list(self.readers),
            "tests": list(self.tests),
            "cases": {"positive": self.positives, "negative": self.negatives, "sampling_units": self.units},
            "values": {
                test: {reader: float(self.values[t, r]) for r, reader in enumerate(self.readers)}
                for t, test in enumerate(self.tests)
            },
            "mean_squares": {
                "test": self.mean_squares.test,
                "reader": self.mean_squares.reader,
                "test_reader": self.mean_squares.interaction,
            },
            "components": self.components.as_dict(),
            "analyses": [a.as_dict() for a in self.analyses],
            "reader_differences": [
                {"reader": self.readers[j], **difference.as_dict()} for j, difference in self.reader_differences
            ],
            "warnings": [w.as_dict() for w in self.warnings],
        }


def analyse_mrmc(
    figure: Figure,
    covariance: CovarianceMethod = CovarianceMethod.JACKKNIFE,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> MrmcResult:
    """Obuchowski-Rockette-Hillis analysis of a figure of merit.

    Parameters
    ----------
    figure : Figure
        From ``figures`` or ``free_response``.
    covariance : CovarianceMethod
        How the covariance over cases is estimated. The jackknife suits every figure and clustered cases; DeLong's
        exists for the empirical area alone.
    confidence : float
        Of the intervals, between 0.5 and 1.
    samples, seed : int
        Of the bootstrap.

    Returns
    -------
    MrmcResult

    Raises
    ------
    MedUSISError
        ``BAD_SETTING``.

    Examples
    --------
    ::

        table = RatingTable.from_csv(path)
        result = analyse_mrmc(EmpiricalAuc(table))
        result.analysis(Generalisation.READERS_AND_CASES).p_value
    """
    if not 0.5 <= confidence < 1:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"the confidence must lie between 0.5 and 1, not {confidence:g}")
    if covariance is CovarianceMethod.BOOTSTRAP and samples < 100:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"{samples} bootstrap samples are too few", "use 1000 or more")
    try:
        matrix = covariance_of(figure, covariance, samples, seed)
    except ValueError as error:
        raise MedUSISError(ErrorCode.BAD_SETTING, str(error)) from error
    model = ObuchowskiRockette(figure.values(), matrix, figure.tests, confidence, figure.bounded)
    analyses = tuple(a for a in map(model.analyse, Generalisation) if a is not None)
    return MrmcResult(
        figure=figure.name,
        title=figure.title,
        covariance=covariance,
        confidence=confidence,
        readers=figure.readers,
        tests=figure.tests,
        positives=int((figure.truth & figure.relevant).sum()),
        negatives=int((~figure.truth & figure.relevant).sum()),
        units=len(np.unique(figure.units[figure.relevant])),
        values=model.values,
        mean_squares=model.squares,
        components=model.components,
        analyses=analyses,
        reader_differences=tuple(model.reader_differences()),
        warnings=tuple(cautions_of(figure, model, analyses)),
    )


FIGURES: dict[str, Callable[[RatingTable, float | None], Figure]] = {
    "auc": lambda table, threshold: figures.EmpiricalAuc(table),
    "sensitivity": lambda table, threshold: figures.sensitivity(table, _given(threshold)),
    "specificity": lambda table, threshold: figures.specificity(table, _given(threshold)),
    "accuracy": lambda table, threshold: figures.accuracy(table, _given(threshold)),
    "mean": lambda table, threshold: figures.mean_rating(table),
}
"""Figures of a table of ratings by name; the second argument is the rating from which a case is called positive."""


def _given(threshold: float | None) -> float:
    if threshold is None:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "this figure needs a threshold",
            "give the rating from which a case is called positive",
        )
    return threshold
