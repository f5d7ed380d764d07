"""Studies simulated without any difference: tests must reject in about 5 %, intervals hold the truth in about 95 %."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from MedUSISLib.study.statistics.against_chance import compare_with_chance
from MedUSISLib.study.statistics.covariances import CovarianceMethod
from MedUSISLib.study.statistics.detection import BalancedAccuracy
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation
from MedUSISLib.study.statistics.proportions import proportion
from MedUSISLib.study.statistics.simulation import STRUCTURES, FreeResponseModel, TuringModel


def null_shares(structure: str, studies: int, seed: int, auc: float = 0.8) -> tuple[float, float]:
    """Share of p < 0.05, and coverage of the first test's area, for 5 readers and 100 cases."""
    generator = np.random.default_rng(seed)
    rejected = covered = 0
    for _ in range(studies):
        table = STRUCTURES[structure].sample(generator, (auc, auc), 5, 50, 50)
        result = analyse_mrmc(EmpiricalAuc(table), CovarianceMethod.DELONG)
        analysis = result.analysis(Generalisation.READERS_AND_CASES)
        assert analysis is not None and analysis.p_value is not None
        rejected += analysis.p_value < 0.05
        logit = analysis.tests[0].logit
        assert logit is not None
        covered += logit[0] <= auc <= logit[1]
    return rejected / studies, covered / studies


def test_equal_tests_are_called_different_in_about_five_percent() -> None:
    rejected, covered = null_shares("HL", 400, seed=5)
    assert 0.02 <= rejected <= 0.085
    assert covered >= 0.92


def test_marks_in_equal_tests_are_called_different_in_about_five_percent() -> None:
    generator = np.random.default_rng(8)
    studies, rejected = 250, 0
    for _ in range(studies):
        table = FreeResponseModel().sample(generator, (0.0, 0.0), 5, 30, 30)
        analysis = analyse_mrmc(AfrocArea(table)).analysis(Generalisation.READERS_AND_CASES)
        assert analysis is not None and analysis.p_value is not None
        rejected += analysis.p_value < 0.05
    assert 0.012 <= rejected / studies <= 0.096


@pytest.mark.parametrize("answers", [12, 24, 60])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_exact_intervals_hold_the_truth_at_least_as_often_as_they_say(answers: int, share: float) -> None:
    counts = np.arange(answers + 1)
    found = [proportion(int(count), answers, share) for count in counts]
    chances = stats.binom.pmf(counts, answers, share)
    held = [one.exact is not None and one.exact[0] <= share <= one.exact[1] for one in found]
    rejected = [one.p_chance is not None and one.p_chance < 0.05 for one in found]
    assert chances[held].sum() >= 0.95 and chances[rejected].sum() <= 0.05


@pytest.mark.long
@pytest.mark.parametrize("structure", list(STRUCTURES))
def test_false_positives_and_coverage_hold_in_every_structure(structure: str) -> None:
    rejected, covered = null_shares(structure, 2000, seed=6)
    assert 0.03 <= rejected <= 0.068
    assert 0.93 <= covered <= 0.985


@pytest.mark.long
@pytest.mark.parametrize(("reader_sd", "case_sd"), [(0.0, 0.0), (0.15, 0.5), (0.3, 0.8)])
def test_turing_tests_hold_their_level(reader_sd: float, case_sd: float) -> None:
    generator = np.random.default_rng(7)
    model = TuringModel(0.5, reader_sd, case_sd)
    edge = TuringModel(0.6, reader_sd, case_sd)
    rejected = shown = 0
    for _ in range(3000):
        table = model.sample_table(generator, 6, 40, 40)
        rejected += compare_with_chance(BalancedAccuracy(table, table.ratings))[0].p_value < 0.05
        table = edge.sample_table(generator, 6, 40, 40)
        test = compare_with_chance(BalancedAccuracy(table, table.ratings), margin=0.1)[0].equivalence
        shown += test is not None and test.shown
    assert 0.025 <= rejected / 3000 <= 0.068
    assert shown / 3000 <= 0.068
