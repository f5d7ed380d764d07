"""Every sample has random numbers of its own: processes share a batch, and nothing has to be remembered to resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_example import Recorder, tiny_training

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.training.checkpoints import LAST, load_checkpoint, save_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining, configuration_from
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.run import train
from MedUSISLib.training.sampling import Stream, noise_vectors, rank_positions, sample_generator, seed_step


def data_of(configuration: GeneratorTraining) -> GeneratorData:
    return GeneratorData(configuration, load_schema("head"), Recorder())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> GeneratorData:
    return data_of(tiny_training(tmp_path_factory.mktemp("data"), batch_size=5))


def adversarial(data: GeneratorData) -> Any:
    return data.configuration.phases[1]


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.integers(0, 1000))
def test_the_numbers_of_a_sample_depend_on_place_and_purpose_alone(seed: int, iteration: int, position: int) -> None:
    def draws(*place: Any) -> list[float]:
        return torch.rand(4, generator=sample_generator(*place)).tolist()

    own = draws(seed, iteration, position)
    assert own == draws(seed, iteration, position)
    others = [draws(seed + 1, iteration, position), draws(seed, iteration + 1, position),
              draws(seed, iteration, position + 1), draws(seed, iteration, position, Stream.REAL)]  # fmt: skip
    assert own not in others


def test_a_batch_is_the_same_whenever_it_is_asked_for(data: GeneratorData) -> None:
    first = data.batch(adversarial(data), 7)
    data.batch(adversarial(data), 8)
    torch.rand(3)
    again = data.batch(adversarial(data), 7)
    assert first.targets is not None and again.targets is not None and first.real is not None
    assert torch.equal(first.labels, again.labels) and torch.equal(first.targets, again.targets)
    shifted = data.batch(adversarial(data), 7, seed_shift=1)
    assert not torch.equal(first.labels, shifted.labels)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_a_batch_without_losing_a_sample(data: GeneratorData, world: int) -> None:
    whole = data.batch(adversarial(data), 4)
    assert whole.targets is not None and whole.real is not None
    paired = len(whole.targets)
    assert 0 < paired < 5
    seen = 0
    for rank in range(world):
        part = data.batch(adversarial(data), 4, rank, world)
        positions = list(rank_positions(5, rank, world))
        assert torch.equal(part.labels, whole.labels[positions])
        assert part.real is not None and torch.equal(part.real, whole.real[positions])
        with_image = [position for position in positions if position < paired]
        assert part.targets is not None and torch.equal(part.targets, whole.targets[with_image])
        seen += len(part.labels)
        mine = noise_vectors(6, 3, 4, positions)
        assert torch.equal(mine, noise_vectors(6, 3, 4, range(5))[positions])
    assert seen == 5


def test_a_step_has_its_own_dropout_and_patches_and_each_process_others() -> None:
    rng = torch.Generator()

    def draws(*place: int) -> tuple[float, float]:
        seed_step(*place, rng)
        return float(torch.rand(())), float(torch.rand((), generator=rng))

    assert draws(3, 1, 0) == draws(3, 1, 0)
    places = [draws(3, 1, 0), draws(3, 2, 0), draws(3, 1, 1), draws(4, 1, 0)]
    assert len({number for pair in places for number in pair}) == 8


def test_lesions_of_an_image_come_with_its_slices(tmp_path: Path) -> None:
    content = tiny_training(tmp_path, batch_size=6).model_dump(mode="json")
    first = content["data"]["images"][0]
    labels = nibabel.load(first["labels"])
    white = np.asarray(labels.dataobj) == 9
    nibabel.save(nibabel.Nifti1Image((white * 3).astype(np.uint8), labels.affine), tmp_path / "lesions.nii.gz")
    first["lesions"] = "lesions.nii.gz"
    content["augmentation"] = {"flip": 0.5, "deform": 0}
    content["data"]["merge_classes"] = 0
    configuration = configuration_from(content, tmp_path)
    assert isinstance(configuration, GeneratorTraining)
    batch = data_of(configuration).batch(configuration.phases[0], 0)
    assert batch.lesions is not None and batch.targets is not None
    assert batch.lesions.shape == batch.targets.shape and batch.lesions.dtype == torch.bool
    has_some = [bool(mask.any()) for mask in batch.lesions]
    assert any(has_some) and not all(has_some)  # of the two people, one has a mask
    for mask, one in zip(batch.lesions, batch.labels, strict=False):
        if mask.any():
            assert torch.equal(mask[0], one == 9)


def test_a_checkpoint_of_an_earlier_version_still_loads(tmp_path: Path) -> None:
    phases = [{"name": "l1", "iterations": 2, "l1": 1}]
    first = train(tiny_training(tmp_path, phases=phases), Recorder())
    state = load_checkpoint(first.out / LAST, torch.device("cpu"))
    assert "random" not in state
    state["random"] = {"loop": torch.Generator().get_state(), "torch": torch.get_rng_state()}
    for newer in ("watch", "selection", "rollbacks", "accumulate"):
        del state[newer]
    save_checkpoint(first.out / LAST, state)
    longer = [{"name": "l1", "iterations": 3, "l1": 1}]
    assert train(tiny_training(tmp_path, phases=longer, resume=True), Recorder()).iterations == 3
