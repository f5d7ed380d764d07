"""A dataset that somebody has edited: kept by the next scan, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_example import ct, labels, mr, save
from dataset_scans import edit, entry, scan, write_hospital

from MedUSISLib.dataset.checking import check_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hospital(tmp_path_factory.mktemp("hospital") / "Mueller_Hans_data")


def test_edits_survive_a_second_scan_and_are_counted(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = scan(hospital, out)
    sides = {p.id: p.split for p in first.people}

    def change(content: dict) -> None:
        entry(content, "files", path="t1.nii.gz")["use"] = False
        entry(content, "files", path="what.nii.gz")["role"] = "ignore"
        entry(content, "files", path="export")["person"] = "P001"
        entry(content, "cases", person="P001")["use"] = False
        side = entry(content, "people", id="P001")
        side["split"] = "test" if side["split"] == "train" else "train"

    edit(out, change)
    again = scan(hospital, out)
    files = {Path(f.path).name: f for f in again.files}
    assert not files["t1.nii.gz"].use and files["what.nii.gz"].role == "ignore" and files["export"].person == "P001"
    assert next(c for c in again.cases if c.person == "P002").labels is None
    assert not next(c for c in again.cases if c.ct == files["ct.nii.gz"].id).use
    for person in again.people:
        assert (person.split == sides[person.id]) == (person.id != "P001")
    assert "5 edits by hand were kept" in again.changes
    assert (out / "dataset.previous.json").is_file()
    third = scan(hospital, out, seed=5)
    assert next(p for p in third.people if p.id == "P001").split != sides["P001"]
    assert third.seed == 5 and not next(f for f in third.files if f.path.endswith("t1.nii.gz")).use


def test_new_people_leave_the_others_where_they_are(tmp_path: Path) -> None:
    for person in range(6):
        save(mr(person), tmp_path / "data" / f"P{person:03d}" / "t1.nii.gz")
    first = {p.id: p.split for p in scan(tmp_path / "data", tmp_path / "out").people}
    for person in range(6, 9):
        save(mr(person), tmp_path / "data" / f"P{person:03d}" / "t1.nii.gz")
    (tmp_path / "data" / "P001" / "t1.nii.gz").rename(tmp_path / "data" / "P001" / "again_t1.nii.gz")
    second = scan(tmp_path / "data", tmp_path / "out")
    assert {p.id: p.split for p in second.people if p.id in first} == first
    assert {"3 new files were found", "1 files were found in another place"} <= set(second.changes)


def test_people_under_a_new_name_keep_their_side(tmp_path: Path) -> None:
    for person in range(8):
        save(mr(person), tmp_path / "data" / f"Anna{person}x_t1.nii.gz")
    before = scan(tmp_path / "data", tmp_path / "out")
    sides = {Path(f.path).name: before.split_of(f.person) for f in before.files}
    for person in range(8):
        (tmp_path / "data" / f"Anna{person}x_t1.nii.gz").rename(tmp_path / "data" / f"new{7 - person}_t1.nii.gz")
    after = scan(tmp_path / "data", tmp_path / "out")
    for file in after.files:
        old = f"Anna{7 - int(Path(file.path).name[3])}x_t1.nii.gz"
        assert after.split_of(file.person) == sides[old]
    assert set(sides.values()) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda c: c["people"].pop(), ErrorCode.BAD_SETTING, "person"),
        (lambda c: c["cases"][0].update(ct="file-x"), ErrorCode.BAD_SETTING, "not among the files"),
        (lambda c: c["files"][0].update(role="xray"), ErrorCode.BAD_SETTING, "role"),
        (lambda c: c["files"][0].update(colour="red"), ErrorCode.BAD_SETTING, "colour"),
        (lambda c: c["files"].append(c["files"][0]), ErrorCode.BAD_SETTING, "twice"),
        (lambda c: c.update(version=9), ErrorCode.BAD_SETTING, "another version"),
        (lambda c: [p.update(split="test") for p in c["people"]], ErrorCode.BAD_SETTING, "training"),
        (lambda c: [x.update(use=False) for x in c["cases"]], ErrorCode.BAD_SETTING, "no case"),
        (lambda c: c["files"][0].update(path="gone.nii.gz"), ErrorCode.INPUT_NOT_READABLE, "no longer there"),
        (lambda c: c["files"][1].update(mapping="headneck"), ErrorCode.UNKNOWN_LABELS, "unknown to the mapping"),
    ],
)
def test_check_names_what_an_edit_broke(tmp_path: Path, change, code: ErrorCode, words: str) -> None:
    save(ct(1), tmp_path / "data" / "Mueller_ct.nii.gz")
    save(labels(), tmp_path / "data" / "Mueller_seg.nii.gz")
    scan(tmp_path / "data", tmp_path / "out")
    check_dataset(tmp_path / "out")
    edit(tmp_path / "out", change)
    with pytest.raises(MedUSISError) as caught:
        check_dataset(tmp_path / "out" / "dataset.json")
    assert caught.value.code is code and words in str(caught.value) and "Mueller" not in str(caught.value)


def test_check_remarks_on_files_that_a_case_takes_for_something_else(tmp_path: Path) -> None:
    save(mr(1), tmp_path / "data" / "a_t1.nii.gz")
    save(mr(2), tmp_path / "data" / "b_t1.nii.gz")
    scan(tmp_path / "data", tmp_path / "out")
    assert not any("something else" in remark for remark in check_dataset(tmp_path / "out").remarks)
    edit(tmp_path / "out", lambda c: c["cases"][0].update(labels=c["cases"][0]["mr"]))
    assert any("1 files are left out" in remark for remark in check_dataset(tmp_path / "out").remarks)


def test_check_sees_other_content(tmp_path: Path) -> None:
    save(mr(1), tmp_path / "data" / "a_t1.nii.gz")
    scan(tmp_path / "data", tmp_path / "out")
    save(mr(2), tmp_path / "data" / "a_t1.nii.gz")
    check_dataset(tmp_path / "out")
    with pytest.raises(MedUSISError, match="other voxels"):
        check_dataset(tmp_path / "out", content=True)
