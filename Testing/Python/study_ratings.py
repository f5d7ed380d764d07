"""Ratings made up for the tests of the statistics, and published numbers of Van Dyke's data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from MedUSISLib.study.statistics.rating_table import RatingTable

# Van Dyke, White, Obuchowski, Geisinger, Lorig, Meziane, RSNA 1993: spin-echo against cine MR for aortic dissection,
# 5 readers, 69 normal and 45 abnormal cases. The numbers are those printed by OR-DBM MRMC 2.51 (University of Iowa),
# trapezoidal areas, jackknife covariances.
VAN_DYKE_AREAS = np.array(
    [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
)
VAN_DYKE_VARIANCES = (0.00101410, 0.00059047)
VAN_DYKE_COV1 = 0.00034661
VAN_DYKE_COV2 = (0.00048396, 0.00020419)
VAN_DYKE_COV3 = 0.00023903


def van_dyke_covariance() -> np.ndarray:
    """A matrix [T, R, T, R] with the published means of its four kinds of entries."""
    matrix = np.full((2, 5, 2, 5), VAN_DYKE_COV3)
    for t in range(2):
        matrix[t, :, t, :] = VAN_DYKE_COV2[t]
        for r in range(5):
            matrix[t, r, 1 - t, r] = VAN_DYKE_COV1
            matrix[t, r, t, r] = VAN_DYKE_VARIANCES[t]
    return matrix


def made_table(readers: int = 4, tests: int = 2, cases: int = 40, gain: float = 1.0, seed: int = 0) -> RatingTable:
    """Ratings with a common case part, half of the cases positive; the second test reads ``gain`` better."""
    generator = np.random.default_rng(seed)
    truth = np.arange(cases) % 2 == 1
    case = generator.normal(size=cases)
    ratings = 0.6 * case + 0.8 * generator.normal(size=(tests, readers, cases))
    ratings = ratings + truth * (1.0 + gain * np.arange(tests)[:, None, None])
    return RatingTable(
        tuple(f"r{i}" for i in range(readers)),
        tuple(f"t{i}" for i in range(tests)),
        tuple(f"c{i}" for i in range(cases)),
        truth,
        ratings,
    )


def rows_of(table: RatingTable) -> list[dict[str, object]]:
    """The table as long rows."""
    return [
        {"reader": r, "test": t, "case": c, "truth": int(table.truth[k]), "rating": float(table.ratings[i, j, k])}
        for i, t in enumerate(table.tests)
        for j, r in enumerate(table.readers)
        for k, c in enumerate(table.cases)
    ]


def study_data(*names: str) -> list[Path]:
    """Tables of published studies; they come with GPL packages and are not kept here (docs/study-statistics.md)."""
    folder = os.environ.get("MEDUSIS_STUDY_DATA")
    if not folder:
        pytest.skip("MEDUSIS_STUDY_DATA names no folder with published ratings")
    return [Path(folder) / name for name in names]
