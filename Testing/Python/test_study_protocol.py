"""A study's protocol: what it holds, refuses, brings up to date, and what stays fixed once answers are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError
from study_readers import run

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.protocol import (
    Arm,
    HitRule,
    Protocol,
    Randomisation,
    check_change,
    lesion_reading,
    load_protocol,
    visual_turing,
)
from MedUSISLib.study.questions import Mark, checked_values
from MedUSISLib.study.versioned import Part, fingerprint, parse_versioned, to_json


def changed(protocol: Protocol, **fields: Any) -> Protocol:
    """Validated again, unlike ``model_copy``."""
    return Protocol.model_validate({**protocol.model_dump(), **fields})


@pytest.mark.parametrize(
    "protocol",
    [
        visual_turing("a"),
        visual_turing("a", forced_choice=True),
        lesion_reading("a"),
        lesion_reading("a", design="sequential"),
        lesion_reading("a", design="crossover"),
    ],
    ids=lambda p: p.design,
)
def test_a_protocol_survives_its_file(protocol: Protocol, tmp_path: Path) -> None:
    (tmp_path / "protocol.json").write_text(to_json(protocol), encoding="utf-8")
    loaded = load_protocol(tmp_path)
    assert loaded == protocol and fingerprint(loaded) == fingerprint(protocol)


def test_the_hash_does_not_depend_on_the_layout_of_the_file(tmp_path: Path) -> None:
    protocol = visual_turing("a")
    path = tmp_path / "protocol.json"
    path.write_text(json.dumps(protocol.model_dump(mode="json"), sort_keys=True), encoding="utf-8")
    assert fingerprint(load_protocol(path)) == fingerprint(protocol)
    assert fingerprint(changed(protocol, title="Other")) != fingerprint(protocol)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"design": "crossed"}, "design"),
        ({"readers": ("R1", "r1")}, "readers must differ"),
        ({"readers": ("Dr. Doe",)}, "pattern"),
        ({"arms": ({"id": "real", "panels": ("ct",)}, {"id": "synthetic", "panels": ("synthetic",)})}, "arms"),
        ({"unknown": 1}, "unknown"),
        ({"questions": ()}, "questions"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        changed(visual_turing("a"), **fields)


def test_a_crossover_needs_washout_and_a_session_for_each_arm() -> None:
    with pytest.raises(ValidationError, match="washout"):
        lesion_reading("a", design="crossover", randomisation=Randomisation(sessions=2))
    with pytest.raises(ValidationError, match="session"):
        lesion_reading("a", design="crossover", randomisation=Randomisation(sessions=1, washout_days=7))


def test_sequential_reading_cannot_go_back() -> None:
    with pytest.raises(ValidationError, match="allow_back"):
        changed(lesion_reading("a", design="sequential"), allow_back=True)


class _Third(Part):
    version: Literal[3] = 3
    colour: str


def test_older_versions_are_brought_up_to_date_step_by_step() -> None:
    migrations = {1: lambda d: {**d, "hue": d["shade"]}, 2: lambda d: {"colour": d["hue"]}}
    assert parse_versioned(b'{"version": 1, "shade": "red"}', _Third, migrations, "it").colour == "red"
    assert parse_versioned(b'{"version": 2, "hue": "red"}', _Third, migrations, "it").colour == "red"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version": 99}', b'{"version": "1"}', b'{"version": true}'])
def test_a_file_that_is_no_protocol_is_named_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "Doe_Jane.json"
    path.write_bytes(content)
    with pytest.raises(MedUSISError) as caught:
        load_protocol(path)
    assert caught.value.code is ErrorCode.BAD_SETTING and "Doe" not in str(caught.value)


def test_an_error_does_not_repeat_the_value(tmp_path: Path) -> None:
    data = visual_turing("a").model_dump(mode="json") | {"readers": ["Jane Doe"]}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(MedUSISError, match=r"readers\.0") as caught:
        load_protocol(path)
    assert "Jane" not in str(caught.value)


def test_before_the_start_everything_but_the_id_may_change() -> None:
    check_change(lesion_reading("a"), changed(lesion_reading("a"), hit_rule=HitRule(kind="inside")), started=False)
    with pytest.raises(MedUSISError, match="id"):
        check_change(lesion_reading("a"), lesion_reading("b"), started=False)


def test_after_the_start_only_what_invalidates_nothing_may_change() -> None:
    before = lesion_reading("a", ("R1", "R2"))
    check_change(before, changed(before, title="New", breaks_after=7, readers=("R1", "R2", "R3")), started=True)
    for fields in (
        {"hit_rule": HitRule(kind="inside")},
        {"randomisation": Randomisation(seed=1)},
        {"readers": ("R2", "R1")},
        {"analysis": {"equivalence_margin": 0.2}},
        {"arms": (Arm(id="ct", panels=("ct",)), Arm(id="real", panels=("real",)))},
    ):
        with pytest.raises(MedUSISError, match=next(iter(fields))):
            check_change(before, changed(before, **fields), started=True)


def test_answers_are_checked_against_their_questions() -> None:
    asked = lesion_reading("a").questions
    mark = Mark(position_lps_mm=(1, 2, 3), confidence=80, category="subcortical")
    stored = checked_values(asked, {"present": "yes", "confidence": 70, "marks": [mark]})
    assert list(stored) == ["present", "confidence", "marks"] and stored["marks"][0]["category"] == "subcortical"
    assert checked_values(asked, {"present": "no", "confidence": 0, "marks": []})["marks"] == []
    good: dict[str, Any] = {"present": "yes", "confidence": 70, "marks": []}
    for bad in (
        {"present": "perhaps"},
        {"present": None},
        {"confidence": 101},
        {"confidence": float("nan")},
        {"confidence": True},
        {"marks": "none"},
        {"marks": [{"position_lps_mm": [0, 0, float("inf")], "category": "subcortical"}]},
        {"marks": [{"position_lps_mm": [0, 0, 0], "category": "elsewhere"}]},
        {"other": 1},
    ):
        with pytest.raises(MedUSISError):
            checked_values(asked, {**good, **bad})


def test_an_ordinal_scale_takes_whole_points_only() -> None:
    closing = visual_turing("a").closing
    assert checked_values(closing, {"quality": 5, "ease": 1, "trust": 3.0})["trust"] == 3
    for bad in (0, 6, 2.5, "3"):
        with pytest.raises(MedUSISError):
            checked_values(closing, {"quality": bad, "ease": 1, "trust": 3})


def test_a_usual_protocol_is_written_to_be_edited(tmp_path: Path) -> None:
    path = tmp_path / "protocol.json"
    assert "--protocol protocol.json" in run("protocol", "lesion-sequential", "--readers", "R1, R2", "--out", path)
    written = load_protocol(path)
    assert (written.design, written.readers) == ("sequential", ("R1", "R2"))
    path.write_text(path.read_text().replace('"synthetic"', '"second"'))
    assert load_protocol(path).arms[1].panels == ("ct", "second")
    assert "exists already" in run("protocol", "visual-turing", "--out", path, code=2)
    assert "no usual protocol" in run("protocol", "turing", "--out", tmp_path / "other.json", code=2)
    assert "readers must differ" in run(
        "protocol", "visual-turing", "--readers", "R1,r1", "--out", tmp_path / "x", code=2
    )
