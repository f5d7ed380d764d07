"""What a reader gets holds no truth; what comes back is merged, checked and put beside the truth."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from study_example import SECRET, lesion_protocol, turing_protocol, write_cases
from study_readers import run

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import Key, load_study
from MedUSISLib.study.merging import merge_answers
from MedUSISLib.study.package import (
    Package,
    forbidden_words,
    image_file,
    open_package,
    package_of,
    unpack,
    write_package,
)
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import readings, readings_csv
from MedUSISLib.study.session import Current, ReadingSession
from MedUSISLib.study.trial_plan import amend_study
from MedUSISLib.study.versioned import to_json

pytestmark = pytest.mark.usefixtures("same_secrets")
BOTH = ({"id": "real", "panels": ("real",)}, {"id": "synthetic", "panels": ("ct", "synthetic")})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 6)


@pytest.fixture(scope="module")
def turing(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("turing") / "study"
    new_study(table, turing_protocol(training_feedback=True), out, secret=SECRET)
    return out


@pytest.fixture(scope="module")
def lesions(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lesions") / "study"
    new_study(table, lesion_protocol(arms=BOTH, allow_back=True), out, secret=SECRET)
    return out


def read_all(package: Package, path: Path, answer: Callable[[Current], dict], stop: int = 10**9) -> None:
    with AnswerStore(path) as store:
        session = ReadingSession(package, store)
        while (now := session.current()) is not None and now.number <= stop:
            session.answer(now, answer(now), seconds=2.5)


def guess(now: Current) -> dict:
    return {"source": "real", "confidence": 60.0}


def test_a_package_holds_nothing_of_the_truth(turing: Path, tmp_path: Path) -> None:
    protocol, key = load_study(turing)
    write_package(turing, "R1", tmp_path / "R1.zip")
    with zipfile.ZipFile(tmp_path / "R1.zip") as archive:
        names, text = archive.namelist(), archive.read("package.json").decode()
        infos = archive.infolist()
    assert [n for n in names if "key" in n or "truth" in n or "protocol" in n] == []
    assert {word for word in forbidden_words(protocol, key) if word in text} == set()
    for other in key.trials_of("R2"):
        assert other.id not in text
    assert len({(i.date_time, i.compress_type, i.file_size) for i in infos[1:]}) == 1
    whole = (tmp_path / "R1.zip").read_bytes()
    assert b"Doe" not in whole and b"Jane" not in whole and b"SYNTHETIC" not in whole


def test_only_training_trials_tell_the_answer_and_only_when_the_protocol_says_so(turing: Path, lesions: Path) -> None:
    trials = package_of(*load_study(turing), "R1").trials
    assert [t.feedback is not None for t in trials] == [t.training for t in trials] and trials[0].training
    assert all(t.feedback is None for t in package_of(*load_study(lesions), "R1").trials)


def test_a_repeat_does_not_look_like_one(turing: Path) -> None:
    protocol, key = load_study(turing)
    again = {t.id for t in key.trials_of("R1") if t.repeat_of}
    assert again
    trials = {t.id: t.model_dump() for t in package_of(protocol, key, "R1").trials}
    assert {tuple(t) for t in trials.values()} == {("id", "session", "training", "stages", "feedback")}


def test_the_same_study_gives_the_same_package(turing: Path, tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_package(turing, "R1", tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_package_opens_packed_and_unpacked(turing: Path, tmp_path: Path) -> None:
    written = write_package(turing, "R1", tmp_path / "R1.zip")
    assert open_package(tmp_path / "R1.zip") == unpack(tmp_path / "R1.zip", tmp_path / "R1") == written
    assert open_package(tmp_path / "R1") == written and open_package(tmp_path / "R1").sha256 == written.sha256
    first = written.trials[0].stages[0].panels[0].image
    assert read_volume(image_file(tmp_path / "R1", first)).array_kji.max() == 255


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], extra: dict[str, bytes] | None = None) -> Path:
    out = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return out


def test_a_package_that_was_changed_is_refused(turing: Path, tmp_path: Path) -> None:
    package = write_package(turing, "R1", tmp_path / "R1.zip")
    victim = next(iter(package.files))
    for change, extra in (
        (lambda n, c: c[:-1] + b"\1" if n == victim else c, None),
        (lambda n, c: None if n == victim else c, None),
        (lambda n, c: c, {"../evil.txt": b"x"}),
        (lambda n, c: c, {"key.json": b"{}"}),
    ):
        with pytest.raises(MedUSISError, match="changed or is incomplete"):
            open_package(rewritten(tmp_path / "R1.zip", change, extra))
        with pytest.raises(MedUSISError):
            unpack(tmp_path / "changed.zip", tmp_path / "unpacked")
    assert not (tmp_path / "evil.txt").exists() and not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 half a package", b"x" * 1000])
def test_what_is_no_package_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "Doe.zip").write_bytes(content)
    with pytest.raises(MedUSISError, match="no reading package") as caught:
        open_package(tmp_path / "Doe.zip")
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "Doe" not in str(caught.value)


def test_a_leaking_study_is_not_packaged(turing: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(turing, tmp_path / "study")
    victim = next((copy / "trials").iterdir())
    victim.write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(MedUSISError, match="leaks"):
        write_package(copy, "R1", tmp_path / "R1.zip")
    assert not (tmp_path / "R1.zip").exists()


def test_answers_of_all_readers_are_merged_and_merging_again_changes_nothing(turing: Path, tmp_path: Path) -> None:
    protocol, key = load_study(turing)
    read_all(package_of(protocol, key, "R1"), tmp_path / "R1.sqlite", guess)
    read_all(package_of(protocol, key, "R2"), tmp_path / "R2.sqlite", guess, stop=5)
    sources, out = [tmp_path / "R1.sqlite", tmp_path / "R2.sqlite"], tmp_path / "all.sqlite"
    merged = merge_answers(turing, sources, out)
    assert [(s.reader, s.answered, s.expected) for s in merged.readers] == [("R1", 14, 14), ("R2", 5, 14)]
    assert not merged.complete
    with AnswerStore(out) as store:
        before = store.rows()
    assert merge_answers(turing, sources, out) == merged == merge_answers(turing, [out], out)
    with AnswerStore(out) as store:
        store.check()
        assert store.rows() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["R1.sqlite", "R2.sqlite", "all.sqlite"]


def test_a_later_copy_of_the_same_answers_counts_and_a_different_one_is_refused(turing: Path, tmp_path: Path) -> None:
    package = package_of(*load_study(turing), "R1")
    read_all(package, tmp_path / "R1.sqlite", guess, stop=4)
    shutil.copy(tmp_path / "R1.sqlite", tmp_path / "early.sqlite")
    read_all(package, tmp_path / "R1.sqlite", guess, stop=9)
    for order in (["R1", "early"], ["early", "R1"]):
        merged = merge_answers(turing, [tmp_path / f"{n}.sqlite" for n in order], tmp_path / "all.sqlite")
        assert merged.readers[0].answered == 9
    read_all(package, tmp_path / "other.sqlite", guess, stop=2)
    with pytest.raises(MedUSISError, match="two different sets of answers of reader R1"):
        merge_answers(turing, [tmp_path / "R1.sqlite", tmp_path / "other.sqlite"], tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()


def test_read_only_files_and_files_in_use_can_be_merged(turing: Path, tmp_path: Path) -> None:
    package = package_of(*load_study(turing), "R1")
    with AnswerStore(tmp_path / "R1.sqlite") as store, store._engine.connect() as held:
        held.exec_driver_sql("SELECT 1")
        session = ReadingSession(package, AnswerStore(tmp_path / "R1b.sqlite"))
        now = session.current()
        assert now is not None
        session.answer(now, guess(now), 1)
        (tmp_path / "R1b.sqlite").chmod(0o400)
        assert merge_answers(turing, [tmp_path / "R1b.sqlite"], tmp_path / "all.sqlite").readers[0].answered == 1


def test_answers_to_another_study_are_refused(turing: Path, lesions: Path, tmp_path: Path) -> None:
    read_all(package_of(*load_study(turing), "R1"), tmp_path / "R1.sqlite", guess, stop=1)
    with pytest.raises(MedUSISError, match="another study"):
        merge_answers(lesions, [tmp_path / "R1.sqlite"], tmp_path / "all.sqlite")
    # A study that was made again beside the answers to the old one.
    nothing = {"present": "no", "confidence": 10.0, "marks": []}
    read_all(package_of(*load_study(lesions), "R1"), tmp_path / "new.sqlite", lambda now: nothing, stop=1)
    with pytest.raises(MedUSISError, match="the file that answers are merged into") as caught:
        merge_answers(lesions, [tmp_path / "new.sqlite"], tmp_path / "R1.sqlite")
    assert "move the old answers away" in caught.value.hint
    with pytest.raises(MedUSISError, match="does not exist"):
        merge_answers(turing, [tmp_path / "none.sqlite"], tmp_path / "all.sqlite")


def truth_reader(key: Key, reader: str, miss: bool) -> Callable[[Current], dict]:
    """Marks every lesion but, if told so, the smallest, and one place where nothing is."""

    def answer(now: Current) -> dict:
        case = key.case_of[key.trial_of[now.trial.id].case]
        places = [lesion.centre_lps_mm for lesion in case.lesions]
        found = places[:-1] if miss else places
        wrong = [(0.0, 60.0, 40.0)] if miss else []
        marks = [{"position_lps_mm": place, "confidence": 80, "category": "subcortical"} for place in [*found, *wrong]]
        return {"present": "yes" if marks else "no", "confidence": 90.0 if marks else 5.0, "marks": marks}

    return answer


def test_readings_stand_beside_the_truth(lesions: Path, tmp_path: Path) -> None:
    protocol, key = load_study(lesions)
    for reader, miss in (("R1", False), ("R2", True)):
        read_all(package_of(protocol, key, reader), tmp_path / f"{reader}.sqlite", truth_reader(key, reader, miss))
    session = ReadingSession(package_of(protocol, key, "R1"), AnswerStore(tmp_path / "R1.sqlite"))
    last = key.trials_of("R1")[-1]
    corrected = {"present": "no", "confidence": 1.0, "marks": []}
    session.correct(last.id, corrected, seconds=1.0)
    merge_answers(lesions, [tmp_path / "R1.sqlite", tmp_path / "R2.sqlite"], tmp_path / "all.sqlite")
    found = readings(lesions, tmp_path / "all.sqlite")
    assert len(found) == 24 and {r.arm for r in found} == {"real", "synthetic"}
    for reading in found:
        assert reading.scored and reading.status == bool(reading.lesions)
        assert [t.id for t in key.trials_of(reading.reader)][reading.position - 1] == reading.trial
        if reading.trial == last.id:
            assert reading.values == corrected and reading.revisions == 1 and reading.seconds == 3.5
        elif reading.reader == "R1":
            assert (reading.hits, reading.false_positives) == (len(reading.lesions), 0)
        else:
            assert (reading.hits, reading.false_positives) == (max(0, len(reading.lesions) - 1), 1)


def test_the_table_of_readings_is_safe_in_a_spreadsheet(turing: Path, tmp_path: Path) -> None:
    package = package_of(*load_study(turing), "R1")
    read_all(package, tmp_path / "R1.sqlite", guess)
    merge_answers(turing, [tmp_path / "R1.sqlite"], tmp_path / "all.sqlite")
    found = readings(turing, tmp_path / "all.sqlite")
    lines = readings_csv(found).splitlines()
    assert lines[0].startswith("reader,session,position,trial,stage,arm,case") and len(lines) == 15
    assert lines[0].endswith("answer_source,answer_confidence") and lines[1].endswith("real,60.0")
    from MedUSISLib.study.readings import cell

    assert cell("=1+1") == "'=1+1" and cell(-1.5) == -1.5 and cell(None) == "" and cell([1, 2]) == 2


def test_a_study_by_the_command_line(table: Path, tmp_path: Path) -> None:
    protocol = tmp_path / "protocol.json"
    protocol.write_text(to_json(turing_protocol(readers=("R1",))), encoding="utf-8")
    study = tmp_path / "study"
    assert "no leak was found" in run("new", table, "--protocol", protocol, "--out", study)
    assert "0 leak(s)" in run("check", study)
    assert json.loads(run("check", study, "--json"))["leaking"] is False
    assert "14 trials" in run("package", study, "--reader", "R1", "--out", tmp_path / "R1.zip")
    read_all(open_package(tmp_path / "R1.zip"), tmp_path / "R1.sqlite", guess)
    assert "R1: 14 of 14 answered, no closing form" in run(
        "merge", study, tmp_path / "R1.sqlite", "--csv", tmp_path / "r.csv"
    )
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 15 and (study / "answers.sqlite").is_file()
    victim = next((study / "trials").iterdir())
    victim.write_bytes(victim.read_bytes() + b"\0")
    assert "file size" in run("check", study, code=2)
    assert "no such reader" in run("package", study, "--reader", "R9", "--out", tmp_path / "R9.zip", code=2)
    assert hashlib.sha256((tmp_path / "R1.zip").read_bytes()).hexdigest() and not (tmp_path / "R9.zip").exists()


def test_usual_protocols_by_name(tmp_path: Path) -> None:
    from MedUSISLib.study.requests import USUAL_PROTOCOLS
    from MedUSISLib.study.usual_protocols import usual_protocol

    for kind in USUAL_PROTOCOLS:
        made = usual_protocol(kind, "s", ("R1", " R2"), seed=3, repeats=1)
        assert made.readers == ("R1", "R2") and made.randomisation.seed == 3
    with pytest.raises(MedUSISError, match="readers"):
        usual_protocol("visual-turing", "s", ("Dr. Doe",), seed=0, repeats=0)


def test_a_reader_who_joins_later_changes_nothing_for_the_others(turing: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(turing, tmp_path / "study")
    protocol, key = load_study(copy)
    read_all(package_of(protocol, key, "R1"), tmp_path / "R1.sqlite", guess, stop=5)
    joined = Protocol.model_validate({**protocol.model_dump(), "readers": ("R1", "R2", "R3"), "title": "New title"})
    amended = amend_study(copy, joined)
    assert load_study(copy) == (joined, amended) and amended.trials[: len(key.trials)] == key.trials
    assert (copy / "key.json").stat().st_mode & 0o077 == 0
    package = write_package(copy, "R3", tmp_path / "R3.zip")
    read_all(package, tmp_path / "R3.sqlite", guess)
    # The first reader goes on, whichever of his two packages he opens.
    read_all(package_of(joined, amended, "R1"), tmp_path / "R1.sqlite", guess)
    merged = merge_answers(copy, [tmp_path / "R1.sqlite", tmp_path / "R3.sqlite"], tmp_path / "all.sqlite")
    assert [s.answered for s in merged.readers] == [14, 0, 14]
    with pytest.raises(MedUSISError, match="allow_back"):
        amend_study(copy, Protocol.model_validate({**joined.model_dump(), "allow_back": True}))
