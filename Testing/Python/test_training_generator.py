"""Training a generator through the public way in: from a configuration to a bundle, also after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.run import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("training")
    recorder = Recorder()
    return train(tiny_training(folder), recorder), recorder, folder


def test_training_ends_with_a_bundle_that_verifies_and_draws(trained) -> None:
    result, _, _ = trained
    bundle = load_bundle(result.bundle, kind="generator")
    network = bundle.load_network()
    onehot = torch.zeros(1, 16, 64, 64)
    onehot[:, 0] = 1
    image = network(onehot, torch.zeros(1, 4))
    assert image.shape == (1, 1, 64, 64)
    assert bundle.manifest.review.uncertainty is not None
    assert bundle.manifest.results["held_out"].keys() == result.figures.keys()
    card = bundle.model_card
    assert "not for diagnosis" in card
    assert "white_matter" in card


def test_training_leaves_a_log_samples_and_a_class_table(trained) -> None:
    result, recorder, _ = trained
    log = [json.loads(line) for line in (result.out / "log.jsonl").read_text().splitlines()]
    assert any("validation" in entry for entry in log)
    assert sorted(p.name for p in (result.out / "samples").iterdir()) == ["000003.png", "000006.png"]
    assert "| cortex |" in (result.out / "class_table.md").read_text()
    assert "validation_correlation" in recorder.metrics


def test_a_second_training_into_the_same_folder_is_refused(trained) -> None:
    _, _, folder = trained
    with pytest.raises(MedUSISError) as caught:
        train(tiny_training(folder), Recorder())
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert "--resume" in caught.value.hint


def test_an_interrupted_and_resumed_training_ends_where_an_uninterrupted_one_does(trained, tmp_path: Path) -> None:
    result, _, _ = trained
    # Three heads, one label map, and three iterations pass a checkpoint each before the cancel falls.
    with pytest.raises(MedUSISError) as caught:
        train(tiny_training(tmp_path), Recorder(cancel_after=4 + 3))
    assert caught.value.code is ErrorCode.CANCELLED
    assert load_checkpoint(tmp_path / "run" / LAST, torch.device("cpu"))["iteration"] == 3
    resumed = train(tiny_training(tmp_path, resume=True), Recorder())
    device = torch.device("cpu")
    whole = load_checkpoint(result.out / LAST, device)["networks"]
    pieces = load_checkpoint(resumed.out / LAST, device)["networks"]
    for part in ("generator", "discriminator", "segmentator"):
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, pieces[part][name]), f"{part}: {name}"
    assert torch.equal(whole["ema"]["network"]["to_bands.weight"], pieces["ema"]["network"]["to_bands.weight"])


def test_unpaired_training_uses_no_image_of_the_same_labels(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    data = configuration.data.model_copy(update={"pairing": "unpaired"})
    phase = configuration.phases[1].model_copy(update={"iterations": 10, "l1": 1.0})
    configuration = configuration.model_copy(update={"data": data, "phases": (phase,), "validate_every": 100})
    recorder = Recorder()
    train(configuration, recorder)
    assert "adversarial" in recorder.metrics
    assert "l1" not in recorder.metrics


def test_a_diverging_training_stops_and_says_so(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    phase = configuration.phases[0].model_copy(update={"iterations": 30, "l1": 1e12})
    with pytest.raises(MedUSISError, match="diverged"):
        train(configuration.model_copy(update={"phases": (phase,)}), Recorder())


def test_the_generator_learns_the_brightness_of_classes(tmp_path: Path) -> None:
    configuration = tiny_training(tmp_path)
    phase = configuration.phases[0].model_copy(update={"iterations": 100, "generator_rate": 5e-3, "ema": 0.8})
    result = train(
        configuration.model_copy(update={"phases": (phase,), "validate_every": 100, "checkpoint_every": 100}),
        Recorder(),
    )
    assert result.figures["correlation"] > 0.9
    assert np.isfinite(result.figures["mean_error"])
