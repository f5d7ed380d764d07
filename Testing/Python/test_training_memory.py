"""Steps in parts: the gradient of the whole batch in less memory, by choice or when memory has run out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_example import Recorder, tiny_training

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.training import estimate as estimate_module
from MedUSISLib.training import generator_run
from MedUSISLib.training.batch import Batch
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.fabric import make_fabric
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.generator_step import Grain, PatchSampler, train_step
from MedUSISLib.training.run import train

CPU = torch.device("cpu")
L1 = {"name": "l1", "iterations": 4, "l1": 1}


def gradients(folder: Path, parts: int) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Of generator and discriminator after one step on six slices, four of them paired."""
    # What looks at several images at once is taken out: BatchNorm's statistics are fixed, the minibatch deviation off.
    network = {"widths": [16, 16, 8], "spade_hidden": 8, "noise_channels": 4, "spectral": False}
    players = {"discriminator": {"widths": [8, 8, 8], "group": 1}, "segmentator": {"widths": [8, 8], "spectral": False}}
    configuration = tiny_training(folder, network=network, **players)
    configuration = configuration.model_copy(update={"discriminator_crop": None})
    networks = Adversaries(configuration, load_schema("head"), make_fabric(configuration))
    for module in networks.generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    rng = torch.Generator().manual_seed(0)
    # Each image has classes that others lack, so class weights and means of a part are not those of the whole.
    labels = torch.randint(0, 16, (6, 64, 64), generator=rng) % (torch.arange(6).view(6, 1, 1) * 2 + 3)
    targets, real = (torch.rand(n, 1, 64, 64, generator=rng) * 2 - 1 for n in (4, 6))
    balanced = {"segmentation": 1, "class_means": 1}
    phase = PhaseConfiguration(name="p", iterations=1, l1=2, ssim=1, adversarial=1, mask=1, r1=1, **balanced)
    batch, noise = Batch(labels, targets, real), torch.randn(6, 4, generator=rng)
    losses = train_step(networks, batch, noise, phase, 0, 16, PatchSampler(None, rng), Grain(None), parts)
    assert networks.discriminator is not None and networks.segmentator is not None
    all_three = {part: getattr(networks, part) for part in ("generator", "discriminator", "segmentator")}
    found = {f"{part} {name}": parameter.grad for part, network in all_three.items()
             for name, parameter in network.named_parameters() if parameter.grad is not None}  # fmt: skip
    return found, losses


def test_parts_give_the_gradient_and_the_losses_of_the_whole_batch(tmp_path: Path) -> None:
    whole, losses = gradients(tmp_path / "whole", 1)
    for parts in (3, 6):
        in_parts, losses_in_parts = gradients(tmp_path / str(parts), parts)
        assert whole.keys() == in_parts.keys()
        for name, gradient in whole.items():
            scale = float(gradient.abs().max())
            assert torch.allclose(in_parts[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-8), (parts, name)
        for name in losses.keys() - {"spread"}:
            assert losses_in_parts[name] == pytest.approx(losses[name], rel=1e-4), (parts, name)


@settings(max_examples=40)
@given(paired=st.integers(0, 7), others=st.integers(0, 7), parts=st.integers(1, 20))
def test_a_batch_is_divided_without_losing_a_slice(paired: int, others: int, parts: int) -> None:
    if not paired + others:
        return
    numbers = torch.arange(paired + others)
    labels = numbers[:, None, None].expand(-1, 2, 2)
    targets = numbers[:paired, None, None, None].float() if paired else None
    found = Batch(labels, targets, labels[:, None].float()).split(parts, numbers[:, None].float())
    seen = torch.cat([part.batch.labels[:, 0, 0] for part in found])
    assert sorted(seen.tolist()) == numbers.tolist()
    assert sum(part.share for part in found) == pytest.approx(1)
    sizes = [len(part.batch.labels) for part in found]
    assert max(sizes) - min(sizes) <= 1
    for part in found:
        assert part.noise is not None and torch.equal(part.noise[:, 0].long(), part.batch.labels[:, 0, 0])
        if part.batch.targets is not None:
            count = len(part.batch.targets)
            assert torch.equal(part.batch.targets[:, 0, 0, 0].long(), part.batch.labels[:count, 0, 0])


class RunsOut:
    """A step that has no memory for more than so many slices at once."""

    def __init__(self, room: int) -> None:
        self.room, self.tried = room, 0

    def __call__(self, networks: Any, batch: Any, noise: Any, *others: Any) -> dict[str, float]:
        if any(len(part.batch.labels) > self.room for part in batch.split(others[-1], noise)):
            self.tried += 1
            raise torch.OutOfMemoryError("out of memory")
        return train_step(networks, batch, noise, *others)


def test_when_memory_runs_out_the_step_is_done_in_parts_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = RunsOut(room=2)
    monkeypatch.setattr(generator_run, "train_step", step)
    recorder = Recorder()
    common: dict[str, Any] = {"batch_size": 8, "phases": [L1], "checkpoint_every": 2, "cache": str(tmp_path / "c")}
    with pytest.raises(MedUSISError):
        train(tiny_training(tmp_path / "a", **common), Recorder(cancel_after=4 + 3))
    result = train(tiny_training(tmp_path / "b", **common), recorder)
    assert [code for code, _ in recorder.warnings] == ["OUT_OF_MEMORY", "OUT_OF_MEMORY"]
    assert "8 slices" in recorder.warnings[-1][1] and "4 parts" in recorder.warnings[-1][1]
    # A resumed training knows already, and ends where the other one does.
    step.tried = 0
    resumed = train(tiny_training(tmp_path / "a", **common, resume=True), Recorder())
    assert step.tried == 0
    one, two = (load_checkpoint(r.out / LAST, CPU)["networks"]["generator"] for r in (result, resumed))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_too_little_memory_for_one_slice_is_a_named_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_run, "train_step", RunsOut(room=0))
    with pytest.raises(MedUSISError, match="one slice") as caught:
        train(tiny_training(tmp_path, phases=[L1]), Recorder())
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY


def test_other_errors_of_a_step_are_not_taken_for_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*anything: Any) -> dict[str, float]:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(generator_run, "train_step", broken)
    with pytest.raises(RuntimeError, match="a mistake"):
        train(tiny_training(tmp_path, phases=[L1]), Recorder())


def test_a_training_in_parts_goes_through_all_losses(tmp_path: Path) -> None:
    recorder = Recorder()
    phases = [phase.model_dump() | {"iterations": 10} for phase in tiny_training(tmp_path / "x").phases[1:]]
    train(tiny_training(tmp_path, phases=phases, batch_size=4, accumulate=2, validate_every=10), recorder)
    assert {"l1", "adversarial", "segmentation", "mask", "discriminator", "gradient"} <= recorder.metrics.keys()


def test_memory_and_time_are_said_before_the_start_and_nothing_is_changed_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    phases = [phase.model_dump() | {"iterations": 1} for phase in tiny_training(tmp_path / "x").phases]
    result = train(tiny_training(tmp_path / "a", phases=phases), recorder)
    assert recorder.stages.index("estimating memory and time") < recorder.stages.index("training")
    assert any("GB of memory, a minute" in stage for stage in recorder.stages)
    assert 0.05 < recorder.metrics["estimated_memory_gb"][0] < 10
    assert 0 < recorder.metrics["estimated_hours"][0] < 1
    monkeypatch.setattr(generator_run.GeneratorRun, "_say_estimate", lambda self: None)
    silent = train(tiny_training(tmp_path / "b", phases=phases), Recorder())
    one, two = (load_checkpoint(r.out / LAST, CPU)["networks"]["generator"] for r in (result, silent))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_too_little_free_memory_is_said_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate_module, "_memory", lambda device: (1_000_000, 1_000))
    recorder = Recorder()
    train(tiny_training(tmp_path, phases=[{**L1, "iterations": 1}]), recorder)
    assert "accumulate" in dict(recorder.warnings)["MEMORY_TIGHT"]


def test_the_estimate_knows_parts_frozen_weights_and_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate_module, "_memory", lambda device: (0, 10**12))
    configuration = tiny_training(tmp_path, batch_size=8)
    networks = Adversaries(configuration, load_schema("head"), make_fabric(configuration))
    whole, parts = (estimate_module.estimate(networks, configuration, 16, n) for n in (1, 8))
    assert whole.fits and parts.memory_bytes < 0.3 * whole.memory_bytes
    assert estimate_module.estimate(networks, configuration, 16, 1, done=6).seconds == 0
    networks.generator.requires_grad_(False)
    networks.generator.to_bands.requires_grad_(True)
    assert estimate_module.estimate(networks, configuration, 16, 1).memory_bytes < whole.memory_bytes
