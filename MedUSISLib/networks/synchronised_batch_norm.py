"""BatchNorm over the images of all processes; torch's own ``SyncBatchNorm`` refuses the CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from MedUSISLib.networks.all_reduce import number_of_processes, sum_over_processes
from MedUSISLib.networks.precision import in_full_precision


class SynchronisedBatchNorm(_BatchNorm):
    """BatchNorm whose mean and variance in train mode are those of all processes' images together.

    Two or three spatial axes, any device. With one process, and in eval mode, it is torch's BatchNorm. Processes may
    hold different numbers of images. Every process must call it equally often.

    Attributes
    ----------
    together : bool
        False makes a process go alone, for what only one of them computes.

    Notes
    -----
    One all-reduce forward (count, sum and sum of squares of each channel) and one backward. The sums are added up in
    double precision, so the variance does not suffer from being a difference of two large numbers. It can be
    differentiated once: second derivatives (R1) are taken of the discriminator, which has no BatchNorm.
    """

    together = True

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in (4, 5):
            raise ValueError(f"features are [B, c, H, W] or [B, c, D, H, W], got {input.ndim} axes")

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c, ...]`` to the same."""
        if not self.training or not self.together or number_of_processes() == 1:
            return super().forward(x)
        self._check_input_dim(x)
        with in_full_precision(x):
            result, mean, variance, count = _Normalise.apply(x, self.eps)
            self._remember(mean, variance, count)
            if self.weight is not None:
                shape = (1, -1, *(1,) * (x.ndim - 2))
                result = torch.addcmul(self.bias.view(shape), result, self.weight.view(shape))
        return result

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Running statistics as torch keeps them: the variance unbiased, a plain mean when the momentum is None."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        unbiased = variance * (count / (count - 1).clamp(min=1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)


class _Normalise(torch.autograd.Function):
    """``(x - mean) / sqrt(variance + eps)`` with mean and variance over all processes (Ioffe and Szegedy 2015)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        own = x.numel() / x.shape[1]
        variance, mean = torch.var_mean(x.float(), axes, correction=0)
        mean, variance = mean.double(), variance.double()
        sums = torch.stack((mean.new_full(mean.shape, own), own * mean, own * (variance + mean.square())))
        count, total, squares = sum_over_processes(sums)
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        mean, variance, count = mean.float(), variance.float(), count[0].float()
        ctx.save_for_backward(x, mean, variance, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(x, mean, variance, eps=eps), mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        x, mean, variance, count = ctx.saved_tensors
        gradient = gradients[0].float()
        normal = F.batch_norm(x.float(), mean, variance, eps=ctx.eps)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        sums = torch.stack((gradient.sum(axes, dtype=torch.double), (gradient * normal).sum(axes, dtype=torch.double)))
        of_gradient, of_product = (sum_over_processes(sums) / count).float()
        shape = (1, -1, *(1,) * (x.ndim - 2))
        inner = gradient - of_gradient.view(shape) - normal * of_product.view(shape)
        return (inner * torch.rsqrt(variance + ctx.eps).view(shape)).to(x.dtype), None


def synchronise_batch_norm(network: nn.Module) -> nn.Module:
    """Replace every BatchNorm inside a network by a synchronised one with the same state; returns the network.

    The state dict keeps its names, so checkpoints and bundles are the same with any number of processes.
    """
    for name, child in network.named_children():
        if isinstance(child, (nn.BatchNorm2d, nn.BatchNorm3d)):
            new = SynchronisedBatchNorm(
                child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
            )
            new.load_state_dict(child.state_dict())
            new.train(child.training)
            setattr(network, name, new.to(next(iter(child.state_dict().values())).device))
        else:
            synchronise_batch_norm(child)
    return network


def go_alone(network: nn.Module) -> nn.Module:
    """Let the BatchNorms of a copy use this process's images only; returns the network."""
    for module in network.modules():
        if isinstance(module, SynchronisedBatchNorm):
            module.together = False
    return network
