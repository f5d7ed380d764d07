"""The segmentator as OASIS trains it: it also tells real from synthetic, pixel by pixel (Schönfeld et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from MedUSISLib.training.batch import Part
from MedUSISLib.training.configuration import PhaseConfiguration
from MedUSISLib.training.generator_networks import Adversaries
from MedUSISLib.training.losses.label_mix import label_mix_loss, label_mix_mask
from MedUSISLib.training.losses.segmentation import segmentation_loss, synthetic_target
from MedUSISLib.training.whole_batch import WholeBatch


def segmentator_step(
    networks: Adversaries,
    parts: list[Part],
    fakes: list[Tensor],
    phase: PhaseConfiguration,
    classes: int,
    whole: WholeBatch,
    rng: torch.Generator,
) -> dict[str, float]:
    """Teach the segmentator the labels of real images, and the class "synthetic" on all of the generator's.

    Parameters
    ----------
    networks : Adversaries
    parts : list of Part
        Of a batch with targets.
    fakes : list of Tensor
        The generator's images of the parts, without gradients.
    phase : PhaseConfiguration
        ``label_mix`` is the weight of LabelMix, between an image and its synthetic counterpart.
    classes : int
    whole : WholeBatch
    rng : torch.Generator
        Chooses LabelMix's classes.

    Returns
    -------
    dict
        ``segmentator_real``, ``segmentator_fake`` and ``label_mix``, of this process's parts.
    """
    segmentator, optimiser = networks.segmentator, networks.segmentator_optimiser
    assert segmentator is not None
    log: dict[str, float] = {}
    alike = torch.ones(classes + 1, device=whole.class_weights.device)  # every synthetic pixel weighs as much
    optimiser.zero_grad(set_to_none=True)
    for part, fake in zip(parts, fakes, strict=True):
        labels, targets = part.batch.labels, part.batch.targets
        values = {"segmentator_fake": segmentation_loss(segmentator(fake), synthetic_target(labels, classes), alike)}
        weights = {"segmentator_fake": 1.0, "segmentator_real": 1.0, "label_mix": phase.label_mix}
        if targets is not None and len(targets):
            own = labels[: len(targets)]
            values["segmentator_real"] = segmentation_loss(segmentator(targets), own, whole.class_weights)
            if phase.label_mix:
                mask = label_mix_mask(own, classes, rng)
                values["label_mix"] = label_mix_loss(segmentator, targets, fake[: len(targets)], mask)
        networks.fabric.backward(sum(weights[name] * part.share_of(name) * value for name, value in values.items()))
        for name, value in values.items():
            log[name] = log.get(name, 0.0) + part.share_of(name) * float(value.detach())
    networks.processes.sum_gradients(segmentator.parameters())
    optimiser.step()
    return log
