"""One iteration: the discriminator, then the generator together with the segmentator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedUSISLib.heap import trim_heap
from MedUSISLib.training.batch import Batch, Part
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.discriminator_parts import parts_of
from MedUSISLib.training.discriminator_view import Grain, PatchSampler
from MedUSISLib.training.generator_losses import generator_losses, plays_adversarially, require_grad
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.losses.adversarial import fake_loss, r1_penalty, real_loss
from MedUSISLib.training.oasis_step import segmentator_step
from MedUSISLib.training.whole_batch import WholeBatch

__all__ = ["Grain", "PatchSampler", "one_hot", "train_step"]

#: Everything that a step may have to say, in the order in which processes add it up.
_LOGGED = (
    *("l1", "class_means", "ssim", "lesions", "adversarial", "segmentation", "anchor", "mask", "periodic_pattern"),
    *("discriminator", "real_logit", "fake_logit", "r1", "segmentator_real", "segmentator_fake", "label_mix"),
    *("loss", "spread"),
)

_MANY_WEIGHTS = 2**24


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Class indices (B, ...) of 2 or 3 spatial axes to float (B, C, ...), channels last in memory."""
    return F.one_hot(labels, classes).movedim(-1, 1).float()


def train_step(
    networks: Adversaries,
    batch: Batch,
    noise: Tensor | None,
    phase: PhaseConfiguration,
    iteration: int,
    classes: int,
    patches: PatchSampler,
    grain: Grain,
    accumulate: int = 1,
) -> dict[str, float]:
    """Update all networks once.

    Parameters
    ----------
    networks : Adversaries
    batch : Batch
        This process's share of the batch.
    noise : Tensor, shape (B, Z), or None
    phase : PhaseConfiguration
        Weights of the losses.
    iteration : int
        Counts lazy R1.
    classes : int
    patches : PatchSampler
        What the discriminator is shown of the images.
    grain : Grain
        Noise that the synthetic ones are shown with.
    accumulate : int
        The batch goes through the networks in so many parts, whose gradients are summed before each update.

    Returns
    -------
    dict
        The losses of the whole batch, for the log, and ``spread``, the standard deviation of the images.

    Notes
    -----
    Parts, and processes, give the gradient of the whole batch but for what looks at several images at once. Exact for
    both: class weights and class means, which are counted over the whole batch first. Exact for processes only:
    BatchNorm's statistics and the pattern loss. For neither: the discriminator's minibatch deviation.
    """
    processes = networks.processes
    whole = WholeBatch.of(batch, phase, classes, processes)
    # As many parts in every process: each passes its networks, and their BatchNorms wait for one another, as often.
    parts = batch.split(min(accumulate, max(1, whole.sizes.slices // processes.world)), noise, whole.sizes)
    log: dict[str, float] = {}
    for network in (networks.discriminator, networks.segmentator):
        if network is not None:
            require_grad(network, True)  # a step that memory ran out in may have left it off
    networks.generator_optimiser.zero_grad(set_to_none=True)  # the last step's, whose memory is of use now
    _tidy_heap(networks)

    def synthesize(part: Part) -> Tensor:
        return networks.generator(one_hot(part.batch.labels, classes), part.noise)

    adversarial = plays_adversarially(networks, phase) and whole.sizes.real > 0
    oasis = phase.oasis and networks.segmentator is not None
    reals: list[Tensor] = []
    if adversarial:
        reals = [patches(part.batch.real) for part in parts]
        networks.discriminator_optimiser.zero_grad(set_to_none=True)
        if phase.r1 and iteration % phase.r1_every == 0:
            # Before the images are drawn, because it keeps as much as all the rest.
            log["r1"] = _penalise(networks, parts, reals, phase)
    at_once = synthesize(parts[0]) if len(parts) == 1 else None
    if adversarial or oasis:
        fakes = [at_once.detach()] if at_once is not None else _without_gradient(synthesize, parts)
        _tidy_heap(networks)
        for number in range(phase.discriminator_steps if adversarial else 0):
            if number:
                networks.discriminator_optimiser.zero_grad(set_to_none=True)
                reals = [patches(part.batch.real) for part in parts]
            log.update(_discriminator_step(networks, parts, reals, fakes, patches, grain))
        if adversarial:
            networks.discriminator_optimiser.zero_grad(set_to_none=True)  # as much as its weights; of no more use
        if oasis:
            log.update(segmentator_step(networks, parts, fakes, phase, classes, whole, patches.rng))

    if networks.segmentator is not None:
        networks.segmentator_optimiser.zero_grad(set_to_none=True)
    for part in parts:
        fake = at_once if at_once is not None else synthesize(part)
        losses = generator_losses(networks, part, fake, phase, classes, whole, patches, grain)
        loss = sum((weight * part.share_of(name) * value for name, (weight, value) in losses.items()), fake.sum() * 0)
        _tidy_heap(networks)
        networks.fabric.backward(loss)
        values = {name: float(value.detach()) * part.share_of(name) for name, (_, value) in losses.items()}
        values |= {"loss": float(loss.detach()), "spread": float(fake.detach().float().std()) * part.share}
        for name, value in values.items():
            log[name] = log.get(name, 0.0) + value

    shared_pass = bool(phase.segmentation) and networks.segmentator is not None and not oasis
    trained = [*networks.generator.parameters()]
    if shared_pass:
        assert networks.segmentator is not None
        trained += networks.segmentator.parameters()
    processes.sum_gradients(trained)
    log = processes.total_losses(log, _LOGGED)
    norm = networks.fabric.clip_gradients(
        networks.generator, networks.generator_optimiser, max_norm=10.0, error_if_nonfinite=False
    )
    log["gradient"] = float(norm)  # of the generator before clipping; what is not finite is seen by `health`
    networks.generator_optimiser.step()
    if shared_pass:
        networks.segmentator_optimiser.step()
    networks.ema.update(_plain(networks.generator))
    return log


def _tidy_heap(networks: Adversaries) -> None:
    """Before something large is made: what the step has let go lies in gaps between gradients, an eighth of the peak.

    Small networks leave small gaps, which are not worth the time of taking their pages again.
    """
    if networks.fabric.device.type == "cpu" and networks.trained_weights >= _MANY_WEIGHTS:
        trim_heap()


def _without_gradient(synthesize: Callable[[Part], Tensor], parts: list[Part]) -> list[Tensor]:
    """The images of all parts, with the dropout that they will have when their gradient is taken."""
    device = parts[0].batch.labels.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        return [synthesize(part) for part in parts]


def _penalise(networks: Adversaries, parts: list[Part], reals: list[Tensor], phase: PhaseConfiguration) -> float:
    """The discriminator's gradient of lazy R1, left for the step that follows; the penalty itself."""
    assert networks.discriminator is not None
    discriminator = _plain(networks.discriminator)  # Fabric's wrapper would switch autocast on again, see `r1_penalty`
    total = 0.0
    for part, real in zip(parts, reals, strict=True):
        images = parts_of(real, discriminator)
        for few in images:
            penalty = r1_penalty(discriminator, few, phase.r1, phase.r1_every) * (part.real_share / len(images))
            _tidy_heap(networks)
            networks.fabric.backward(penalty)
            total += float(penalty.detach())
    return total


def _discriminator_step(
    networks: Adversaries,
    parts: list[Part],
    reals: list[Tensor],
    fakes: list[Tensor],
    patches: PatchSampler,
    grain: Grain,
) -> dict[str, float]:
    """One update of the discriminator, whose gradient may hold R1's already."""
    discriminator, optimiser = networks.discriminator, networks.discriminator_optimiser
    assert discriminator is not None
    log = {"discriminator": 0.0, "real_logit": 0.0, "fake_logit": 0.0}
    for part, real, fake in zip(parts, reals, fakes, strict=True):
        synthetic = patches(grain(fake, part.batch.labels))
        # One after the other, so that what the backward pass needs is kept of a few images at a time.
        for name, images, share, loss_of in (
            ("real_logit", real, part.real_share, real_loss),
            ("fake_logit", synthetic, part.share, fake_loss),
        ):
            shown = parts_of(images, discriminator)
            for few in shown:
                logits = discriminator(few)
                loss = share / len(shown) * loss_of(logits)
                networks.fabric.backward(loss)
                log["discriminator"] += float(loss.detach())
                log[name] += share / len(shown) * float(logits.detach().mean())
    networks.processes.sum_gradients(discriminator.parameters())
    optimiser.step()
    return log


def _plain(module: nn.Module) -> nn.Module:
    """The network inside Fabric's wrapper."""
    return getattr(module, "module", module)
