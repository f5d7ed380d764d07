"""The judge of spoiled inputs can fail: each way of taking one badly is told from taking it well."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from faults import verdict
from faults.campaign import table, verdicts_of
from faults.kind import NAME, Kind
from faults.kinds import KINDS

from MedUSISLib.errors import ErrorCode, MedUSISError

GOOD = ("it is damaged", "copy it again")


def fails(*texts: str, code: ErrorCode = ErrorCode.INPUT_NOT_READABLE, raw: Exception | None = None) -> Callable:
    def read(folder: Path) -> Any:
        raise raw or MedUSISError(code, *texts)

    return read


def slow(folder: Path) -> None:
    time.sleep(60)


def wrong(folder: Path, value: Any) -> None:
    raise AssertionError("another size")


def outcome(tmp_path: Path, read: Callable, verify: Callable = lambda folder, value: None, **options: Any):
    def spoil(random: Random, folder: Path) -> str:
        return f"{random.random()}"

    sound = tmp_path / "sound"
    sound.mkdir()
    (sound / NAME).write_text("x")
    kind = Kind("made up", lambda folder: None, spoil, read, verify, **options)
    return verdict.judge(kind, 1, sound, tmp_path / "work")


def test_a_named_error_is_a_refusal_and_a_right_value_is_accepted(tmp_path: Path) -> None:
    found = outcome(tmp_path, fails(*GOOD))
    assert (found.outcome, found.code) == ("refused", "INPUT_NOT_READABLE")
    (tmp_path / "b").mkdir()
    assert outcome(tmp_path / "b", lambda folder: 1).outcome == "accepted"


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (fails(raw=ValueError("x")), "raw ValueError"),
        (fails(raw=MemoryError()), "raw MemoryError"),
        (fails(raw=RecursionError()), "raw RecursionError"),
        (fails(*GOOD, code=ErrorCode.INTERNAL), "does not fit"),
        (fails("it is damaged"), "no remedy"),
        (fails(f"{NAME} is damaged", "copy it"), "file name"),
        (fails("x" * 999, "y" * 999), "long"),
    ],
)
def test_what_is_badly_named_is_a_failure(tmp_path: Path, read: Callable, words: str) -> None:
    found = outcome(tmp_path, read)
    assert found.outcome == "failure"
    assert words in found.detail


def test_a_wrong_success_and_a_hang_are_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "wrong success: another size" in outcome(tmp_path, lambda folder: 1, wrong).detail
    (tmp_path / "b").mkdir()
    assert outcome(tmp_path / "b", lambda folder: 1, always_refused=True).outcome == "failure"
    (tmp_path / "c").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(verdict, "WALL_LIMIT_S", 0.05)
        assert "no answer within" in outcome(tmp_path / "c", slow).detail
    monkeypatch.setattr(verdict, "CPU_LIMIT_S", -1.0)
    (tmp_path / "d").mkdir()
    assert "processor time" in outcome(tmp_path / "d", lambda folder: 1).detail


def test_the_same_number_is_the_same_input(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert outcome(tmp_path / "a", fails(*GOOD)).done == outcome(tmp_path / "b", fails(*GOOD)).done


def test_a_campaign_counts_what_its_children_find() -> None:
    found = verdicts_of("label table", 6, first=100)
    assert [one.number for one in found] == list(range(100, 106))
    lines = table({"label table": found}).splitlines()
    assert lines[1].split()[2] == lines[-1].split()[1] == "6"
    assert len(KINDS) >= 40
