"""From answers to results: what is counted is what was answered, and a study too small for a figure gets a sentence."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import trapezoid
from study_example import small, turing_protocol, write_cases
from study_readers import CLOSING, READERS, Answer, all_readings, made, read, turing_reader

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.analysis.analyse import analyse
from MedUSISLib.study.analysis.curves import roc_points
from MedUSISLib.study.analysis.result_statistics import ALL
from MedUSISLib.study.analysis.results import StudyResults, headline, load_results
from MedUSISLib.study.key import Key, load_study
from MedUSISLib.study.protocol import Analysis, Randomisation, visual_turing
from MedUSISLib.study.statistics.signed_rank import signed_rank_p
from MedUSISLib.study.versioned import to_json


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 9)


@pytest.fixture(scope="module")
def turing(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(table, tmp_path_factory.mktemp("turing"), turing_protocol(readers=READERS, allow_back=True))


@pytest.fixture(scope="module")
def turing_answers(turing: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, key = tmp_path_factory.mktemp("answers"), load_study(turing)[1]
    right = turing_reader(key, 9, 1.0, 0.0)
    return [
        read(
            turing, reader, folder / f"{reader}.sqlite", turing_reader(key, n, 0.65), correct=right if n == 1 else None
        )
        for n, reader in enumerate(READERS)
    ]


@pytest.fixture(scope="module")
def turing_results(turing: Path, turing_answers: list[Path]) -> StudyResults:
    return analyse(turing, turing_answers)


def codes(results: StudyResults) -> set[str]:
    return {note.code for note in results.notes}


def test_counts_of_a_visual_turing_test_are_those_of_the_answers(
    turing: Path, turing_answers: list[Path], turing_results: StudyResults, tmp_path: Path
) -> None:
    found = turing_results.visual_turing
    assert found is not None and found.accuracy is not None
    mine = [r for r in all_readings(turing, turing_answers, tmp_path) if not r.training and not r.repeat_of]
    assert turing_results.materials.analysed == len(mine) == 3 * 16
    for one in found.readers:
        own = [r for r in mine if r.reader == one.reader]
        said = [(r.right_answer, r.values["source"]) for r in own]
        definite = [(truth, s) for truth, s in said if s != "unsure"]
        assert one.unsure == len(said) - len(definite)
        assert (one.correct.count, one.correct.total) == (sum(t == s for t, s in definite), len(definite))
        real = [s for t, s in definite if t == "real"]  # the protocol's positive answer
        assert (one.sensitivity.count, one.sensitivity.total) == (real.count("real"), len(real))
        test = stats.binomtest(one.correct.count, one.correct.total)
        ends = test.proportion_ci(0.95, "exact")
        assert one.correct.exact == pytest.approx((ends.low, ends.high)) and one.correct.p_chance == test.pvalue
        # The area of the curve is the share of pairs in the right order.
        sure = {r.trial: {"real": -1, "synthetic": 1, "unsure": 0}[r.values["source"]] * r.values["confidence"]
                for r in own}  # fmt: skip
        pairs = [(sure[a.trial], sure[b.trial]) for a in own for b in own if (a.arm, b.arm) == ("real", "synthetic")]
        assert one.auc == pytest.approx(np.mean([(y > x) + 0.5 * (y == x) for x, y in pairs]))
    worth = {r.reader: [] for r in mine}  # type: dict[str, list[tuple[str, float]]]
    for r in mine:
        right = 0.5 if r.values["source"] == "unsure" else float(r.values["source"] == r.right_answer)
        worth[r.reader].append((r.right_answer, right))
    balanced = [
        np.mean([np.mean([w for t, w in values if t == truth]) for truth in ("real", "synthetic")])
        for values in worth.values()
    ]
    assert found.accuracy.value == pytest.approx(np.mean(balanced))
    assert found.accuracy.equivalence is not None and found.accuracy.equivalence.margin == 0.1
    assert found.pooled.reader == ALL and found.pooled.answers == len(mine)
    assert {s.stratum for s in found.strata} == {"philips", "siemens"}
    assert sum(s.counts.answers for s in found.strata) == len(mine)
    assert {curve.reader for curve in found.curves} == {*READERS, ALL}


def test_what_is_left_out_and_corrected_is_said(turing_results: StudyResults) -> None:
    assert {"TRAINING_LEFT_OUT", "REPEATS_LEFT_OUT", "CORRECTIONS", "FEW_READERS", "CLUSTERED_CASES"} <= codes(
        turing_results
    )
    assert "INCOMPLETE_READER" not in codes(turing_results)
    assert turing_results.materials.training == 6 and turing_results.materials.repeats == 6
    assert [(r.corrected_answers, r.corrections) for r in turing_results.readers] == [(0, 0), (1, 1), (0, 0)]
    assert all(r.complete and r.closed and r.profile["years"] == "7" for r in turing_results.readers)


def test_agreement_times_and_forms_of_a_visual_turing_test(turing_results: StudyResults) -> None:
    (agreement,) = turing_results.agreement
    assert [c.name.split(",")[0] for c in agreement.between] == ["Fleiss's kappa", "Gwet's AC1", "Krippendorff's alpha"]
    assert {(p.first, p.second) for p in agreement.pairs} == {("R1", "R2"), ("R1", "R3"), ("R2", "R3")}
    assert all(pair.total == 16 for pair in agreement.pairs)
    assert [(p.first, p.second, p.total) for p in agreement.within] == [(r, r, 2) for r in READERS]
    by_name = {(one.kind, one.name): one for one in turing_results.times}
    assert sum(by_name["outcome", name].answers for name in ("right", "wrong", "unsure")) == 48
    assert by_name["reader", "R1"].answers == 16 and by_name["arm", "real"].answers == 24
    scale = next(one for one in turing_results.closing if one.question == "quality")
    assert scale.answers == dict.fromkeys(READERS, 4) and scale.median == 4
    text = next(one for one in turing_results.closing if one.kind == "text")
    assert text.answers["R2"] == CLOSING["remarks"] and text.median is None


def test_results_are_stored_and_read_again(turing_results: StudyResults, tmp_path: Path) -> None:
    text = to_json(turing_results)
    assert "NaN" not in text and "Infinity" not in text and "Doe" not in text
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    assert load_results(tmp_path) == turing_results
    later = json.loads(text) | {"version": 2}
    (tmp_path / "results.json").write_text(json.dumps(later), encoding="utf-8")
    with pytest.raises(MedUSISError, match="install a newer MedUSIS"):
        load_results(tmp_path)


def test_a_reader_who_is_not_done_is_in_the_tables_only(
    turing: Path, turing_answers: list[Path], tmp_path: Path
) -> None:
    key = load_study(turing)[1]
    early = read(turing, "R3", tmp_path / "R3.sqlite", turing_reader(key, 2, 0.6), stop=7)
    results = analyse(turing, [*turing_answers[:2], early])
    assert results.analysed_readers == ("R1", "R2") and "INCOMPLETE_READER" in codes(results)
    found = results.visual_turing
    assert found is not None and {r.reader for r in found.readers} == set(READERS)
    assert found.pooled.answers == 32 and found.accuracy is not None
    alone = analyse(turing, [early])
    assert "NOBODY_DONE" in codes(alone) and alone.analysed_readers == ("R3",)


def always(source: str, confidence: float = 80.0) -> Answer:
    return lambda now: {"source": source, "confidence": confidence}


def knowing(key: Key) -> Answer:
    return lambda now: {"source": key.trial_of[now.trial.id].right_answer, "confidence": 100.0}


def test_plain_studies_get_sentences(turing: Path, tmp_path: Path) -> None:
    key = load_study(turing)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = analyse(turing, [read(turing, "R1", tmp_path / "one.sqlite", turing_reader(key, 0, 0.6, 0.0))])
        assert {"ONE_READER", "NOBODY_UNSURE", "INCOMPLETE_READER"} <= codes(one)
        assert one.visual_turing is not None and one.visual_turing.accuracy is not None
        assert one.visual_turing.accuracy.generalises_to == "fixed readers, random cases"

        perfect = [read(turing, r, tmp_path / f"p{r}.sqlite", knowing(key)) for r in READERS]
        best = analyse(turing, perfect)
        assert best.visual_turing is not None and best.visual_turing.accuracy is not None
        assert best.visual_turing.accuracy.value == 1 and best.visual_turing.accuracy.p_value is None
        assert "no test over them is possible" in headline(best)
        assert best.visual_turing.pooled.correct.count == 48
        assert best.visual_turing.pooled.d_prime is not None and math.isfinite(best.visual_turing.pooled.d_prime.value)

        same = [read(turing, r, tmp_path / f"s{r}.sqlite", always("real")) for r in READERS]
        lazy = analyse(turing, same)
        assert lazy.visual_turing is not None and lazy.visual_turing.accuracy is not None
        assert lazy.visual_turing.accuracy.value == 0.5
        assert lazy.agreement[0].between[0].value is None  # nobody used a second answer

        unsure = [read(turing, r, tmp_path / f"u{r}.sqlite", always("unsure", 0.0), closing=None) for r in READERS[:2]]
        nothing = analyse(turing, unsure)
        assert nothing.visual_turing is not None and nothing.visual_turing.pooled.correct.total == 0
        assert "NO_CLOSING_FORM" in codes(nothing)
    for results in (one, best, lazy, nothing):
        assert headline(results) and "NaN" not in to_json(results)


def test_a_study_without_answers_is_no_study(turing: Path, tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="no merged answers") as caught:
        analyse(turing)
    assert caught.value.code is ErrorCode.BAD_SETTING
    with pytest.raises(MedUSISError, match="no answers to analyse"):
        analyse(turing, [read(turing, "R1", tmp_path / "R1.sqlite", always("real"), stop=0)])
    key = load_study(turing)[1]
    practice = sum(trial.training for trial in key.trials_of("R1"))
    only = analyse(turing, [read(turing, "R1", tmp_path / "T.sqlite", always("real"), stop=practice)])
    assert "NOTHING_READ" in codes(only) and only.visual_turing is None and headline(only)


def test_forced_choice(table: Path, tmp_path: Path) -> None:
    protocol = small(
        visual_turing("pairs", READERS, True, Randomisation(repeats=2, gap=1)),
        analysis=Analysis(equivalence_margin=0.2),
    )
    study = made(table, tmp_path, protocol)
    key = load_study(study)[1]
    answers = [
        read(study, reader, tmp_path / f"{reader}.sqlite", turing_reader(key, n, 0.7, 0.0))
        for n, reader in enumerate(READERS)
    ]
    results = analyse(study, answers)
    found = results.forced_choice
    assert found is not None and found.correct is not None and results.visual_turing is None
    mine = [r for r in all_readings(study, answers, tmp_path) if not r.training and not r.repeat_of]
    right = [r.values["source"] == r.right_answer for r in mine]
    assert (found.pooled.correct.count, found.pooled.correct.total) == (sum(right), 24)
    assert found.pooled.left.count == sum(r.values["source"] == "left" for r in mine)
    assert found.correct.value == pytest.approx(np.mean(right))
    assert found.correct.equivalence is not None and found.correct.equivalence.margin == 0.2
    assert found.d_prime is not None
    assert found.d_prime[0] == pytest.approx(math.sqrt(2) * stats.norm.ppf(np.mean(right)))
    # Sides differ from reader to reader: agreement is about the image that was chosen.
    pair = results.agreement[0].pairs[0]
    chosen = {(r.reader, r.case): r.values["source"] == r.right_answer for r in mine}
    cases = {r.case for r in mine}
    assert (pair.same, pair.total) == (sum(chosen["R1", c] == chosen["R2", c] for c in cases), 8)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_signed_ranks_with_ties_are_what_all_signs_give(differences: list[int]) -> None:
    found = signed_rank_p(differences)
    values = np.array([d for d in differences if d])
    if not len(values):
        assert found is None
        return
    ranks = stats.rankdata(np.abs(values))
    signs = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
    sums, middle = signs @ ranks, ranks.sum() / 2
    observed = abs(ranks[values > 0].sum() - middle)
    assert found == pytest.approx(np.mean(np.abs(sums - middle) >= observed - 1e-9))


def test_signed_ranks_without_ties_and_of_many_pairs() -> None:
    random = np.random.default_rng(1)
    for count in (4, 25, 200, 400):
        values = random.normal(0.1, 1, count)
        assert signed_rank_p(values) == pytest.approx(stats.wilcoxon(values).pvalue, rel=0.02)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_the_area_under_a_roc_curve_is_the_wilcoxon_statistic(negative: list[int], positive: list[int]) -> None:
    x, y = roc_points(np.array(negative, float), np.array(positive, float))
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1) and (np.diff(x) >= 0).all() and (np.diff(y) >= 0).all()
    pairs = [(b > a) + 0.5 * (b == a) for a in negative for b in positive]
    assert trapezoid(y, x) == pytest.approx(np.mean(pairs))
