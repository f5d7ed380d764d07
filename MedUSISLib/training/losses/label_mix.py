"""LabelMix of OASIS (Schönfeld et al. 2021, eq. 4): a mixture of images is judged as the mixture of the judgements."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@torch.no_grad()
def label_mix_mask(labels: Tensor, number_of_classes: int, generator: torch.Generator | None = None) -> Tensor:
    """Take every class at random from the real or from the synthetic image, per sample.

    Parameters
    ----------
    labels : Tensor
        ``[B, ...]`` class indices.
    generator : torch.Generator, optional
        On the CPU.

    Returns
    -------
    Tensor
        ``[B, 1, ...]`` float, 1 where the real image is taken; borders follow the labels.
    """
    choice = torch.randint(0, 2, (labels.shape[0], number_of_classes), generator=generator).to(labels.device)
    return choice.gather(1, labels.long().flatten(1)).view(labels.shape).unsqueeze(1).float()


def label_mix_loss(segmentator: nn.Module, real: Tensor, fake: Tensor, mask: Tensor) -> Tensor:
    """``|S(mix(real, fake)) - mix(S(real), S(fake))|^2``, mean over logits.

    Parameters
    ----------
    segmentator : nn.Module
        Gives ``[B, C + 1, ...]`` logits.
    real, fake : Tensor
        ``[B, 1, ...]`` images of the same labels; the fake is detached here.
    mask : Tensor
        From `label_mix_mask`.
    """
    fake = fake.detach()
    mixed = segmentator(mask * real + (1 - mask) * fake).float()
    return F.mse_loss(mixed, mask * segmentator(real).float() + (1 - mask) * segmentator(fake).float())
