"""The non-saturating adversarial loss and its lazy R1 penalty (Goodfellow 2014; Mescheder 2018; Karras 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

R1_WEIGHT = 10.0


def generator_loss(fake_logits: Tensor) -> Tensor:
    """``softplus(-D(G))``, mean over the batch: small when the discriminator takes the images for real."""
    return F.softplus(-fake_logits.float()).mean()


def real_loss(real_logits: Tensor) -> Tensor:
    """``softplus(-D(real))``, mean over the images."""
    return F.softplus(-real_logits.float()).mean()


def fake_loss(fake_logits: Tensor) -> Tensor:
    """``softplus(D(fake))``, mean over the images."""
    return F.softplus(fake_logits.float()).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """`real_loss` and `fake_loss` together; about 1.39 is chance."""
    return real_loss(real_logits) + fake_loss(fake_logits)


def r1_penalty(discriminator: nn.Module, real: Tensor, weight: float = R1_WEIGHT, every: int = 1) -> Tensor:
    """``every * weight / 2 * mean over images of |grad D(real)|^2``, in full precision.

    Lazy: call it every ``every``-th step only; the factor keeps the mean strength.

    Parameters
    ----------
    discriminator : nn.Module
        Maps images to one logit each.
    real : Tensor
        ``[B, 1, ...]`` real images.
    weight : float
        R1's gamma (10 in the thesis; 0.3 worked in short runs).
    every : int
        Steps between two calls.
    """
    with torch.autocast(real.device.type, enabled=False), torch.enable_grad():
        real = real.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
        return gradient.square().flatten(1).sum(1).mean() * (every * weight / 2)
