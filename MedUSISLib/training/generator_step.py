"""One iteration: the discriminator, then the generator together with the segmentator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import LabelSchema
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


class Batch:
    """What one iteration sees.

    Attributes
    ----------
    labels : Tensor of int64, (B, H, W)
        What the generator is given.
    targets : Tensor or None, (P, 1, H, W)
        Real images of the first P labels, in [-1, 1].
    real : Tensor or None, (R, 1, H, W)
        Real images for the discriminator, of whatever labels.
    """

    def __init__(self, labels: Tensor, targets: Tensor | None, real: Tensor | None) -> None:
        self.labels, self.targets, self.real = labels, targets, real

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(None if t is None else t.to(device) for t in (self.labels, self.targets, self.real)))  # type: ignore[arg-type]


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
        """(B, 1, H, W) with white noise by class, each image half to one and a half times as much."""
        if self.by_class is None:
            return images
        strength = torch.rand(len(images), 1, 1, 1, device=images.device) + 0.5
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
        """(B, 1, H, W) to (per_image * B, 1, size, size), around the middle where the head is."""
        if self.size is None:
            return images
        patches = []
        for image in images:
            for _ in range(self.per_image):
                starts = [
                    int(torch.randint(0, n - self.size + 1, (), generator=self.rng)) if n > self.size else 0
                    for n in image.shape[1:]
                ]
                patches.append(image[:, starts[0] : starts[0] + self.size, starts[1] : starts[1] + self.size])
        return torch.stack(patches)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Class indices (B, H, W) to float (B, C, H, W), channels last in memory."""
    return F.one_hot(labels, classes).permute(0, 3, 1, 2).float()


def train_step(
    networks: Adversaries,
    batch: Batch,
    noise: Tensor | None,
    phase: PhaseConfiguration,
    iteration: int,
    classes: int,
    patches: PatchSampler,
    grain: Grain,
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

    Returns
    -------
    dict
        The losses, for the log, and ``spread``, the standard deviation of the images.
    """
    condition = one_hot(batch.labels, classes)
    log: dict[str, float] = {}
    adversarial = phase.adversarial > 0 and networks.discriminator is not None and batch.real is not None
    fake = networks.generator(condition, noise)
    log["spread"] = float(fake.detach().float().std())
    if adversarial:
        for number in range(phase.discriminator_steps):
            shown = patches(batch.real), patches(grain(fake.detach(), batch.labels))
            log.update(_discriminator_step(networks, *shown, phase, iteration, number == 0))

    loss = fake.new_zeros(())
    if batch.targets is not None and len(batch.targets):
        paired = fake[: len(batch.targets)]
        if phase.l1:
            value = l1_loss(paired, batch.targets)
            loss, log["l1"] = loss + phase.l1 * value, float(value.detach())
        if phase.class_means:
            value = class_mean_loss(paired, batch.targets, batch.labels[: len(paired)], classes)
            loss, log["class_means"] = loss + phase.class_means * value, float(value.detach())
        if phase.ssim:
            value = ssim_loss(paired, batch.targets)
            loss, log["ssim"] = loss + phase.ssim * value, float(value.detach())
    if adversarial:
        assert networks.discriminator is not None
        _require_grad(networks.discriminator, False)
        value = generator_loss(networks.discriminator(patches(grain(fake, batch.labels))))
        _require_grad(networks.discriminator, True)
        loss, log["adversarial"] = loss + phase.adversarial * value, float(value.detach())
    if phase.segmentation and networks.segmentator is not None:
        # One backward serves both: on the same fakes they minimise the same cross-entropy.
        networks.segmentator_optimiser.zero_grad(set_to_none=True)
        value = segmentation_loss(networks.segmentator(fake), batch.labels)
        loss, log["segmentation"] = loss + phase.segmentation * value, float(value.detach())
    if phase.mask:
        value = mask_consistency_loss(fake, filled_body(batch.labels))
        loss, log["mask"] = loss + phase.mask * value, float(value.detach())
    if phase.periodic_pattern:
        value = periodic_pattern_loss(fake, batch.labels, classes)
        loss, log["periodic_pattern"] = loss + phase.periodic_pattern * value, float(value.detach())

    networks.generator_optimiser.zero_grad(set_to_none=True)
    networks.fabric.backward(loss)
    norm = networks.fabric.clip_gradients(
        networks.generator, networks.generator_optimiser, max_norm=10.0, error_if_nonfinite=False
    )
    log["gradient"] = float(norm)  # of the generator before clipping; what is not finite is seen by `health`
    networks.generator_optimiser.step()
    if phase.segmentation and networks.segmentator is not None:
        networks.segmentator_optimiser.step()
    networks.ema.update(_plain(networks.generator))
    log["loss"] = float(loss.detach())
    return log


def _discriminator_step(
    networks: Adversaries, real: Any, fake: Tensor, phase: PhaseConfiguration, iteration: int, first: bool
) -> dict[str, float]:
    discriminator, optimiser = networks.discriminator, networks.discriminator_optimiser
    assert discriminator is not None
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = discriminator_loss(real_logits, fake_logits)
    log = {
        "discriminator": float(loss.detach()),
        "real_logit": float(real_logits.detach().mean()),
        "fake_logit": float(fake_logits.detach().mean()),
    }
    if first and phase.r1 and iteration % phase.r1_every == 0:
        # Fabric's wrapper would switch autocast on again; a second derivative in bfloat16 is noise.
        penalty = r1_penalty(_plain(discriminator), real, phase.r1, phase.r1_every)
        loss, log["r1"] = loss + penalty, float(penalty.detach())
    optimiser.zero_grad(set_to_none=True)
    networks.fabric.backward(loss)
    optimiser.step()
    return log


def _require_grad(network: nn.Module, on: bool) -> None:
    for parameter in network.parameters():
        parameter.requires_grad_(on)


def _plain(module: nn.Module) -> nn.Module:
    """The network inside Fabric's wrapper."""
    return getattr(module, "module", module)
