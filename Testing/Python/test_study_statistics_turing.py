"""The visual Turing test: proportions, d', tests against chance, equivalence, strata."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.statistics.against_chance import compare_with_chance, equivalence
from MedUSISLib.study.statistics.covariances import jackknife_covariance, jackknife_values
from MedUSISLib.study.statistics.detection import BalancedAccuracy, DPrimeFigure, d_prime
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.obuchowski_rockette import Estimate, Generalisation
from MedUSISLib.study.statistics.proportions import proportion
from MedUSISLib.study.statistics.simulation import STRUCTURES, TuringModel
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem
from MedUSISLib.study.statistics.turing import (
    Said,
    TuringAnswer,
    UnsureRule,
    analyse_forced_choice,
    analyse_turing,
)


def study(accuracy: float = 0.5, readers: int = 5, cases: int = 60, seed: int = 1, **more: float) -> list[TuringAnswer]:
    model = TuringModel(accuracy, **more)
    return model.sample(np.random.default_rng(seed), readers, cases // 2, cases - cases // 2)


def test_intervals_of_proportions_are_the_published_ones() -> None:
    # Newcombe, Stat. Med. 17 (1998), table I: 81 of 263 and 15 of 148, methods 3 (score) and 5 (exact).
    first, second = proportion(81, 263), proportion(15, 148)
    assert first.wilson == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert first.exact == (pytest.approx(0.2527, abs=5e-5), pytest.approx(0.3676, abs=5e-5))
    assert second.wilson == (pytest.approx(0.0624, abs=5e-5), pytest.approx(0.1605, abs=5e-5))
    assert second.exact == (pytest.approx(0.0578, abs=5e-5), pytest.approx(0.1617, abs=5e-5))


def test_no_answers_are_no_proportion() -> None:
    assert proportion(0, 0, 0.5).value is None
    with pytest.raises(ValueError, match="between"):
        proportion(3, 2)


def test_d_prime_stays_finite_and_is_the_distance_of_the_normals() -> None:
    found = d_prime(10_000 * stats.norm.cdf(1.5), 10_000, 10_000 * stats.norm.cdf(0.3), 10_000)
    assert found is not None
    assert found.value == pytest.approx(1.2, abs=1e-3)
    assert found.criterion == pytest.approx(-0.9, abs=1e-3)
    perfect = d_prime(20, 20, 0, 20)
    assert perfect is not None and np.isfinite(perfect.value) and perfect.high > perfect.low
    assert d_prime(0, 0, 3, 20) is None


def test_variance_of_d_prime_is_what_simulation_gives() -> None:
    generator = np.random.default_rng(0)
    h, f = generator.binomial(60, 0.8, 4000), generator.binomial(60, 0.3, 4000)
    drawn = [found.value for a, b in zip(h, f, strict=True) if (found := d_prime(a, 60, b, 60))]
    expected = d_prime(48, 60, 18, 60)
    assert expected is not None
    assert np.std(drawn) == pytest.approx(expected.standard_error, rel=0.06)


@pytest.mark.parametrize("kind", [BalancedAccuracy, DPrimeFigure])
def test_leaving_out_cases_the_fast_way_is_the_slow_way(kind: type[BalancedAccuracy]) -> None:
    table = TuringModel(0.6).sample_table(np.random.default_rng(3), 3, 9, 12)
    figure = kind(table, table.ratings)
    slow = np.stack([figure.values((np.arange(21) != c).astype(float)) for c in range(21)])
    np.testing.assert_allclose(jackknife_values(figure), slow)


def test_leaving_out_cases_of_an_area_the_fast_way_is_the_slow_way() -> None:
    table = STRUCTURES["HL"].sample(np.random.default_rng(3), (0.7, 0.8), 3, 9, 12)
    figure = EmpiricalAuc(table)
    slow = np.stack([figure.values((np.arange(21) != c).astype(float)) for c in range(21)])
    np.testing.assert_allclose(jackknife_values(figure), slow)


def test_saying_always_synthetic_is_guessing_whatever_the_ratio() -> None:
    answers = [TuringAnswer("a", str(c), c < 30, Said.SYNTHETIC) for c in range(40)]
    found = analyse_turing(answers)
    assert found.accuracy.estimate.value == 0.5
    assert found.readers[0].correct.value == 0.75


def test_readers_who_know_differ_from_chance_and_are_not_equivalent() -> None:
    found = analyse_turing(study(0.8), margin=0.1)
    assert found.accuracy.p_value < 0.001
    assert found.accuracy.equivalence is not None and not found.accuracy.equivalence.shown
    assert "different from chance" in found.accuracy.sentence()
    assert found.d_prime.estimate.value == pytest.approx(2 * stats.norm.ppf(0.8), abs=0.4)


def test_the_sentence_names_no_share_above_one() -> None:
    found = analyse_turing(study(0.8), margin=0.1).accuracy
    wide = replace(found, estimate=replace(found.estimate, low=-0.4, high=1.3), logit=(0.12, 0.97))
    assert "[0.120, 0.970]" in wide.sentence() and "1.300" not in wide.sentence()


def test_no_p_value_is_printed_as_zero() -> None:
    found = replace(analyse_turing(study(0.8), margin=0.1).accuracy, p_value=3e-9)
    assert "(p < 0.0001)" in found.sentence() and "0.0000" not in found.sentence()


def test_readers_who_guess_are_equivalent_when_there_are_enough_pictures() -> None:
    found = analyse_turing(study(cases=400), margin=0.1)
    assert found.accuracy.equivalence is not None and found.accuracy.equivalence.shown
    assert "equivalent" in found.accuracy.sentence()


def test_not_significant_is_not_called_equal() -> None:
    few = analyse_turing(study(cases=12))
    assert few.accuracy.p_value > 0.05
    assert "does not prove" in few.accuracy.sentence()
    assert "NO_MARGIN" in {w.code for w in few.warnings}


def test_equivalence_is_shown_exactly_when_the_90_percent_interval_lies_within() -> None:
    for value in np.linspace(0.4, 0.6, 41):
        found = equivalence(Estimate(float(value), 0.03, 12.0, 0, 0), 0.5, 0.1)
        assert found.shown == (found.low > 0.4 and found.high < 0.6)


def test_one_reader_has_a_normal_test_over_pictures() -> None:
    answers = study(0.7, readers=1)
    found = analyse_turing(answers).accuracy
    assert found.generalisation is Generalisation.CASES
    right = np.array([(a.said is Said.SYNTHETIC) == a.synthetic for a in answers])
    truth = np.array([a.synthetic for a in answers])
    expected = (right[truth].mean() + right[~truth].mean()) / 2
    assert found.estimate.value == pytest.approx(expected)
    error = np.sqrt(sum(right[m].var(ddof=1) / m.sum() for m in (truth, ~truth)) / 4)
    assert found.estimate.standard_error == pytest.approx(error, rel=0.02)


def test_unsure_counts_by_the_rule() -> None:
    said = [Said.SYNTHETIC, Said.UNSURE, Said.REAL, Said.REAL]
    answers = [TuringAnswer("a", str(c), c < 2, s) for c, s in enumerate(said)]
    values = {rule: analyse_turing(answers, unsure=rule).accuracy.estimate.value for rule in UnsureRule}
    assert values == {UnsureRule.HALF: 0.875, UnsureRule.WRONG: 0.75, UnsureRule.LEFT_OUT: 1.0}
    found = analyse_turing(answers, unsure=UnsureRule.LEFT_OUT)
    assert (found.readers[0].unsure, found.readers[0].correct.total) == (1, 3)
    assert "UNANSWERED" in {w.code for w in found.warnings}


def test_a_reader_who_never_decides_is_named() -> None:
    answers = [TuringAnswer(r, str(c), c < 2, Said.UNSURE if r == "b" else Said.REAL) for r in "ab" for c in range(4)]
    with pytest.raises(TableError, match="reader b") as caught:
        analyse_turing(answers, unsure=UnsureRule.LEFT_OUT)
    assert caught.value.problem is TableProblem.UNBALANCED


def test_confidence_gives_an_area_only_where_all_gave_it() -> None:
    answers = study(0.75)
    assert analyse_turing(answers).auc is None
    sure = [TuringAnswer(a.reader, a.case, a.synthetic, a.said, 50 + i % 50) for i, a in enumerate(answers)]
    found = analyse_turing(sure).auc
    assert found is not None and 0.6 < found.estimate.value < 0.95


def test_sensitivity_is_of_what_the_protocol_calls_positive() -> None:
    answers = [TuringAnswer("a", str(c), c < 4, Said.SYNTHETIC if c < 3 or c == 5 else Said.REAL) for c in range(10)]
    synthetic, real = (analyse_turing(answers, positive=p).readers[0] for p in (Said.SYNTHETIC, Said.REAL))
    assert (synthetic.sensitivity.count, synthetic.sensitivity.total) == (3, 4)
    assert (real.sensitivity.count, real.sensitivity.total) == (5, 6)
    assert real.specificity == synthetic.sensitivity and real.correct == synthetic.correct


def test_strata_are_analysed_apart_where_they_hold_enough() -> None:
    answers = [
        TuringAnswer(a.reader, a.case, a.synthetic, a.said, stratum="T1" if int(a.case[4:]) % 2 else "T2")
        for a in study()
    ]
    lonely = TuringAnswer("reader1", "extra", True, Said.REAL, stratum="rare")
    assert set(analyse_turing([*answers, lonely]).strata) == {"T1", "T2"}


def test_pictures_of_one_patient_widen_the_interval() -> None:
    answers = study(0.6, case_sd=0.0)
    doubled = [
        TuringAnswer(a.reader, f"{a.case}-{n}", a.synthetic, a.said, patient=a.case) for a in answers for n in range(2)
    ]
    apart = [TuringAnswer(a.reader, a.case, a.synthetic, a.said) for a in doubled]
    one, two, three = (analyse_turing(x).accuracy.estimate.standard_error for x in (answers, doubled, apart))
    assert two == pytest.approx(one, rel=1e-6)
    assert three < one


def test_forced_choice_is_a_share_against_one_half() -> None:
    generator = np.random.default_rng(0)
    answers = [(r, str(c), bool(generator.random() < 0.8)) for r in "abcd" for c in range(50)]
    test, own, _ = analyse_forced_choice(answers, margin=0.1)
    assert test.estimate.value == pytest.approx(np.mean([x for *_, x in answers]))
    assert test.p_value < 0.001 and set(own) == set("abcd")


def test_margins_must_be_positive() -> None:
    with pytest.raises(MedUSISError, match="positive"):
        analyse_turing(study(), margin=0)


def test_results_are_plain_json() -> None:
    perfect = [TuringAnswer(r, str(c), c < 5, Said.SYNTHETIC if c < 5 else Said.REAL) for r in "ab" for c in range(10)]
    for answers in (study(), perfect):
        json.dumps(analyse_turing(answers, margin=0.1).as_dict(), allow_nan=False)


def test_guessing_readers_are_called_different_in_about_five_percent() -> None:
    # 1,500 studies with pictures that look alike to all readers; the binomial test over all answers would fail here.
    generator = np.random.default_rng(4)
    model = TuringModel(reader_sd=0.15, case_sd=0.6)
    found, pooled = [], []
    for _ in range(1500):
        table = model.sample_table(generator, 6, 25, 25)
        figure = BalancedAccuracy(table, table.ratings)
        found.append(compare_with_chance(figure)[0].p_value < 0.05)
        right = int(table.ratings.sum())
        pooled.append(abs(right - 150) / np.sqrt(75) > stats.norm.ppf(0.975))
    assert 0.03 < np.mean(found) < 0.07
    assert np.mean(pooled) > 0.10
    assert np.all(np.isfinite(jackknife_covariance(figure)))
