"""The losses of one part of a batch, by the names that a phase gives them weights by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from MedUSISLib.training.batch import Part
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.discriminator_parts import parts_of, value_with_gradient
from MedUSISLib.training.discriminator_view import Grain, PatchSampler
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.losses.adversarial import generator_loss
from MedUSISLib.training.losses.class_means import class_mean_loss
from MedUSISLib.training.losses.l1 import l1_loss
from MedUSISLib.training.losses.lesion import lesion_loss
from MedUSISLib.training.losses.mask_consistency import filled_body, mask_consistency_loss
from MedUSISLib.training.losses.periodic_pattern import periodic_pattern_loss
from MedUSISLib.training.losses.segmentation import segmentation_loss
from MedUSISLib.training.losses.ssim import ssim_loss
from MedUSISLib.training.whole_batch import WholeBatch

Losses = dict[str, tuple[float, Tensor]]
"""Weight and value of each."""


def generator_losses(
    networks: Adversaries,
    part: Part,
    fake: Tensor,
    phase: PhaseConfiguration,
    classes: int,
    whole: WholeBatch,
    patches: PatchSampler,
    grain: Grain,
) -> Losses:
    """What the generator minimises (and the segmentator with it, unless it judges as OASIS's does).

    Parameters
    ----------
    networks : Adversaries
    part : Part
    fake : Tensor, shape (B, 1, ...)
        The generator's images of the part's labels.
    phase : PhaseConfiguration
    classes : int
    whole : WholeBatch
        That the part is of.
    patches, grain
        As the discriminator is shown images.
    """
    batch = part.batch
    losses = _against_targets(part, fake, phase, classes, whole)
    if plays_adversarially(networks, phase) and batch.real is not None:
        assert networks.discriminator is not None
        # Inside Fabric's wrapper, which would have every gradient taken by itself.
        discriminator = getattr(networks.discriminator, "module", networks.discriminator)
        require_grad(discriminator, False)
        shown = parts_of(patches(grain(fake, batch.labels)), discriminator)
        with networks.fabric.autocast():
            values = [value_with_gradient(lambda few: generator_loss(discriminator(few)), few) for few in shown]
        value = torch.stack(values).mean()
        require_grad(discriminator, True)
        losses["adversarial"] = phase.adversarial, value
    if phase.segmentation and networks.segmentator is not None:
        # One backward serves both: on the same fakes they minimise the same cross-entropy. OASIS's has learned in a
        # step of its own, see `oasis_step`.
        require_grad(networks.segmentator, not phase.oasis)
        value = segmentation_loss(networks.segmentator(fake), batch.labels, whole.class_weights)
        require_grad(networks.segmentator, True)
        losses["segmentation"] = phase.segmentation, value
    if phase.anchor and networks.anchor is not None:
        losses["anchor"] = phase.anchor, networks.anchor(fake, batch.labels, whole.class_weights)
    if phase.mask:
        losses["mask"] = phase.mask, mask_consistency_loss(fake, filled_body(batch.labels))
    if phase.periodic_pattern:
        losses["periodic_pattern"] = phase.periodic_pattern, periodic_pattern_loss(fake, batch.labels, classes)
    return losses


def _against_targets(part: Part, fake: Tensor, phase: PhaseConfiguration, classes: int, whole: WholeBatch) -> Losses:
    """The losses that need the real image of the same labels."""
    batch, losses = part.batch, Losses()
    if batch.targets is None or not len(batch.targets):
        return losses
    paired, labels = fake[: len(batch.targets)], batch.labels[: len(batch.targets)]
    if phase.l1:
        losses["l1"] = phase.l1, l1_loss(paired, batch.targets)
    if phase.class_means:
        value = class_mean_loss(paired, batch.targets, labels, classes, pairs=max(whole.class_pairs, 1))
        losses["class_means"] = phase.class_means, value
    if phase.ssim:
        losses["ssim"] = phase.ssim, ssim_loss(paired, batch.targets)
    if phase.lesions and batch.lesions is not None:
        losses["lesions"] = phase.lesions, lesion_loss(paired, batch.targets, batch.lesions)
    return losses


def plays_adversarially(networks: Adversaries, phase: PhaseConfiguration) -> bool:
    """Whether a phase uses the discriminator."""
    return phase.adversarial > 0 and networks.discriminator is not None


def require_grad(network: nn.Module, on: bool) -> None:
    """Switch the gradients of a network's weights on or off."""
    for parameter in network.parameters():
        parameter.requires_grad_(on)
