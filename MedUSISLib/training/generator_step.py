"""One iteration: the discriminator, then the generator together with the segmentator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.batch import Batch, Part
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from MedUSISLib.training.losses.class_means import class_mean_loss
from MedUSISLib.training.losses.l1 import l1_loss
from MedUSISLib.training.losses.mask_consistency import filled_body, mask_consistency_loss
from MedUSISLib.training.losses.periodic_pattern import periodic_pattern_loss
from MedUSISLib.training.losses.segmentation import segmentation_loss
from MedUSISLib.training.losses.ssim import ssim_loss
from MedUSISLib.training.t1_scaling import CLIP


class Grain:
    """The noise of a real acquisition, laid over synthetic images before the discriminator sees them.

    Labels and a noise vector that is constant in space cannot tell a generator where a grain of noise lies. Asked for
    grain all the same, it answers with a regular pattern, a checkerboard in flat tissue. With grain laid over what the
    discriminator sees, it is only asked for what labels can determine: contrast and sharp borders.

    Parameters
    ----------
    by_class : Tensor, shape (C,), or None
        Standard deviation in the unit of the images; None adds nothing.
    """

    def __init__(self, by_class: Tensor | None) -> None:
        self.by_class = by_class

    @classmethod
    def of(cls, deviations: Mapping[str, float], schema: LabelSchema) -> Grain:
        """From the standard deviation of each class on the scale on which white matter is 0.7; none without any."""
        if not deviations:
            return cls(None)
        table = torch.zeros(schema.number_of_classes)
        for name, deviation in deviations.items():
            table[schema.index_of(name)] = deviation * 2 / CLIP
        return cls(table)

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """(B, 1, ...) with white noise by class, each image half to one and a half times as much."""
        if self.by_class is None:
            return images
        strength = torch.rand(len(images), *(1,) * (images.ndim - 1), device=images.device) + 0.5
        deviation = self.by_class.to(images.device)[labels][:, None] * strength
        return (images + deviation * torch.randn_like(images)).clamp(-1, 1)


class PatchSampler:
    """Random patches of a batch of images, or the images themselves.

    A discriminator that sees whole slices has one answer a slice to learn from, and after 350 steps at batch 8 it still
    answered by chance. Two patches a slice cost less and show more texture.

    Parameters
    ----------
    size : int or None
        Side of a patch; None shows whole images.
    rng : torch.Generator
    per_image : int
    """

    def __init__(self, size: int | None, rng: torch.Generator, per_image: int = 2) -> None:
        self.size, self.rng, self.per_image = size, rng, per_image

    def __call__(self, images: Any) -> Tensor:
        """(B, 1, ...) to (per_image * B, 1, size, size) or, in 3D, cubes; an axis shorter than that is kept whole."""
        if self.size is None:
            return images
        patches = []
        for image in images:
            for _ in range(self.per_image):
                starts = [
                    int(torch.randint(0, n - self.size + 1, (), generator=self.rng)) if n > self.size else 0
                    for n in image.shape[1:]
                ]
                patches.append(image[(slice(None), *(slice(start, start + self.size) for start in starts))])
        return torch.stack(patches)


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
        The losses, for the log, and ``spread``, the standard deviation of the images.

    Notes
    -----
    Parts give the gradient of the whole batch but for what looks at several images at once: BatchNorm's statistics, the
    discriminator's minibatch deviation, class weights and means, the pattern loss.
    """
    parts = batch.split(accumulate, noise)
    log: dict[str, float] = {}
    adversarial = phase.adversarial > 0 and networks.discriminator is not None and batch.real is not None
    if networks.discriminator is not None:
        _require_grad(networks.discriminator, True)  # a step that memory ran out in may have left it off

    def synthesize(part: Part) -> Tensor:
        return networks.generator(one_hot(part.batch.labels, classes), part.noise)

    whole = synthesize(parts[0]) if len(parts) == 1 else None
    if adversarial:
        fakes = [whole.detach()] if whole is not None else _without_gradient(synthesize, parts)
        for number in range(phase.discriminator_steps):
            log.update(_discriminator_step(networks, parts, fakes, phase, iteration, number == 0, patches, grain))

    networks.generator_optimiser.zero_grad(set_to_none=True)
    if networks.segmentator is not None:
        networks.segmentator_optimiser.zero_grad(set_to_none=True)
    for part in parts:
        fake = whole if whole is not None else synthesize(part)
        losses = _generator_losses(networks, part.batch, fake, phase, classes, adversarial, patches, grain)
        loss = sum((weight * part.share_of(name) * value for name, (weight, value) in losses.items()), fake.sum() * 0)
        networks.fabric.backward(loss)
        values = {name: float(value.detach()) * part.share_of(name) for name, (_, value) in losses.items()}
        values |= {"loss": float(loss.detach()), "spread": float(fake.detach().float().std()) * part.share}
        for name, value in values.items():
            log[name] = log.get(name, 0.0) + value

    norm = networks.fabric.clip_gradients(
        networks.generator, networks.generator_optimiser, max_norm=10.0, error_if_nonfinite=False
    )
    log["gradient"] = float(norm)  # of the generator before clipping; what is not finite is seen by `health`
    networks.generator_optimiser.step()
    if phase.segmentation and networks.segmentator is not None:
        networks.segmentator_optimiser.step()
    networks.ema.update(_plain(networks.generator))
    return log


def _without_gradient(synthesize: Callable[[Part], Tensor], parts: list[Part]) -> list[Tensor]:
    """The images of all parts, with the dropout that they will have when their gradient is taken."""
    device = parts[0].batch.labels.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.no_grad():
        return [synthesize(part) for part in parts]


def _generator_losses(
    networks: Adversaries,
    batch: Batch,
    fake: Tensor,
    phase: PhaseConfiguration,
    classes: int,
    adversarial: bool,
    patches: PatchSampler,
    grain: Grain,
) -> dict[str, tuple[float, Tensor]]:
    """Weight and value of each loss of the generator (and the segmentator)."""
    losses: dict[str, tuple[float, Tensor]] = {}
    if batch.targets is not None and len(batch.targets):
        paired = fake[: len(batch.targets)]
        if phase.l1:
            losses["l1"] = phase.l1, l1_loss(paired, batch.targets)
        if phase.class_means:
            value = class_mean_loss(paired, batch.targets, batch.labels[: len(paired)], classes)
            losses["class_means"] = phase.class_means, value
        if phase.ssim:
            losses["ssim"] = phase.ssim, ssim_loss(paired, batch.targets)
    if adversarial:
        assert networks.discriminator is not None
        _require_grad(networks.discriminator, False)
        value = generator_loss(networks.discriminator(patches(grain(fake, batch.labels))))
        _require_grad(networks.discriminator, True)
        losses["adversarial"] = phase.adversarial, value
    if phase.segmentation and networks.segmentator is not None:
        # One backward serves both: on the same fakes they minimise the same cross-entropy.
        losses["segmentation"] = phase.segmentation, segmentation_loss(networks.segmentator(fake), batch.labels)
    if phase.mask:
        losses["mask"] = phase.mask, mask_consistency_loss(fake, filled_body(batch.labels))
    if phase.periodic_pattern:
        losses["periodic_pattern"] = phase.periodic_pattern, periodic_pattern_loss(fake, batch.labels, classes)
    return losses


def _discriminator_step(
    networks: Adversaries,
    parts: list[Part],
    fakes: list[Tensor],
    phase: PhaseConfiguration,
    iteration: int,
    first: bool,
    patches: PatchSampler,
    grain: Grain,
) -> dict[str, float]:
    discriminator, optimiser = networks.discriminator, networks.discriminator_optimiser
    assert discriminator is not None
    log: dict[str, float] = {}
    optimiser.zero_grad(set_to_none=True)
    for part, fake in zip(parts, fakes, strict=True):
        real = patches(part.batch.real)
        real_logits, fake_logits = discriminator(real), discriminator(patches(grain(fake, part.batch.labels)))
        loss = discriminator_loss(real_logits, fake_logits)
        values = {"discriminator": loss, "real_logit": real_logits.mean(), "fake_logit": fake_logits.mean()}
        if first and phase.r1 and iteration % phase.r1_every == 0:
            # Fabric's wrapper would switch autocast on again; a second derivative in bfloat16 is noise.
            values["r1"] = r1_penalty(_plain(discriminator), real, phase.r1, phase.r1_every)
            loss = loss + values["r1"]
        networks.fabric.backward(part.share * loss)
        for name, value in values.items():
            log[name] = log.get(name, 0.0) + part.share * float(value.detach())
    optimiser.step()
    return log


def _require_grad(network: nn.Module, on: bool) -> None:
    for parameter in network.parameters():
        parameter.requires_grad_(on)


def _plain(module: nn.Module) -> nn.Module:
    """The network inside Fabric's wrapper."""
    return getattr(module, "module", module)
