"""From answers to results, with lesions: marks are counted, arms compared, and contrast measured."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_example import lesion_protocol, write_cases
from study_readers import READERS, all_readings, lesion_reader, made, read

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.study.analysis.analyse import analyse
from MedUSISLib.study.analysis.contrast import Place, contrast_at
from MedUSISLib.study.analysis.result_statistics import ALL
from MedUSISLib.study.analysis.results import StudyResults, headline
from MedUSISLib.study.key import load_study
from MedUSISLib.study.protocol import Arm, Randomisation
from MedUSISLib.study.questions import Mark
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.from_readings import lesion_marks
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.versioned import to_json

ARMS = (Arm(id="ct", panels=("ct",)), Arm(id="ct-synthetic", panels=("ct", "synthetic")))


FIND = {"ct": 0.4, "ct-synthetic": 0.8}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 9)


@pytest.fixture(scope="module")
def lesions(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(table, tmp_path_factory.mktemp("lesions"), lesion_protocol(readers=READERS, arms=ARMS))


@pytest.fixture(scope="module")
def lesion_answers(lesions: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, key = tmp_path_factory.mktemp("answers"), load_study(lesions)[1]
    return [
        read(lesions, reader, folder / f"{reader}.sqlite", lesion_reader(key, n, FIND, 0.5))
        for n, reader in enumerate(READERS)
    ]


@pytest.fixture(scope="module")
def lesion_results(lesions: Path, lesion_answers: list[Path]) -> StudyResults:
    return analyse(lesions, lesion_answers)


def codes(results: StudyResults) -> set[str]:
    return {note.code for note in results.notes}


def test_counts_of_lesion_reading_are_those_of_the_marks(
    lesions: Path, lesion_answers: list[Path], lesion_results: StudyResults, tmp_path: Path
) -> None:
    found = lesion_results.lesion_reading
    assert found is not None and (found.cases, found.cases_with_lesions, found.lesions) == (8, 4, 8)
    mine = [r for r in all_readings(lesions, lesion_answers, tmp_path) if not r.training]
    for one in found.counts:
        own = [r for r in mine if (r.reader, r.arm) == (one.reader, one.arm)]
        assert one.cases == len(own) == 8 and one.marks == sum(len(r.values["marks"]) for r in own)
        assert (one.found.count, one.found.total) == (sum(r.hits for r in own), 8)
        assert one.false_marks == sum(r.false_positives for r in own)
        assert one.false_marks_per_case == one.false_marks / 8
        assert one.called_positive.total == one.called_negative.total == 4
        assert one.called_positive.count == sum(r.values["present"] == "yes" for r in own if r.status)
    for arm in ("ct", "ct-synthetic"):
        pooled = next(c for c in found.pooled if c.arm == arm)
        assert pooled.found.count == sum(c.found.count for c in found.counts if c.arm == arm)
        parts = [s.counts.found for s in found.strata if s.counts.arm == arm]
        assert len(parts) == 2 and sum(p.count for p in parts) == pooled.found.count
    by_category = {(c.reader, c.arm): 0 for c in found.categories}
    for category in found.categories:
        by_category[category.reader, category.arm] += category.marks
    assert by_category == {(c.reader, c.arm): c.marks for c in found.counts}
    hit = {(r.reader, r.arm): {(r.case, m.lesion) for m in r.marks if m.outcome.value == "hit"} for r in ()}
    for r in mine:
        hit.setdefault((r.reader, r.arm), set()).update((r.case, m.lesion) for m in r.marks if m.outcome.value == "hit")
    for pair in found.paired_lesions:
        first, second = hit[pair.reader, pair.first], hit[pair.reader, pair.second]
        assert (pair.both, pair.only_first, pair.only_second) == (
            len(first & second), len(first - second), len(second - first),
        )  # fmt: skip
        assert pair.both + pair.only_first + pair.only_second + pair.neither == 8


def test_comparisons_and_curves_of_lesion_reading(
    lesions: Path, lesion_answers: list[Path], lesion_results: StudyResults, tmp_path: Path
) -> None:
    found = lesion_results.lesion_reading
    assert found is not None
    names = {"auc", "jafroc", "lesion-sensitivity", "false-marks", "case-sensitivity", "case-specificity"}
    assert names <= set(found.comparisons)
    table = lesion_marks(all_readings(lesions, lesion_answers, tmp_path))
    expected = analyse_mrmc(AfrocArea(table))
    ours = found.comparisons["jafroc"]
    difference = expected.analyses[0].differences[0].estimate
    assert ours.main.differences[0].value == pytest.approx(difference.value)
    assert (ours.main.differences[0].low, ours.main.differences[0].high) == pytest.approx(
        (difference.low, difference.high)
    )
    for curve in (c for c in found.curves if c.reader != ALL):
        if curve.kind == "afroc":
            assert curve.area == pytest.approx(ours.values[curve.arm][curve.reader])
        if curve.kind == "roc":
            assert curve.area == pytest.approx(found.comparisons["auc"].values[curve.arm][curve.reader])
        if curve.kind == "froc":
            count = next(c for c in found.counts if (c.reader, c.arm) == (curve.reader, curve.arm))
            assert (curve.x[-1], curve.y[-1]) == (count.false_marks_per_case, count.found.value)
    pooled = next(c for c in found.curves if (c.kind, c.arm, c.reader) == ("froc", "ct", ALL))
    assert pooled.x[-1] == pytest.approx(np.mean([c.false_marks_per_case for c in found.counts if c.arm == "ct"]))
    assert {one.arm for one in lesion_results.agreement} == {"ct", "ct-synthetic"}
    assert any(one.numbers is not None for one in lesion_results.agreement)
    assert headline(lesion_results).startswith("area under the weighted AFROC curve: ct - ct-synthetic")


def test_contrast_of_what_was_marked(lesion_results: StudyResults) -> None:
    found = lesion_results.lesion_reading
    assert found is not None
    synthetic = [c for c in found.contrast if c.image == "synthetic" and c.outcome in ("hit", "missed")]
    assert sum(c.places for c in synthetic) == 8
    assert all(c.cnr_median > 1 and c.ratio_median is not None and c.ratio_median > 1.1 for c in synthetic)
    false = [c for c in found.contrast if c.image == "synthetic" and c.outcome == "false-positive"]
    assert all(c.cnr_median < 1 for c in false)
    assert all(c.ratio_median is None for c in found.contrast if c.image == "ct")


def test_contrast_by_hand() -> None:
    random = np.random.default_rng(0)
    image = random.integers(90, 111, (30, 30, 30)).astype(np.uint8)
    image[0] = 0  # outside the body
    labels = np.zeros(image.shape, np.uint8)
    labels[14:17, 14:17, 14:17] = 1
    image[labels == 1] = 150
    labels[20, 20, 20] = 2
    image[20, 20, 20] = 250  # another lesion does not belong to the background
    geometry = Geometry((30, 30, 30))
    k, j, i = np.indices(image.shape)
    gap = np.sqrt(sum(np.maximum(np.abs(a - 15) - 1, 0) ** 2 for a in (k, j, i)))
    shell = image[(gap > 2) & (gap <= 8) & (labels == 0) & (image > 0)].astype(float)
    found = contrast_at(Volume(image, geometry), Volume(labels, geometry), Place("C001", "hit", lesion=1))
    assert found is not None and found[1] is not None
    assert found[0] == pytest.approx((150 - shell.mean()) / shell.std(ddof=1))
    assert found[1] == pytest.approx(150 / shell.mean())
    mark = Place("C001", "mark", mark=Mark(position_lps_mm=(15.0, 15.0, 15.0), size_mm=2.0))
    alone = contrast_at(Volume(image, geometry), None, mark)
    assert alone is not None and alone[0] > 3
    flat = Volume(np.full(image.shape, 7, np.uint8), geometry)
    assert contrast_at(flat, None, mark) is None
    outside = Place("C001", "mark", mark=Mark(position_lps_mm=(500.0, 0.0, 0.0)))
    assert contrast_at(Volume(image, geometry), None, outside) is None


def test_nobody_marked_anything(lesions: Path, tmp_path: Path) -> None:
    def nothing(now: Any) -> dict[str, Any]:
        return {"present": "no", "confidence": 0.0, "marks": []}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = analyse(lesions, [read(lesions, r, tmp_path / f"{r}.sqlite", nothing) for r in READERS])
    found = results.lesion_reading
    assert found is not None and "NOTHING_MARKED" in codes(results)
    assert all(c.found.count == 0 and c.false_marks == 0 for c in found.counts)
    assert all(p.p_value == 1.0 and p.neither == 8 for p in found.paired_lesions)
    assert all(p.p_value is None for p in found.paired_marks)
    assert "NaN" not in to_json(results) and headline(results)


def test_sequential_reading_is_analysed_by_stage(table: Path, tmp_path: Path) -> None:
    protocol = lesion_protocol(readers=("R1", "R2"), arms=ARMS, design="sequential")
    study = made(table, tmp_path, protocol)
    key = load_study(study)[1]
    answers = [
        read(study, reader, tmp_path / f"{reader}.sqlite", lesion_reader(key, n, FIND, 0.3))
        for n, reader in enumerate(("R1", "R2"))
    ]
    results = analyse(study, answers)
    assert results.lesion_reading is not None
    assert {(c.reader, c.arm, c.cases) for c in results.lesion_reading.counts} == {
        (reader, arm, 8) for reader in ("R1", "R2") for arm in FIND
    }
    assert "jafroc" in results.lesion_reading.comparisons


def test_one_arm_for_each_case_is_counted_and_not_compared(table: Path, tmp_path: Path) -> None:
    plan = Randomisation(gap=1, one_arm_per_case=True)
    study = made(table, tmp_path, lesion_protocol(readers=("R1", "R2"), arms=ARMS, randomisation=plan))
    key = load_study(study)[1]
    answers = [
        read(study, reader, tmp_path / f"{reader}.sqlite", lesion_reader(key, n, FIND, 0.3))
        for n, reader in enumerate(("R1", "R2"))
    ]
    results = analyse(study, answers)
    found = results.lesion_reading
    assert found is not None and found.comparisons == {} and "NOT_CROSSED" in codes(results)
    assert sum(c.cases for c in found.counts) == 16 and found.paired_lesions == ()
