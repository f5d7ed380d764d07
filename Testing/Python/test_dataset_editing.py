"""Decisions of a person get into dataset.json, are whole there, and outlive the next scan."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from dataset_example import ct, labels, mr, save, tissue

from MedUSISLib.dataset.editing import edited, set_mapping, set_sequence, set_split, use_case
from MedUSISLib.dataset.model import Dataset, load_dataset, picture_name
from MedUSISLib.dataset.request import ScanRequest
from MedUSISLib.dataset.scan import scan_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError

ODD = np.array([0, 61, 173, 211, 254], np.uint8)
"""Label values that no tool uses."""


def scan(folder: Path, out: Path) -> Dataset:
    scan_dataset(ScanRequest(folders=(folder,), out=out, jobs=1))
    return load_dataset(out)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hospital") / "data"
    save(ct(1), root / "P001" / "ct.nii.gz")
    save(labels().with_array(ODD[tissue()]), root / "P001" / "seg.nii.gz")
    save(mr(2), root / "P002" / "t1.nii.gz")
    (root / "P003").mkdir()
    (root / "P003" / "broken_t1.nii.gz").write_bytes(b"no gzip")
    return root


@pytest.fixture
def out(hospital: Path, tmp_path: Path) -> Path:
    scan(hospital, tmp_path / "scan")
    return tmp_path / "scan"


def case_of(dataset: Dataset, person: str):
    return next(case for case in dataset.cases if case.person == person)


def test_a_case_that_is_left_out_stays_out_after_the_next_scan(hospital: Path, out: Path) -> None:
    case = case_of(load_dataset(out), "P002").id
    assert case in {used.id for used in load_dataset(out).used_cases()}
    edited(out, partial(use_case, case_id=case, use=False))
    assert case not in {used.id for used in load_dataset(out).used_cases()}
    assert case not in {used.id for used in scan(hospital, out).used_cases()}
    edited(out, partial(use_case, case_id=case, use=True))
    assert case in {used.id for used in scan(hospital, out).used_cases()}


def test_a_split_chosen_by_hand_is_kept(hospital: Path, out: Path) -> None:
    for side in ("validation", "train"):
        edited(out, partial(set_split, person="P002", split=side))
        assert scan(hospital, out).split_of("P002") == side


def test_labels_get_a_meaning_and_the_next_scan_uses_them(hospital: Path, out: Path, tmp_path: Path) -> None:
    dataset = load_dataset(out)
    case = case_of(dataset, "P001")
    assert "UNMAPPED_LABELS" in {problem.code for problem in dataset.problems}
    edited(out, partial(use_case, case_id=case.id, use=True))  # the CT; labels without a meaning stay aside
    assert not load_dataset(out).file(case.labels).use
    table = tmp_path / "mine.csv"
    table.write_text("value,name,class\n61,fat,fat\n173,bone,4\n211,fluid,13\n254,brain,15\n")
    edited(out, partial(set_mapping, file_id=case.labels, mapping=str(table)))
    again = scan(hospital, out)
    assert "UNMAPPED_LABELS" not in {problem.code for problem in again.problems}
    assert again.file(case.labels).use and Path(again.mapping_of(case.labels)).samefile(table)


def test_a_mapping_that_does_not_exist_is_refused_and_nothing_is_written(out: Path) -> None:
    before = (out / "dataset.json").read_bytes()
    file = case_of(load_dataset(out), "P001").labels
    with pytest.raises(MedUSISError):
        edited(out, partial(set_mapping, file_id=file, mapping="no-such-mapping"))
    assert (out / "dataset.json").read_bytes() == before
    assert [p.name for p in out.iterdir() if "tmp" in p.name] == []


def test_the_sequence_of_an_mr_is_written(hospital: Path, out: Path) -> None:
    file = case_of(load_dataset(out), "P002").mr
    edited(out, partial(set_sequence, file_id=file, sequence=" T2w "))
    assert load_dataset(out).file(file).sequence == "T2w" == scan(hospital, out).file(file).sequence


def test_what_cannot_be_read_cannot_be_used(out: Path) -> None:
    dataset = load_dataset(out)
    broken = next(file for file in dataset.files if "broken" in file.path)
    content = json.loads((out / "dataset.json").read_text())
    content["cases"].append({"id": "case-by-hand", "person": broken.person, "mr": broken.id, "use": False})
    (out / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(MedUSISError) as raised:
        edited(out, partial(use_case, case_id="case-by-hand", use=True))
    assert raised.value.code is ErrorCode.BAD_SETTING


@pytest.mark.parametrize(
    "change",
    [
        partial(use_case, case_id="x", use=True),
        partial(set_split, person="x", split="test"),
        partial(set_sequence, file_id="x", sequence=""),
    ],
)
def test_what_is_not_there_is_said(out: Path, change) -> None:
    with pytest.raises(MedUSISError) as raised:
        edited(out, change)
    assert raised.value.code is ErrorCode.BAD_SETTING


def test_every_case_has_its_picture_as_a_file(out: Path) -> None:
    dataset = load_dataset(out)
    for case, role in ((case_of(dataset, "P001"), "ct"), (case_of(dataset, "P002"), "mr")):
        assert (out / picture_name(case.id, role)).read_bytes().startswith(b"\xff\xd8")
    assert picture_name("../../x", "ct") == "pictures/______x-ct.jpg"
