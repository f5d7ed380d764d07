"""Answers to a study that is made again in its folder: kept, told, and never mixed with those to the new one."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_example import turing_protocol, write_cases

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.answers import ANSWERS_NAME, AnswerStore, Owner
from MedUSISLib.study.building import NewStudy, new_study
from MedUSISLib.study.earlier_answers import put_aside
from MedUSISLib.study.key import load_study
from MedUSISLib.study.merging import merge_answers
from MedUSISLib.study.package import package_of

SECRET = "5" * 64


def make(folder: Path, **how: object) -> NewStudy:
    return new_study(folder / "cases.csv", turing_protocol(), folder / "study", **how)


def hashes(answers: Path) -> list[str]:
    with AnswerStore(answers) as store:
        return [row.hash for row in store.rows()]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A study of a known secret that a reader has begun, and his answers, merged."""
    folder = tmp_path
    write_cases(folder, 3)
    make(folder, secret=SECRET)
    protocol, key = load_study(folder / "study")
    (reader, *_) = protocol.readers
    owner = Owner(protocol.id, key.protocol_sha256, package_of(protocol, key, reader).sha256, reader)
    with AnswerStore(folder / "from-reader.sqlite") as store:
        store.add("answer", owner, trial=key.trials_of(reader)[0].id, values={"source": "real"}, seconds=3.0)
    merge_answers(folder / "study", [folder / "from-reader.sqlite"], folder / "study" / ANSWERS_NAME)
    return folder


def test_the_same_study_made_again_keeps_its_answers(first: Path) -> None:
    before = hashes(first / "study" / ANSWERS_NAME)
    made = make(first, overwrite=True, secret=SECRET)
    assert not [remark for remark in made.remarks if "answers" in remark]
    assert hashes(first / "study" / ANSWERS_NAME) == before
    assert merge_answers(first / "study", [first / "from-reader.sqlite"], first / "study" / ANSWERS_NAME)


def test_another_study_keeps_them_aside_and_mixes_them_with_nothing(first: Path) -> None:
    study = first / "study"
    before = hashes(study / ANSWERS_NAME)
    made = make(first, overwrite=True)
    (kept,) = study.glob("answers-of-the-study-before-*.sqlite")
    assert hashes(kept) == before and not (study / ANSWERS_NAME).exists()
    assert f"the answers to the study that was here before are kept as {kept.name}" in made.remarks
    with pytest.raises(MedUSISError, match="answers to another study"):
        merge_answers(study, [first / "from-reader.sqlite"], study / ANSWERS_NAME)
    assert not (study / ANSWERS_NAME).exists()


def test_names_that_are_taken_are_not_written_over_and_logs_go_along(tmp_path: Path) -> None:
    for number in range(3):
        for ending in ("", "-wal"):
            (tmp_path / f"{ANSWERS_NAME}{ending}").write_text(f"{number}{ending}")
        assert "kept as answers-of-" in put_aside(tmp_path)
    kept = sorted(path.read_text() for path in tmp_path.glob("*.sqlite"))
    assert kept == ["0", "1", "2"] and len(list(tmp_path.glob("*.sqlite-wal"))) == 3
    for path in tmp_path.glob("*.sqlite"):
        assert path.with_name(f"{path.name}-wal").read_text() == f"{path.read_text()}-wal"
    assert put_aside(tmp_path) == ""


def test_what_cannot_be_renamed_is_said_and_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending in ("", "-wal"):
        (tmp_path / f"{ANSWERS_NAME}{ending}").write_text(ending)
    rename = Path.rename

    def held(path: Path, target: Path) -> Path:
        if path.name == ANSWERS_NAME:
            raise PermissionError("in use")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held)
    assert "cannot be renamed: move it away" in put_aside(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [ANSWERS_NAME, f"{ANSWERS_NAME}-wal"]
