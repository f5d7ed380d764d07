"""The discriminator's share of a step, a few images at a time: the same numbers from less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from MedUSISLib.networks.wavelet_discriminator import number_of_groups

_PIXELS_AT_ONCE = {"cpu": 2**17, "cuda": 2**22}
"""Fewer make its convolutions slow: two 256x256 slices on a CPU, sixty-four on an accelerator."""


def parts_of(images: Tensor, discriminator: nn.Module) -> list[Tensor]:
    """Parts of a batch whose logits are what they are in the whole batch.

    The discriminator compares the images of a group with one another (`minibatch_deviation`), so a part holds whole
    groups: as many as make it worth while. All parts have the same length.

    Parameters
    ----------
    images : Tensor, shape (B, 1, ...)
    discriminator : nn.Module
        Its ``group`` is the largest number of images in one group; one without it compares all of them.
    """
    groups = number_of_groups(len(images), getattr(discriminator, "group", len(images)))
    wanted = images.numel() / _PIXELS_AT_ONCE.get(images.device.type, 2**22)
    number = max(n for n in range(1, groups + 1) if groups % n == 0 and n <= max(1.0, wanted))
    return [images[first::number] for first in range(number)]


def value_with_gradient(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """``function(images)``, a single number, whose gradient is taken at once and kept in place of all that led to it.

    Parameters
    ----------
    function : callable
        Its other inputs (a network's weights) must not ask for gradients.
    images : Tensor
    """
    value: Tensor = _ValueWithGradient.apply(images, function)
    return value


class _ValueWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.enable_grad():
            leaf = images.detach().requires_grad_(True)
            value = function(leaf)
        (gradient,) = torch.autograd.grad(value, leaf)
        ctx.save_for_backward(gradient)
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * factor, None
