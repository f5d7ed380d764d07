"""The multi-reader analysis: published numbers of Van Dyke's data, algebra that must hold, and warnings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from study_ratings import (
    VAN_DYKE_AREAS,
    VAN_DYKE_COV1,
    VAN_DYKE_COV3,
    made_table,
    rows_of,
    study_data,
    van_dyke_covariance,
)
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.statistics.covariances import (
    CovarianceMethod,
    bootstrap_covariance,
    delong_covariance,
    jackknife_covariance,
)
from MedUSISLib.study.statistics.figures import EmpiricalAuc, accuracy, mean_rating, sensitivity, specificity
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.statistics.obuchowski_rockette import Analysis, Generalisation, ObuchowskiRockette
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.wilcoxon import Wilcoxon

BOTH, CASES, READERS = Generalisation


def analysis_of(model: ObuchowskiRockette, generalisation: Generalisation) -> Analysis:
    found = model.analyse(generalisation)
    assert found is not None
    return found


@pytest.fixture
def van_dyke() -> ObuchowskiRockette:
    return ObuchowskiRockette(VAN_DYKE_AREAS, van_dyke_covariance(), ("SE", "CINE"), 0.95)


def test_variance_components_of_van_dyke_are_the_published_ones(van_dyke: ObuchowskiRockette) -> None:
    assert van_dyke.squares.test == pytest.approx(0.00479617, abs=5e-9)
    assert van_dyke.squares.reader == pytest.approx(0.00383620, abs=5e-9)
    assert van_dyke.squares.interaction == pytest.approx(0.00055103, abs=5e-9)
    assert van_dyke.squares.single == pytest.approx((0.00308263, 0.00130460), abs=5e-9)
    components = van_dyke.components
    assert components.reader == pytest.approx(0.00153500, abs=1e-8)
    assert components.test_reader == pytest.approx(0.00020040, abs=1.5e-8)
    assert components.error.variance == pytest.approx(0.00080229, abs=1e-8)
    assert components.error.cov1 == pytest.approx(VAN_DYKE_COV1)
    assert components.error.cov2 == pytest.approx(0.00034407, abs=1e-8)
    assert components.error.cov3 == pytest.approx(VAN_DYKE_COV3)


def test_random_readers_and_cases_of_van_dyke_are_the_published_ones(van_dyke: ObuchowskiRockette) -> None:
    found = analysis_of(van_dyke, BOTH)
    assert found.statistic == pytest.approx(4.46, abs=0.005)
    assert (found.ndf, found.ddf) == (1, pytest.approx(15.26, abs=0.005))
    assert found.p_value == pytest.approx(0.0517, abs=5e-5)
    assert found.error == pytest.approx(0.00107626, abs=2e-8)
    (difference,) = found.differences
    e = difference.estimate
    assert (e.value, e.standard_error) == (pytest.approx(-0.04380, abs=5e-6), pytest.approx(0.02075, abs=5e-6))
    assert (e.low, e.high) == (pytest.approx(-0.08796, abs=6e-6), pytest.approx(0.00036, abs=6e-6))
    assert difference.p_value == pytest.approx(found.p_value)
    first, second = (test.estimate for test in found.tests)
    assert (first.standard_error, first.ddf) == (pytest.approx(0.03317360, abs=1e-6), pytest.approx(12.74, abs=0.005))
    assert (first.low, first.high) == (pytest.approx(0.82522360, abs=1e-6), pytest.approx(0.96885048, abs=1e-6))
    assert (second.standard_error, second.ddf) == (pytest.approx(0.02156637, abs=1e-6), pytest.approx(12.71, abs=0.005))
    assert (second.low, second.high) == (pytest.approx(0.89413783, abs=1e-6), pytest.approx(0.98753689, abs=1e-6))


def test_fixed_readers_of_van_dyke_are_the_published_ones(van_dyke: ObuchowskiRockette) -> None:
    found = analysis_of(van_dyke, CASES)
    assert found.statistic == pytest.approx(5.47595, abs=2e-4)
    assert found.p_value == pytest.approx(0.0193, abs=5e-5)
    e = found.differences[0].estimate
    assert (e.standard_error, e.low, e.high) == (
        pytest.approx(0.01872, abs=5e-6),
        pytest.approx(-0.08049, abs=6e-6),
        pytest.approx(-0.00711, abs=6e-6),
    )
    errors = [test.estimate.standard_error for test in found.tests]
    assert errors == [pytest.approx(0.02428971, abs=1e-6), pytest.approx(0.01677632, abs=1e-6)]


def test_fixed_cases_of_van_dyke_are_the_published_ones(van_dyke: ObuchowskiRockette) -> None:
    found = analysis_of(van_dyke, READERS)
    assert (found.statistic, found.ddf) == (pytest.approx(8.70, abs=0.005), 4)
    assert found.p_value == pytest.approx(0.0420, abs=5e-5)
    e = found.differences[0].estimate
    assert (e.low, e.high) == (pytest.approx(-0.08502, abs=6e-6), pytest.approx(-0.00258, abs=6e-6))
    first = found.tests[0].estimate
    assert (first.low, first.high) == (pytest.approx(0.82809808, abs=1e-6), pytest.approx(0.96597599, abs=1e-6))


def test_raw_ratings_of_van_dyke_give_the_published_numbers() -> None:
    (path,) = study_data("van_dyke.csv")
    figure = EmpiricalAuc(RatingTable.from_csv(path))
    np.testing.assert_allclose(figure.values(), VAN_DYKE_AREAS, atol=5e-9)
    result = analyse_mrmc(figure)
    error = result.components.error
    assert error.variance == pytest.approx(0.0008022883, abs=5e-11)
    assert error.cov1 == pytest.approx(0.0003466137, abs=5e-11)
    assert error.cov2 == pytest.approx(0.0003440748, abs=5e-11)
    assert error.cov3 == pytest.approx(0.0002390284, abs=5e-11)
    both = result.analysis(BOTH)
    assert both is not None
    assert both.statistic == pytest.approx(4.456319, abs=5e-7)
    assert both.ddf == pytest.approx(15.25967, abs=5e-6)
    assert both.p_value == pytest.approx(0.05166569, abs=5e-9)
    alone = [(d.estimate.standard_error, d.p_value) for _, d in result.reader_differences]
    published = [(0.02551, 0.2693), (0.02630, 0.0768), (0.03121, 0.5668), (0.01729, 0.1290), (0.04406, 0.0230)]
    np.testing.assert_allclose(alone, published, atol=5.1e-5)


def test_fixed_cases_with_two_tests_is_the_paired_t_test() -> None:
    figure = EmpiricalAuc(made_table(readers=6))
    found = analyse_mrmc(figure).analysis(READERS)
    first, second = figure.values()
    expected = stats.ttest_rel(first, second)
    assert found is not None
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.statistic == pytest.approx(expected.statistic**2)


def test_area_is_the_wilcoxon_statistic_with_ties() -> None:
    table = made_table(readers=1, tests=1)
    coarse = RatingTable(table.readers, table.tests, table.cases, table.truth, np.round(table.ratings))
    positive, negative = coarse.ratings[0, 0, coarse.truth], coarse.ratings[0, 0, ~coarse.truth]
    u = stats.mannwhitneyu(positive, negative).statistic
    assert EmpiricalAuc(coarse).values()[0, 0] == pytest.approx(u / positive.size / negative.size)


def test_ranks_are_the_same_as_looking_at_every_pair() -> None:
    """With ties, ratings of -inf (unmarked), other weights and several groups."""
    generator = np.random.default_rng(3)
    negative, positive = (generator.integers(-1, 4, (2, 3, n)).astype(float) for n in (7, 5))
    negative[negative < 0] = positive[positive < 0] = -np.inf
    v, w = generator.integers(0, 3, 7).astype(float), generator.random(5)
    x, y = negative[..., :, None], positive[..., None, :]
    psi = (y > x) + 0.5 * (y == x)
    pairs = Wilcoxon(negative, positive)
    np.testing.assert_allclose(pairs.area(v, w), (psi @ w @ v) / (v.sum() * w.sum()), atol=1e-14)
    np.testing.assert_allclose(pairs.below(v), np.einsum("trnp,n->trp", psi, v), atol=1e-14)
    np.testing.assert_allclose(pairs.above(w), np.einsum("trnp,p->trn", psi, w), atol=1e-14)


def test_a_hundred_thousand_ratings_are_analysed_without_a_table_of_all_pairs() -> None:
    """That table would hold 2.5 billion pairs."""
    generator = np.random.default_rng(4)
    truth = np.arange(100_000) % 2 == 1
    ratings = generator.normal(size=(1, 1, len(truth))) + truth
    table = RatingTable(("a",), ("CT",), tuple(map(str, range(len(truth)))), truth, ratings)
    result = analyse_mrmc(EmpiricalAuc(table))
    expected = stats.mannwhitneyu(ratings[0, 0, truth], ratings[0, 0, ~truth]).statistic / 50_000**2
    assert result.values[0, 0] == pytest.approx(expected, abs=1e-12)
    above_both = stats.multivariate_normal.cdf([math.sqrt(0.5)] * 2, cov=[[1, 0.5], [0.5, 1]])
    variance = 2 * (above_both - stats.norm.cdf(math.sqrt(0.5)) ** 2) / 50_000
    assert result.components.error.variance == pytest.approx(variance, rel=0.02)


def test_differences_that_are_equal_on_paper_leave_no_variance_of_rounding() -> None:
    """Both readers differ by 0.1; in floating point they do not, and F would be 10^30."""
    values = np.array([[0.7, 0.8], [0.6, 0.7]])
    model = ObuchowskiRockette(values, np.einsum("ti,rj->trij", np.eye(2), np.eye(2)) * 1e-3, ("a", "b"), 0.95)
    fixed_cases = analysis_of(model, READERS)
    assert fixed_cases.error == 0
    assert fixed_cases.as_dict()["statistic"] is None and fixed_cases.as_dict()["p_value"] is None


def test_negative_terms_of_the_cases_count_as_none() -> None:
    """Hillis 2007: max(Cov2 - Cov3, 0) between tests, max(Cov2, 0) of one test."""
    matrix = np.full((2, 5, 2, 5), 0.0003)
    for t in range(2):
        matrix[t, :, t, :] = -0.0001
        for r in range(5):
            matrix[t, r, t, r] = 0.0008
    model = ObuchowskiRockette(VAN_DYKE_AREAS, matrix, ("SE", "CINE"), 0.95)
    squares = model.squares
    assert squares.test is not None and squares.interaction is not None and squares.single[0] is not None
    both, cases = analysis_of(model, BOTH), analysis_of(model, CASES)
    assert both.statistic == pytest.approx(squares.test / squares.interaction)
    assert both.ddf == pytest.approx(4)
    assert cases.error == pytest.approx(0.0008 - 0.0003)
    assert both.tests[0].estimate.standard_error == pytest.approx(math.sqrt(squares.single[0] / 5))
    assert cases.tests[0].estimate.standard_error == pytest.approx(math.sqrt(0.0008 / 5))


def test_areas_below_one_half_are_named() -> None:
    table = made_table()
    turned = RatingTable(table.readers, table.tests, table.cases, table.truth, -table.ratings)
    right, wrong = (analyse_mrmc(EmpiricalAuc(t)) for t in (table, turned))
    np.testing.assert_allclose(wrong.values, 1 - right.values, atol=1e-12)
    assert wrong.analyses[0].p_value == pytest.approx(right.analyses[0].p_value)
    assert "BELOW_CHANCE" in {w.code for w in wrong.warnings} - {w.code for w in right.warnings}


def test_figures_that_nothing_can_be_said_of_are_refused() -> None:
    table = made_table(cases=6)
    one_positive = table.without_cases(np.array([0, 0, 0, 1, 0, 1], bool))
    with pytest.raises(MedUSISError, match="TOO_FEW_CASES"):
        sensitivity(one_positive, 1.0)
    with pytest.raises(MedUSISError, match="threshold"):
        accuracy(table, float("nan"))
    table.ratings[0, 0, 0] = -np.inf
    with pytest.raises(MedUSISError, match="NOT_A_NUMBER"):
        mean_rating(table)


def test_delong_jackknife_and_bootstrap_agree_for_many_cases() -> None:
    figure = EmpiricalAuc(made_table(readers=3, cases=300, gain=0.3))
    delong, jackknife = delong_covariance(figure), jackknife_covariance(figure)
    bootstrap = bootstrap_covariance(figure, 3000, seed=1)
    scale = float(np.einsum("trtr->tr", delong).mean())
    assert np.abs(jackknife - delong).max() < 0.03 * scale
    assert np.abs(bootstrap - delong).max() < 0.15 * scale


def test_delongs_variance_is_that_of_the_structural_components() -> None:
    # Two positive, three negative cases by hand: kernel rows (negatives) [[1, 1], [0.5, 1], [0, 1]].
    ratings = np.array([[[1.0, 2.0, 3.0, 2.0, 4.0]]])
    table = RatingTable(("a",), ("x",), tuple("12345"), np.array([0, 0, 0, 1, 1], bool), ratings)
    v10, v01 = np.array([0.5, 1.0]), np.array([1.0, 0.75, 0.5])
    expected = v10.var(ddof=1) / 2 + v01.var(ddof=1) / 3
    assert delong_covariance(EmpiricalAuc(table))[0, 0, 0, 0] == pytest.approx(expected)


def test_jackknife_of_a_mean_is_the_variance_of_the_mean() -> None:
    table = made_table(readers=2)
    for figure, cases in ((accuracy(table, 0.5), 40), (sensitivity(table, 0.5), 20), (specificity(table, 0.5), 20)):
        p = figure.values()
        found = np.einsum("trtr->tr", jackknife_covariance(figure))
        np.testing.assert_allclose(found, p * (1 - p) / (cases - 1))


def test_case_weights_are_the_same_as_repeated_cases() -> None:
    table = made_table(cases=12)
    weights = np.array([0, 2, 1, 1, 3, 0, 1, 1, 1, 2, 0, 1])
    index = np.repeat(np.arange(12), weights)
    repeated = RatingTable(
        table.readers, table.tests, tuple(map(str, index)), table.truth[index], table.ratings[:, :, index]
    )
    for make in (EmpiricalAuc, lambda t: accuracy(t, 0.7)):
        np.testing.assert_allclose(make(table).values(weights.astype(float)), make(repeated).values())


def test_cases_of_one_patient_are_resampled_together() -> None:
    table = made_table(cases=20)
    index = np.repeat(np.arange(20), 2)
    doubled = RatingTable(
        table.readers,
        table.tests,
        tuple(map(str, range(40))),
        table.truth[index],
        table.ratings[:, :, index],
        index,
    )
    np.testing.assert_allclose(
        jackknife_covariance(EmpiricalAuc(doubled)), jackknife_covariance(EmpiricalAuc(table)), atol=1e-15
    )
    with pytest.raises(MedUSISError, match="clustered"):
        analyse_mrmc(EmpiricalAuc(doubled), CovarianceMethod.DELONG)
    assert "CLUSTERED_CASES" in {w.code for w in analyse_mrmc(EmpiricalAuc(doubled)).warnings}


def test_one_reader_and_one_test_give_what_they_can() -> None:
    alone = analyse_mrmc(EmpiricalAuc(made_table(readers=1)))
    assert [a.generalisation for a in alone.analyses] == [CASES]
    assert "ONE_READER" in {w.code for w in alone.warnings}
    # Two correlated areas of one reader: DeLong's own test.
    figure = EmpiricalAuc(made_table(readers=1))
    c, (a, b) = delong_covariance(figure)[:, 0, :, 0], figure.values()[:, 0]
    z = (a - b) / np.sqrt(c[0, 0] + c[1, 1] - 2 * c[0, 1])
    found = analyse_mrmc(figure, CovarianceMethod.DELONG).analyses[0]
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))
    single = analyse_mrmc(EmpiricalAuc(made_table(tests=1)))
    assert len(single.analyses) == 3
    assert all(a.p_value is None and len(a.tests) == 1 for a in single.analyses)


def test_the_logit_interval_stays_within_the_limits_where_the_symmetric_one_does_not() -> None:
    table = made_table(readers=3, cases=30, gain=3.0)
    found = analyse_mrmc(EmpiricalAuc(table)).analyses[0].tests[1]
    assert found.logit is not None and found.estimate.high > 1
    assert 0 < found.logit[0] < found.estimate.value < found.logit[1] < 1


def test_three_tests_have_three_pairs_and_a_warning() -> None:
    result = analyse_mrmc(EmpiricalAuc(made_table(tests=3)))
    assert all(len(a.differences) == 3 for a in result.analyses)
    assert result.analyses[0].ndf == 2
    assert "SEVERAL_PAIRS" in {w.code for w in result.warnings}


def test_failing_assumptions_are_said_in_words() -> None:
    table = made_table(readers=3, cases=14, gain=20)
    warned = {w.code: w.message for w in analyse_mrmc(EmpiricalAuc(table)).warnings}
    assert {"FEW_READERS", "FEW_CASES", "PERFECT_SCORE", "IDENTICAL_READERS"} <= set(warned)
    assert "too small" in warned["PERFECT_SCORE"]
    perfect = RatingTable(
        table.readers, table.tests, table.cases, table.truth, np.where(table.truth, 5.0, 1.0) + 0 * table.ratings
    )
    result = analyse_mrmc(EmpiricalAuc(perfect))
    assert {"ZERO_VARIANCE", "NO_INTERACTION"} <= {w.code for w in result.warnings}
    json.dumps(result.as_dict(), allow_nan=False)
    assert "not defined" in _text(result)


def _text(result: object) -> str:
    from MedUSISLib.study.statistics.mrmc import MrmcResult
    from MedUSISLib.study.statistics.mrmc_text import mrmc_text

    assert isinstance(result, MrmcResult)
    return mrmc_text(result)


def test_the_command_prints_tables_and_json(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = rows_of(made_table())
    path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]))
    runner = CliRunner()
    text = runner.invoke(app, ["study", "mrmc", str(path), "--covariance", "delong"])
    assert text.exit_code == 0, text.output
    assert "Random readers, random cases" in text.output and "FEW_READERS" in text.output
    found = json.loads(runner.invoke(app, ["study", "mrmc", str(path), "--json"]).output)
    assert [a["generalises_to"] for a in found["analyses"]] == [g.value for g in Generalisation]
    assert set(found["components"]) == {"reader", "test_reader", "variance", "cov1", "cov2", "cov3"}
    refused = runner.invoke(app, ["study", "mrmc", str(path), "--figure", "sensitivity"])
    assert isinstance(refused.exception, MedUSISError) and "threshold" in refused.exception.message
