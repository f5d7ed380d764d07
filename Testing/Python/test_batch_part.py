"""Parts of a batch: every case in exactly one, and in the same one whatever is added."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.batch.case import BatchCase, FoundCases
from MedUSISLib.batch.part import Part, part_of
from MedUSISLib.batch.preparing import differences
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.runner import run_batch
from MedUSISLib.errors import ErrorCode, MedUSISError

KEYS = st.lists(st.text(max_size=12), max_size=30, unique=True)


def found(keys: list[str]) -> FoundCases:
    return FoundCases(tuple(BatchCase(key, Path("ct.nii"), None) for key in keys), (), "files")


@given(KEYS, st.integers(1, 9), st.text(max_size=12))
def test_every_case_is_in_one_part_and_stays_there(keys: list[str], parts: int, another: str) -> None:
    divided = [part_of(found(keys), f"{number}/{parts}").cases for number in range(1, parts + 1)]
    assert sorted(case.key for cases in divided for case in cases) == sorted(keys)
    more = [part_of(found([another, *keys]), f"{number}/{parts}").cases for number in range(1, parts + 1)]
    assert all(set(before) <= set(after) for before, after in zip(divided, more, strict=True))


def test_parts_are_of_similar_size() -> None:
    cases = found([f"sub-{number:03d}/ct.nii.gz" for number in range(300)])
    sizes = [len(part_of(cases, f"{number}/4").cases) for number in range(1, 5)]
    assert min(sizes) > 55 and max(sizes) < 95


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_what_is_no_part_is_a_bad_setting(text: str) -> None:
    with pytest.raises(MedUSISError) as caught:
        BatchRequest(input=Path("in"), out=Path("out"), part=text)
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_a_batch_does_not_go_on_with_another_part() -> None:
    one = BatchRequest(input=Path("in"), out=Path("out"), part="1/4")
    assert differences(one, one.model_copy(update={"part": "2/4"})) == ["part was 1/4, is 2/4"]


def test_a_part_without_cases_ends_well(tmp_path: Path) -> None:
    from tiny_generator import tiny_bundle

    (tmp_path / "ct.nii.gz").write_bytes(b"1")
    (tmp_path / "seg.nii.gz").write_bytes(b"2")
    (tmp_path / "cases.csv").write_text("id,ct,segmentation\nonly,ct.nii.gz,seg.nii.gz\n")
    empty = next(number for number in (1, 2) if not Part(number, 2).holds("only"))
    generator = str(tiny_bundle(tmp_path / "tiny").directory)
    request = BatchRequest(
        input=tmp_path / "cases.csv", out=tmp_path / "out", generator=generator, part=f"{empty}/2", device="cpu"
    )
    outcome = run_batch(request)
    assert (outcome.cases, outcome.failed, outcome.done) == (0, 0, 0)
    assert (tmp_path / "out" / "manifest.sqlite").is_file()
