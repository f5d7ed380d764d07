"""A training that takes people, roles and split from a dataset.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_example import Recorder, tiny_training, write_head
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.dataset.model import CaseEntry, Dataset, FileEntry, PersonEntry
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.configuration import configuration_from
from MedUSISLib.training.dataset_data import with_dataset
from MedUSISLib.training.export_job import export_training
from MedUSISLib.training.export_request import ExportRequest
from MedUSISLib.training.kept_configuration import keep_configuration
from MedUSISLib.training.run import train

SIDES = {"mueller": "train", "meier": "train", "schulze": "validation", "kunze": "test"}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with a T1 and labels of their own, and a label map without image; as a scan would write it."""
    folder = tmp_path_factory.mktemp("hospital")
    files, cases = [], []
    for number, person in enumerate(SIDES):
        image, labels = write_head(folder, person, number)
        files += [
            FileEntry(id=f"mr{number}", path=image.name, role="mr", person=person, sequence="T1w"),
            FileEntry(id=f"lab{number}", path=labels.name, role="labels", person=person, mapping="head"),
        ]
        cases.append(CaseEntry(id=f"case{number}", person=person, mr=f"mr{number}", labels=f"lab{number}"))
    files.append(FileEntry(id="lab9", path="meier_labels.nii.gz", role="labels", person="meier", mapping="head"))
    cases.append(CaseEntry(id="case9", person="meier", labels="lab9"))
    people = [PersonEntry(id=person, split=side) for person, side in SIDES.items()]  # type: ignore[arg-type]
    dataset = Dataset(people=people, cases=cases, files=files)
    (folder / "dataset.json").write_text(dataset.to_json(), encoding="utf-8")
    return folder


def of_dataset(folder: Path, dataset: Path, **changes: Any):
    """The tiny training with its data from a dataset; paths as a YAML file would have them."""
    content = tiny_training(folder, phases=[{"name": "l1", "iterations": 2, "l1": 1}]).model_dump(mode="json")
    data = {"dataset": str(dataset), "crop": [64, 64], **changes.pop("data", {})}
    return configuration_from({**content, "data": data, **changes}, folder)


def edited(heads: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the dataset that somebody has edited."""
    target = folder / "edited"
    shutil.copytree(heads, target)
    content = json.loads((target / "dataset.json").read_text(encoding="utf-8"))
    edit(content)
    (target / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return target


def test_people_sides_and_mappings_are_those_of_the_file(heads: Path, tmp_path: Path) -> None:
    configuration = of_dataset(tmp_path, heads / "dataset.json")
    data = with_dataset(configuration).data
    assert {image.person: image.split for image in data.images} == {
        "mueller": "train", "meier": "train", "schulze": "validation"}  # fmt: skip
    assert (data.pairing, data.label_schema) == ("paired", "head")
    assert all(image.labels is not None and image.mapping == "head" for image in data.images)
    assert [source.person for source in data.label_maps] == ["meier"]
    # A job takes the configuration as JSON; it is still one.
    again = configuration_from(configuration.model_dump(mode="json"), tmp_path)
    assert with_dataset(again).data == data
    assert with_dataset(of_dataset(tmp_path, heads, data={"pairing": "pseudo"})).data.pairing == "pseudo"


def test_a_bundle_from_a_hospitals_data_holds_neither_its_names_nor_its_pictures(heads: Path, tmp_path: Path) -> None:
    bundle = load_bundle(train(of_dataset(tmp_path, heads), Recorder()).bundle)
    text = bundle.model_card + bundle.manifest.to_json()
    assert not any(person in text for person in SIDES)
    (row,) = bundle.manifest.training_data
    assert (row.licence, row.subjects) == ("owner to state", 3)
    assert row.use == (
        "2 people for training (2 MR, 1 label maps or CT without MR); 1 person held out for validation (1 MR)"
    )
    listed = with_dataset(of_dataset(tmp_path, heads))  # as `show --as-training` writes it
    data = listed.data.model_copy(update={"dataset": None, "sequence": None})
    for name, public in (("e", None), ("listed", False), ("shown", True)):
        if public is not None:
            keep_configuration(listed.model_copy(update={"data": data.model_copy(update={"public": public})}))
        request = ExportRequest(training=tmp_path / "run", state="last", out=tmp_path / name)
        assert export_training(request, Recorder()).iteration == 2
        exported = load_bundle(tmp_path / name)
        assert ("schulze" in exported.model_card + exported.manifest.to_json()) == bool(public)
    assert bundle.manifest.results["volumes"][0]["person"] == "person 1"
    from matplotlib.image import imread

    labels_and_synthetic = imread(bundle.directory / "samples.png").shape
    with_real = imread(tmp_path / "run" / "samples" / "000002.png").shape
    assert labels_and_synthetic[0] / with_real[0] == pytest.approx(2 / 3, abs=0.02)


def test_the_command_trains_from_a_dataset(heads: Path, tmp_path: Path) -> None:
    import yaml

    content = of_dataset(tmp_path, heads).model_dump(mode="json")
    content |= {"data": {"dataset": str(heads), "sequence": "T1w", "crop": [64, 64]}, "out": "here", "cache": "cache"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    done = CliRunner().invoke(app, ["train", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output
    assert load_bundle(tmp_path / "here" / "bundle" / "tiny").manifest.id == "tiny"


def nobody_in_validation(content: dict[str, Any]) -> None:
    for person in content["people"]:
        person["split"] = "train"


def nobody_in_training(content: dict[str, Any]) -> None:
    for person in content["people"]:
        person["split"] = "validation"


def without_mapping(content: dict[str, Any]) -> None:
    content["files"][1]["mapping"] = None


def without_labels(content: dict[str, Any]) -> None:
    content["cases"][0]["labels"] = None


def missing_file(content: dict[str, Any]) -> None:
    content["files"][0]["path"] = "gone.nii.gz"


def unknown_person(content: dict[str, Any]) -> None:
    content["cases"][0]["person"] = "nobody"


def dicom_labels(content: dict[str, Any]) -> None:
    content["files"][1]["format"] = "dicom"


@pytest.mark.parametrize(
    ("edit", "data", "code", "words"),
    [
        (nobody_in_validation, {}, ErrorCode.BAD_SETTING, "side 'validation'"),
        (nobody_in_training, {}, ErrorCode.BAD_SETTING, "side 'train'"),
        (without_mapping, {}, ErrorCode.BAD_SETTING, "values of a label map mean (lab0)"),
        (without_labels, {"pairing": "paired"}, ErrorCode.BAD_SETTING, "1 MR without labels"),
        (missing_file, {}, ErrorCode.INPUT_NOT_READABLE, "not there (mr0)"),
        (unknown_person, {}, ErrorCode.BAD_SETTING, "not among the people"),
        (dicom_labels, {}, ErrorCode.BAD_SETTING, "labels in DICOM are not read (lab0)"),
        (lambda content: None, {"sequence": "T2w"}, ErrorCode.BAD_SETTING, "sequence T2w"),
    ],
)
def test_an_incomplete_dataset_is_a_named_error_before_anything_is_trained(
    heads: Path, tmp_path: Path, edit: Any, data: dict[str, Any], code: ErrorCode, words: str
) -> None:
    configuration = of_dataset(tmp_path, edited(heads, tmp_path, edit), data=data)
    with pytest.raises(MedUSISError) as caught:
        train(configuration, Recorder())
    assert caught.value.code is code
    assert words in str(caught.value)
    assert not any(person in str(caught.value) for person in SIDES)
    assert not configuration.out.exists()


def test_nobody_is_judged_on_after_having_been_trained_on(heads: Path, tmp_path: Path) -> None:
    train(of_dataset(tmp_path, heads), Recorder())

    def swapped(content: dict[str, Any]) -> None:
        content["people"][0]["split"] = "validation"

    moved = of_dataset(tmp_path, edited(heads, tmp_path, swapped), resume=True)
    with pytest.raises(MedUSISError, match="1 of the people for validation were trained on") as caught:
        train(moved, Recorder())
    assert caught.value.code is ErrorCode.BAD_SETTING


@pytest.mark.parametrize(
    "data", [{"images": [{"image": "a.nii", "person": "a"}]}, {"dataset": None, "sequence": "T1w"}]
)
def test_a_dataset_is_not_mixed_with_a_list(heads: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    with pytest.raises(MedUSISError, match="dataset"):
        of_dataset(tmp_path, heads, data=data)
