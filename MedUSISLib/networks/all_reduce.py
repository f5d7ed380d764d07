"""Sums over all processes that train together, through which gradients pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def number_of_processes() -> int:
    """How many processes train together; 1 when nobody has set up `torch.distributed`."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def sum_over_processes(x: Tensor) -> Tensor:
    """The sum of every process's tensor, in each of them; every process must call it, in the same order.

    The gradient is summed as well, because each process's loss depends on what every process put in: with a loss that
    is the sum of what the processes compute, each gets the gradient of the whole. Works on the CPU (gloo) and on a GPU
    (nccl); with one process it returns its argument.

    Parameters
    ----------
    x : Tensor
        Of the same shape in every process.
    """
    if number_of_processes() == 1:
        return x
    summed: Tensor = _Sum.apply(x)
    return summed


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        result = x.detach().clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0])
