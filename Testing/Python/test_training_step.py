"""One step of training with every loss, of slices and of volumes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from training_example import tiny_training

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.training.batch import Batch
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.estimate import estimate
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.generator_step import Grain, PatchSampler, one_hot, train_step
from MedUSISLib.training.losses.periodic_pattern import periodic_pattern_loss

CLASSES = 16
EVERYTHING: dict[str, float] = {
    "l1": 1, "class_means": 1, "ssim": 1, "lesions": 1, "adversarial": 1, "segmentation": 1, "anchor": 1, "mask": 1,
    "periodic_pattern": 1,
}  # fmt: skip


def configured(folder: Path, size: tuple[int, ...]) -> GeneratorTraining:
    widths = [16, 16, 8] if len(size) == 2 else [16, 16, 16]
    network: dict[str, Any] = {"widths": widths, "spade_hidden": 8, "noise_channels": 4}
    configuration = tiny_training(folder, network=network, phases=[{"name": "p", "iterations": 2, **EVERYTHING}])
    return configuration.model_copy(update={"data": configuration.data.model_copy(update={"crop": size})})


def batch_of(size: tuple[int, ...], seed: int = 0) -> Batch:
    """Four cubes of labels, two of them with an image."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (4, *(n // 8 for n in size)), generator=rng)
    for axis in range(1, labels.ndim):
        labels = labels.repeat_interleave(8, axis)
    targets, real = (torch.rand(n, 1, *size, generator=rng) - 0.5 for n in (2, 4))
    lesions = torch.zeros(2, 1, *size, dtype=torch.bool)
    lesions[1, :, 8:16, 8:16] = True
    return Batch(labels, targets, real, lesions)


@pytest.mark.parametrize("size", [(64, 64), (32, 32, 32)])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_step_with_every_loss_moves_every_network(tmp_path: Path, size: tuple[int, ...], parts: int) -> None:
    configuration = configured(tmp_path, size)
    networks = Adversaries(configuration, load_schema("head"), make_fabric(configuration))
    networks.set_rates(configuration.phases[0], 0.0, 0)
    players = {
        "generator": networks.generator,
        "discriminator": networks.discriminator,
        "segmentator": networks.segmentator,
    }
    before = {name: [p.detach().clone() for p in network.parameters()] for name, network in players.items()}
    rng = torch.Generator().manual_seed(0)
    grain, patches = Grain(torch.full((CLASSES,), 0.05)), PatchSampler(32, rng)
    losses = train_step(
        networks, batch_of(size), torch.randn(4, 4), configuration.phases[0], 0, CLASSES, patches, grain, parts
    )
    assert EVERYTHING.keys() <= losses.keys()
    assert "r1" in losses
    assert all(math.isfinite(value) for value in losses.values())
    for name, network in players.items():
        moved = [not torch.equal(p, old) for p, old in zip(network.parameters(), before[name], strict=True)]
        assert all(moved), f"{name}: {moved.count(False)} of {len(moved)} weights were left"
    assert networks.discriminator is not None
    kept = [p for p in networks.discriminator.parameters() if p.grad is not None]
    assert not kept, "gradients that nobody needs any more take as much memory as the weights"


def test_memory_and_time_of_volumes_are_estimated(tmp_path: Path) -> None:
    configuration = configured(tmp_path, (32, 32, 32))
    networks = Adversaries(configuration, load_schema("head"), make_fabric(configuration))
    found = estimate(networks, configuration, CLASSES, accumulate=1)
    assert found.memory_bytes > 0
    assert found.seconds > 0


def test_each_of_several_processes_needs_less(tmp_path: Path) -> None:
    configuration = configured(tmp_path, (64, 64)).model_copy(update={"batch_size": 8})
    networks = Adversaries(configuration, load_schema("head"), make_fabric(configuration))
    found = {
        count: estimate(networks, configuration.model_copy(update={"devices": count}), CLASSES, accumulate=1)
        for count in (1, 8)
    }
    assert found[8].memory_bytes < found[1].memory_bytes


def test_labels_of_volumes_become_one_hot() -> None:
    labels = torch.randint(0, 5, (2, 4, 6, 8))
    encoded = one_hot(labels, 5)
    assert encoded.shape == (2, 5, 4, 6, 8)
    assert torch.equal(encoded.argmax(1), labels)


def test_patches_of_volumes_are_cubes_cut_from_them() -> None:
    axes = torch.meshgrid(*(torch.arange(n).float() for n in (12, 16, 20)), indexing="ij")
    volume = (axes[0] * 10_000 + axes[1] * 100 + axes[2])[None, None]
    found = PatchSampler(8, torch.Generator().manual_seed(1))(volume)
    assert found.shape == (2, 1, 8, 8, 8)
    for cube in found[:, 0]:
        first = int(cube[0, 0, 0])
        i, j, k = first // 10_000, first // 100 % 100, first % 100
        assert torch.equal(cube, volume[0, 0, i : i + 8, j : j + 8, k : k + 8])


@pytest.mark.parametrize("axes", [2, 3])
def test_a_pattern_with_the_period_is_found_in_slices_and_in_volumes(axes: int) -> None:
    size = 64 if axes == 2 else 24
    labels = torch.ones(1, *(size,) * axes, dtype=torch.long)
    flat = torch.zeros(1, 1, *(size,) * axes)
    board = sum(torch.meshgrid(*(torch.arange(size),) * axes, indexing="ij")) % 2
    striped = flat + 0.1 * board
    options = {"periods": (2,), "minimum_pixels": 1000}
    assert periodic_pattern_loss(flat, labels, 2, **options) < 1e-3
    # The board is +-0.05 about its mean; the 5x5 mean that is taken away holds a little of it.
    assert float(periodic_pattern_loss(striped, labels, 2, **options)) == pytest.approx(0.05, rel=0.05)
