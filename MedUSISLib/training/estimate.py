"""Memory and time of a training before it begins: one slice goes through copies of its networks, and is multiplied."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from MedUSISLib.networks.synchronised_batch_norm import go_alone
from MedUSISLib.training.configuration import GeneratorTraining, PhaseConfiguration
from MedUSISLib.training.duration import duration_text
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.generator_step import one_hot

#: Patches of each slice that the discriminator is shown, see `PatchSampler`.
_PATCHES = 2
#: What is held besides what the backward pass needs: gradients on their way, workspaces. Chosen; docs/training.md has
#: estimates beside measured peaks.
_WORKSPACE = 1.15


@dataclass(frozen=True)
class Estimate:
    """What a training will take.

    Attributes
    ----------
    memory_bytes : int
        On the device (on a CPU: of the process, with what it holds already); of each process, if there are several.
    seconds : float
        Of all steps that are left; validation and export are not in it.
    free_bytes : int
        On the device now (on a CPU: with what the process holds).
    """

    memory_bytes: int
    seconds: float
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether there is room for it now."""
        return self.memory_bytes < self.free_bytes

    @property
    def duration(self) -> str:
        """The time in words."""
        return duration_text(self.seconds)


@dataclass(frozen=True)
class _Probe:
    saved_bytes: int
    seconds: float


def estimate(
    networks: Adversaries, configuration: GeneratorTraining, classes: int, accumulate: int, done: int = 0
) -> Estimate:
    """Probe the networks and lay the figures over the steps that are left; no state is changed.

    Parameters
    ----------
    networks : Adversaries
    configuration : GeneratorTraining
    classes : int
    accumulate : int
        Parts that a batch goes through the networks in.
    done : int
        Iterations that are finished already.
    """
    crop = tuple(configuration.data.crop)
    patch = configuration.discriminator_crop
    samples = -(-configuration.batch_size // max(networks.processes.world, configuration.devices * configuration.nodes))
    device = networks.fabric.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        labels = torch.randint(0, classes, (1, *(n // 8 + 1 for n in crop)))
        for axis, size in enumerate(crop, 1):
            labels = labels.repeat_interleave(8, axis).narrow(axis, 0, size)
        labels = labels.to(device)
        onehot, channels = one_hot(labels, classes), networks.noise_channels
        noise = torch.zeros(1, channels, device=device) if channels else None
        image = torch.zeros(1, 1, *crop, device=device)
        shown = image.new_zeros(_PATCHES, 1, *(min(patch, n) for n in crop)) if patch else image
        generator = _probe(networks.fabric, networks.generator, lambda network: network(onehot, noise))
        nothing = _Probe(0, 0.0)
        discriminator = segmentator = anchor = nothing
        if networks.discriminator is not None:
            discriminator = _probe(networks.fabric, networks.discriminator, lambda network: network(shown))
        if networks.segmentator is not None:
            segmentator = _probe(networks.fabric, networks.segmentator, lambda network: network(image))
        if networks.anchor is not None:
            encode, slices = networks.anchor.encode, image.movedim(1, -3).reshape(-1, 1, *crop[-2:]).requires_grad_()
            anchor = _probe(networks.fabric, networks.anchor.network, lambda network: network(encode(slices)))

    def step(phase: PhaseConfiguration) -> float:
        seconds = generator.seconds + segmentator.seconds * bool(phase.segmentation) * (3 if phase.oasis else 1)
        seconds += anchor.seconds * bool(phase.anchor)
        if phase.adversarial:
            # Real and synthetic slices for each step of its own, and once for the generator.
            seconds += discriminator.seconds * (2 * phase.discriminator_steps + 1)
            seconds += generator.seconds / 3 if accumulate > 1 else 0.0
        return seconds * samples

    seconds, before = 0.0, 0
    for phase in configuration.phases:
        left = phase.iterations - min(max(done - before, 0), phase.iterations)
        before += phase.iterations
        seconds += left * step(phase)
    at_once = -(-samples // accumulate)
    saved = max(
        generator.saved_bytes
        + segmentator.saved_bytes * bool(phase.segmentation)
        + anchor.saved_bytes * bool(phase.anchor)
        + discriminator.saved_bytes * bool(phase.adversarial)
        for phase in configuration.phases
    )
    held, free = _memory(device)
    memory = held + _still_to_come(networks) + _WORKSPACE * at_once * saved
    return Estimate(int(memory), seconds, held + free)


def _probe(fabric: Any, network: nn.Module, call: Callable[[nn.Module], Tensor]) -> _Probe:
    """Bytes that one call keeps for its gradient, and seconds of call and gradient (the second time)."""
    plain = go_alone(copy.deepcopy(getattr(network, "module", network))).train()
    own = {parameter.untyped_storage().data_ptr() for parameter in plain.parameters()}
    saved: dict[int, int] = {}
    kept = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
            kept.append(storage)  # so that no address is used twice
        return tensor

    seconds = 0.0
    for first in (True, False):
        _wait(fabric.device)
        begun = time.perf_counter()
        with fabric.autocast():
            if first:
                with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                    result = call(plain)
            else:
                result = call(plain)
        result.float().sum().backward()
        _wait(fabric.device)
        seconds = time.perf_counter() - begun
        kept.clear()
    return _Probe(sum(saved.values()), seconds)


def _still_to_come(networks: Adversaries) -> int:
    """Bytes of gradients and of Adam's two moments, which do not exist before the first step."""
    total = 0
    for name in ("generator", "discriminator", "segmentator"):
        network = getattr(networks, name)
        if network is not None and not getattr(networks, f"{name}_optimiser").state:
            total += sum(3 * p.numel() * p.element_size() for p in network.parameters() if p.requires_grad)
    return total


def _memory(device: torch.device) -> tuple[int, int]:
    """Bytes that this process holds on the device, and those that are free there."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device), torch.cuda.mem_get_info(device)[0]
    return psutil.Process().memory_info().rss, psutil.virtual_memory().available


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
