"""Agreement: published examples, and what happens at the edges."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from MedUSISLib.study.statistics.agreement import (
    Level,
    Weights,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from MedUSISLib.study.statistics.icc import IccForm, icc

N = None
# Krippendorff, Content Analysis, ch. 12: four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ],
    object,
).T

# Shrout and Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


@pytest.mark.parametrize(("level", "alpha"), [(Level.NOMINAL, 0.743), (Level.ORDINAL, 0.815), (Level.INTERVAL, 0.849)])
def test_alpha_of_krippendorffs_own_example(level: Level, alpha: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF, level, samples=0).value == pytest.approx(alpha, abs=5e-4)


def test_ac1_and_fleiss_kappa_of_gwets_example() -> None:
    # The same ratings in Gwet, Handbook of Inter-Rater Reliability (4th ed.): coefficient, standard error, interval.
    ac1, kappa = gwet_ac1(KRIPPENDORFF), fleiss_kappa(KRIPPENDORFF)
    assert (ac1.value, ac1.standard_error) == (pytest.approx(0.77544, abs=5e-6), pytest.approx(0.14295, abs=5e-6))
    assert (ac1.low, ac1.high) == (pytest.approx(0.461, abs=5e-4), 1.0)
    assert (kappa.value, kappa.standard_error) == (pytest.approx(0.76117, abs=5e-6), pytest.approx(0.15302, abs=5e-6))
    assert (kappa.low, kappa.high) == (pytest.approx(0.424, abs=5e-4), 1.0)


def test_fleiss_kappa_of_a_table_of_fourteen_raters() -> None:
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    ratings = [[q for q, times in enumerate(row) for _ in range(times)] for row in counts]
    found = fleiss_kappa(ratings)
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert (found.observed, found.expected) == (pytest.approx(0.378, abs=5e-4), pytest.approx(0.213, abs=5e-4))


def test_intraclass_correlations_of_shrout_and_fleiss() -> None:
    # Values of Shrout and Fleiss 1979, table 4; intervals as other programs print them for the same data.
    published = {
        IccForm.ONE_WAY: (0.17, 0.44, -0.133, 0.723),
        IccForm.AGREEMENT: (0.29, 0.62, 0.019, 0.761),
        IccForm.CONSISTENCY: (0.71, 0.91, 0.342, 0.946),
    }
    for form, (single, average, low, high) in published.items():
        found = icc(SHROUT_FLEISS, form)
        assert (found.single, found.average) == (pytest.approx(single, abs=0.005), pytest.approx(average, abs=0.005))
        assert (found.single_low, found.single_high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_cohens_kappa_has_its_large_sample_error() -> None:
    generator = np.random.default_rng(0)
    cells = np.array([0.45, 0.15, 0.10, 0.30])
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    drawn = [cohen_kappa(*zip(*(pairs[i] for i in generator.choice(4, 120, p=cells)), strict=True)) for _ in range(800)]
    assert np.std([d.value for d in drawn]) == pytest.approx(np.mean([d.standard_error for d in drawn]), rel=0.08)
    truth = (0.75 - (0.6 * 0.55 + 0.4 * 0.45)) / (1 - (0.6 * 0.55 + 0.4 * 0.45))
    assert np.mean([d.low <= truth <= d.high for d in drawn]) == pytest.approx(0.95, abs=0.03)


def test_weighted_kappa_with_squares_is_the_intraclass_correlation() -> None:
    # Fleiss and Cohen 1973: equal up to a term of 1 / n.
    generator = np.random.default_rng(1)
    first = generator.integers(1, 6, 3000)
    second = np.clip(first + generator.integers(-1, 2, 3000), 1, 5)
    weighted = cohen_kappa(first.tolist(), second.tolist(), Weights.QUADRATIC)
    assert weighted.value == pytest.approx(icc(np.column_stack([first, second])).single, abs=2e-3)
    assert weighted.value > cohen_kappa(first.tolist(), second.tolist(), Weights.LINEAR).value


def test_two_raters_alike_agree_fully_and_one_category_is_not_defined() -> None:
    assert cohen_kappa([1, 2, 1], [1, 2, 1]).value == pytest.approx(1)
    nothing = cohen_kappa([1, 1, 1], [1, 1, 1])
    assert math.isnan(nothing.value)
    json.dumps(nothing.as_dict(), allow_nan=False)
    assert math.isnan(fleiss_kappa([[1, 1], [1, 1]]).value)
    assert gwet_ac1([["a", "a"], ["a", "a"], ["a", "a"]]).value == 1.0


def test_kappa_collapses_on_rare_findings_and_ac1_does_not() -> None:
    ratings = [[0, 0]] * 96 + [[0, 1]] * 2 + [[1, 0]] * 2
    assert fleiss_kappa(ratings).value < 0
    assert gwet_ac1(ratings).value > 0.9


def test_alpha_has_a_seeded_interval_around_it() -> None:
    one, again = (krippendorff_alpha(KRIPPENDORFF, seed=3) for _ in range(2))
    assert one == again or (one.low, one.high) == (again.low, again.high)
    assert one.low < one.value < one.high


def test_tables_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more raters"):
        fleiss_kappa([1, 2, 3])
    with pytest.raises(ValueError, match="none of the categories"):
        cohen_kappa(["a"], ["c"], categories=["a", "b"])
    with pytest.raises(ValueError, match="missing"):
        icc([[1, 2], [3, math.nan]])
    with pytest.raises(ValueError):
        cohen_kappa([1, 2], [1])
