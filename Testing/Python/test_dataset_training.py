"""A dataset as the data of a training configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from dataset_example import ct, labels, mr, save
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.dataset.request import ScanRequest
from MedUSISLib.dataset.scan import scan_dataset
from MedUSISLib.dataset.training_sources import training_sources
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.training.case_preparation import prepared_case
from MedUSISLib.training.configuration import DataConfiguration


def scanned(folder: Path, out: Path):
    scan_dataset(ScanRequest(folders=(folder,), out=out, jobs=1))
    return load_dataset(out)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory):
    """Five people with CT and labels, five others with T1, one with FLAIR."""
    root = tmp_path_factory.mktemp("mixed")
    for person in range(5):
        save(ct(person), root / "data" / f"C{person:03d}" / "ct.nii.gz")
        save(labels(shift_mm=person), root / "data" / f"C{person:03d}" / "seg.nii.gz")
        save(mr(person), root / "data" / f"M{person:03d}_t1.nii.gz")
    save(mr(9), root / "data" / "M009_flair.nii.gz")
    return scanned(root / "data", root / "scan")


def test_sources_are_a_valid_configuration_without_the_test_people(mixed) -> None:
    sources = training_sources(mixed, sequence="T1w")
    configuration = DataConfiguration.model_validate(sources)
    assert configuration.pairing == "pseudo" and configuration.label_schema == "head"
    sides = {person.id: person.split for person in mixed.people}
    named = [*configuration.images, *configuration.label_maps]
    assert all(sides[source.person] == source.split != "test" for source in named)
    assert {source.split for source in configuration.images} == {"train", "validation"}
    assert all(source.image.is_file() for source in configuration.images)
    assert not any("flair" in str(source.image) for source in configuration.images)


def test_label_maps_of_a_scan_can_be_prepared(mixed, tmp_path: Path) -> None:
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.progress import Progress

    configuration = DataConfiguration.model_validate(training_sources(mixed))
    case = prepared_case(configuration.label_maps[0], load_schema("head"), tmp_path, Progress())
    assert set(case.labels_kji.ravel()) == {0, 2, 4, 13, 15}


def test_mr_with_labels_of_their_own_are_paired(tmp_path: Path) -> None:
    for person in range(3):
        save(mr(person), tmp_path / "data" / f"P{person:03d}" / "t1.nii.gz")
        save(labels(shift_mm=person), tmp_path / "data" / f"P{person:03d}" / "seg.nii.gz")
    sources = training_sources(scanned(tmp_path / "data", tmp_path / "scan"), folder=tmp_path)
    assert sources["pairing"] == "paired"
    first = sources["images"][0]
    assert first["mapping"] == "head" and (tmp_path / first["labels"]).is_file() and ".." not in first["image"]


def test_test_side_and_unused_files_stay_out(tmp_path: Path) -> None:
    for person in range(4):
        save(mr(person), tmp_path / "data" / f"P{person:03d}" / "t1.nii.gz")
    dataset = scanned(tmp_path / "data", tmp_path / "scan")
    for person in dataset.people:
        person.split = "test"
    with pytest.raises(MedUSISError) as caught:
        training_sources(dataset)
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_command_prints_yaml(mixed) -> None:
    shown = CliRunner().invoke(app, ["dataset", "show", str(mixed.folder), "--as-training", "--sequence", "FLAIR"])
    data = yaml.safe_load(shown.stdout)["data"]
    assert len(data["images"]) == 1 and DataConfiguration.model_validate(data)
