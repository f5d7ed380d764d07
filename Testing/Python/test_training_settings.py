"""Wrong settings of a training: each is a named error that says which one, and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.devices import choose_device
from MedUSISLib.training.configuration import configuration_from, read_configuration
from MedUSISLib.training.generator_run import GeneratorRun
from MedUSISLib.training.run import train

GENERATOR = """
name: knees
out: out
cache: cache
start_from: head-t1w
data: {images: [{image: a.nii.gz, person: a}]}
phases: [{name: l1, iterations: 1, l1: 1}]
"""


def refused(folder: Path, text: str | bytes) -> MedUSISError:
    """What is said of a file."""
    path = folder / "training.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MedUSISError) as refusal:
        read_configuration(path)
    return refusal.value


def changed(**settings: Any) -> str:
    return yaml.safe_dump(yaml.safe_load(GENERATOR) | settings)


@pytest.mark.parametrize(
    "text, code, words",
    [
        ("", ErrorCode.BAD_SETTING, "holds no settings"),
        ("- a\n- b\n", ErrorCode.BAD_SETTING, "holds no settings"),
        ("a: [1\nb: 2", ErrorCode.INPUT_NOT_READABLE, "line 2"),
        ("a:\n\t- b", ErrorCode.INPUT_NOT_READABLE, "line 2"),
        ("name: Köln".encode("latin-1"), ErrorCode.INPUT_NOT_READABLE, "UTF-8"),
        (GENERATOR + "data: {images: []}", ErrorCode.INPUT_NOT_READABLE, "line 8: 'data' is there twice"),
        (GENERATOR + "seed: 1\nselection: {patience: 1, patience: 2}", ErrorCode.INPUT_NOT_READABLE, "'patience'"),
        (changed(bach_size=2), ErrorCode.BAD_SETTING, "bach_size: there is no such setting; is 'batch_size' meant?"),
        (changed(task="generater"), ErrorCode.BAD_SETTING, "'task' must be 'generator', 'segmentator'"),
        (changed(name="Köln 1"), ErrorCode.BAD_SETTING, "name: must be of small letters"),
        (changed(phases=[]), ErrorCode.BAD_SETTING, "phases: must have 1 or more entries"),
        (changed(phases=[{"iteratons": 3, "name": "a"}]), ErrorCode.BAD_SETTING, "phases.0.iterations: is missing"),
        (changed(phases=[{"iteratons": 3, "name": "a"}]), ErrorCode.BAD_SETTING, "is 'iterations' meant?"),
        (changed(augmentation={"rotate": 5}), ErrorCode.BAD_SETTING, "there are: flip, deform, turn_deg"),
        (changed(data={"crop": [64]}), ErrorCode.BAD_SETTING, "data.crop.1: is missing"),
        (changed(data={"crop": [64] * 4}), ErrorCode.BAD_SETTING, "no more than 2 entries or must have no more than 3"),
        (changed(data={"crop": "64"}), ErrorCode.BAD_SETTING, "data.crop: must be a list"),
        (changed(data={"views": {"axial": 0}}), ErrorCode.BAD_SETTING, "views needs a share above 0"),
        (changed(data={"views": {"koronal": 1}}), ErrorCode.BAD_SETTING, "must be 'axial', 'coronal' or 'sagittal'"),
        (changed(data={"crop": [64, 64], "field_of_view": [32, 64]}), ErrorCode.BAD_SETTING, "smaller than crop"),
        (changed(start_from="$NO_SUCH_PLACE/parent"), ErrorCode.BAD_SETTING, "$NO_SUCH_PLACE, which is not set"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_plain_words(
    tmp_path: Path, text: str | bytes, code: ErrorCode, words: str
) -> None:
    error = refused(tmp_path, text)
    assert error.code is code and words in error.message
    assert "Input should" not in error.message and "permitted" not in error.message


def test_a_file_that_is_not_there_and_many_mistakes(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="No such file") as refusal:
        read_configuration(tmp_path / "nothing.yaml")
    assert refusal.value.code is ErrorCode.INPUT_NOT_READABLE
    error = refused(tmp_path, changed(seed="x", batch_size=0, accumulate=-1, validate_every=0))
    assert error.message.endswith("(and 1 more)") and error.path == tmp_path / "training.yaml"


def test_paths_with_spaces_umlauts_home_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATEN", str(tmp_path / "Klinik Köln"))
    content = yaml.safe_load(GENERATOR) | {
        "out": "~/aus gabe",
        "cache": "$DATEN/cäche",
        "start_from": "${DATEN}/parent",
    }
    found = configuration_from(content, tmp_path)
    assert found.out == tmp_path / "home" / "aus gabe" and found.cache == tmp_path / "Klinik Köln" / "cäche"
    assert found.task == "generator" and found.start_from is not None
    assert found.start_from.generator == str(tmp_path / "Klinik Köln" / "parent")
    byte_order_mark = tmp_path / "notepad.yaml"
    byte_order_mark.write_text(GENERATOR, encoding="utf-8-sig")
    assert read_configuration(byte_order_mark).name == "knees"


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"network": {"widhts": [16, 16]}}, "network: .*'widhts'"),
        ({"network": {"widths": [0, 8]}}, "network: widths must be"),
        ({"discriminator": {"wdths": [8]}}, "discriminator: .*'wdths'"),
        ({"discriminator_crop": 7}, "discriminator: image_size must be"),
        ({"segmentator": {"wdths": [8]}}, "segmentator: .*'wdths'"),
        ({"grain": {"nose": 0.1}}, "no class 'nose'"),
        ({"device": "gpu"}, "no kind of device 'gpu'"),
    ],
)
def test_networks_that_cannot_be_built_are_refused_before_the_data_is_read(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(MedUSISError, match=words):
        GeneratorRun(tiny_training(tmp_path, **changes), Recorder())


def test_a_finished_generators_window_must_suit_the_network(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    data = configuration.data.model_copy(update={"field_of_view": (99, 66)})
    with pytest.raises(MedUSISError, match="field_of_view: 99 x 66 does not fit") as refusal:
        GeneratorRun(configuration.model_copy(update={"data": data}), Recorder())
    assert refusal.value.hint == "give multiples of 4"


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"images": ()}, "no real image to train with"),
        ({"pairing": "unpaired", "label_maps": ()}, "needs label maps to train with"),
    ],
)
def test_data_that_is_not_there_is_said_before_the_rest_is_prepared(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    configuration = tiny_training(tmp_path, cache="own-cache")
    data = configuration.data.model_copy(update=changes)
    run = GeneratorRun(configuration.model_copy(update={"data": data}), Recorder())
    with pytest.raises(MedUSISError, match=words):
        run.prepare()
    assert not configuration.cache.exists()


@pytest.mark.parametrize("role", ["out", "cache"])
def test_folders_that_cannot_be_written_are_said_before_the_data_is_read(tmp_path: Path, role: str) -> None:
    (tmp_path / "file").write_text("")
    configuration = tiny_training(tmp_path, **{role: "file/below"})
    recorder = Recorder()
    with pytest.raises(MedUSISError, match="cannot be written") as refusal:
        train(configuration, recorder)
    assert refusal.value.code is ErrorCode.BAD_SETTING and not recorder.stages


def test_paired_images_without_labels_are_counted(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    first, *others = configuration.data.images
    images = (first.model_copy(update={"labels": None}), *others)
    data = configuration.data.model_copy(update={"images": images})
    run = GeneratorRun(configuration.model_copy(update={"data": data}), Recorder())
    with pytest.raises(MedUSISError, match="1 of 3 images have no labels"):
        run.prepare()


def test_nobody_held_out_is_a_warning_and_no_slices_are_an_error(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    images = tuple(one.model_copy(update={"split": "train"}) for one in configuration.data.images)
    update = {"images": images, "label_maps": (), "bottom_mm": 0.5}
    data = configuration.data.model_copy(update=update)
    recorder = Recorder()
    run = GeneratorRun(configuration.model_copy(update={"data": data}), recorder)
    with pytest.raises(MedUSISError, match="no slice of the 3 images") as refusal:
        run.prepare()
    assert refusal.value.code is ErrorCode.BAD_SETTING and "data.bottom_mm" in refusal.value.hint
    assert [code for code, _ in recorder.warnings] == ["NOBODY_HELD_OUT"]


def test_a_device_that_nobody_knows() -> None:
    with pytest.raises(MedUSISError, match="no kind of device") as refusal:
        choose_device("gpu")
    assert refusal.value.code is ErrorCode.BAD_SETTING
