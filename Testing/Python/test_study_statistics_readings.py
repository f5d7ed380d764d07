"""From readings to tables: training and repeats are left out, duplicates count as nothing."""

from __future__ import annotations

from typing import Any

import pytest

from MedUSISLib.study.key import KeyLesion
from MedUSISLib.study.lesions import Outcome, ScoredMark
from MedUSISLib.study.questions import Mark
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.agreement import cohen_kappa, fleiss_kappa
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.from_readings import (
    answers_by_case,
    case_ratings,
    forced_choices,
    lesion_marks,
    repeated_pairs,
    turing_answers,
)
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem
from MedUSISLib.study.statistics.turing import Said, analyse_turing


def reading(reader: str, case: str, values: dict[str, Any], **more: Any) -> Reading:
    """One reading; only what the tables look at differs from the ordinary."""
    given: dict[str, Any] = {
        "reader": reader,
        "case": case,
        "values": values,
        "trial": f"{reader}-{case}-{more.get('arm', 'real')}",
        "session": 1,
        "position": 1,
        "stage": 0,
        "arm": "real",
        "stratum": "T1",
        "status": None,
        "right_answer": "",
        "training": False,
        "repeat_of": "",
        "revisions": 0,
        "seconds": 1.0,
        "at": "",
    }
    return Reading(**{**given, **more})


def mark(outcome: Outcome, lesion: int, confidence: float) -> ScoredMark:
    return ScoredMark(Mark(position_lps_mm=(0, 0, 0), confidence=confidence), outcome, lesion)


def turing_readings() -> list[Reading]:
    found = []
    for r in "ab":
        for k in range(6):
            for arm in ("real", "synthetic"):
                said = arm if (k + (r == "b")) % 3 else "unsure"
                values = {"source": said, "confidence": 60 + k}
                found.append(reading(r, f"c{k}", values, arm=arm, right_answer=arm))
    return found


def test_turing_answers_are_the_first_readings_and_keep_patients_together() -> None:
    found = turing_readings()
    again = reading("a", "c1", {"source": "unsure"}, trial="x", repeat_of=found[2].trial, right_answer="real")
    practice = reading("a", "c9", {"source": "real"}, training=True, right_answer="real")
    answers = turing_answers([*found, again, practice])
    assert len(answers) == 24
    assert answers[1].synthetic and answers[1].said is Said.UNSURE and answers[1].patient == "c0"
    result = analyse_turing(answers, margin=0.1)
    assert "CLUSTERED_CASES" in {w.code for w in result.warnings}
    assert result.auc is not None


def test_forced_choices_are_right_when_the_real_side_was_chosen() -> None:
    pair = reading("a", "c", {"source": "left"}, right_answer="left")
    assert forced_choices([pair, reading("a", "d", {"source": "left"}, right_answer="right")]) == [
        ("a", "c", True),
        ("a", "d", False),
    ]


def test_case_ratings_take_the_arms_as_tests() -> None:
    found = [
        reading(r, f"c{k}", {"confidence": 10 * k}, arm=arm, status=k > 2)
        for r in "ab"
        for k in range(6)
        for arm in ("ct", "ct-mr")
    ]
    table = case_ratings(found)
    assert (table.tests, table.positives, table.negatives) == (("ct", "ct-mr"), 3, 3)
    table.require_crossed()
    with pytest.raises(TableError) as caught:
        case_ratings([reading("a", "c", {"confidence": 1})])
    assert caught.value.problem is TableProblem.BAD_TRUTH


def test_marks_become_hits_and_false_marks_and_duplicates_nothing() -> None:
    lesion = KeyLesion(label=1, volume_mm3=1.0, centre_lps_mm=(0, 0, 0), mask_value=1)
    one = reading(
        "a",
        "sick",
        {},
        scored=True,
        lesions=(lesion,),
        marks=(mark(Outcome.HIT, 1, 80), mark(Outcome.DUPLICATE, 1, 99)),
    )
    others = [
        reading("a", "sick2", {}, scored=True, lesions=(lesion,)),
        reading("a", "fine", {}, scored=True, marks=(mark(Outcome.FALSE_POSITIVE, 0, 30),)),
        reading("a", "fine2", {}, scored=True),
    ]
    table = lesion_marks([one, *others])
    assert table.lesion_ratings[0, 0].tolist() == [80, float("-inf")]
    assert AfrocArea(table).values()[0, 0] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert table.false_counts[0, 0].tolist() == [0, 0, 1, 0]  # the second mark on the lesion is no false one
    with pytest.raises(TableError, match="no lesion mask"):
        lesion_marks([reading("a", "c", {})])


def test_agreement_with_others_and_with_an_earlier_reading() -> None:
    found = turing_readings()
    again = [
        reading("a", r.case, {"source": r.values["source"]}, trial=f"again-{i}", repeat_of=r.trial, arm=r.arm)
        for i, r in enumerate(found)
        if r.reader == "a"
    ]
    pairs = repeated_pairs([*found, *again], "source")["a"]
    assert len(pairs) == 12
    assert cohen_kappa(*zip(*pairs, strict=True)).value == pytest.approx(1.0)
    table = answers_by_case([*found, *again], "source")
    assert len(table) == 12 and all(len(row) == 2 for row in table)
    assert fleiss_kappa(table).value < 1
