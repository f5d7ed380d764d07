"""Spectral norm on a layer, safe under autocast, and folding it away for inference."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from MedUSISLib.networks.precision import in_full_precision

Module = TypeVar("Module", bound=nn.Module)


class _FloatSpectralNorm(_SpectralNorm):
    """torch's parametrisation with autocast off: its matrix-vector products would otherwise run in bfloat16, and the
    stored singular vectors with them (their norm is then off by up to 1/256, and so is every weight).

    The weight is taken as a matrix in the order in which it lies in memory, and its gradient by three passes over it:
    torch's own way copies a weight that lies channels last and takes some nine passes.
    The stored vectors keep torch's order.
    """

    def forward(self, weight: Tensor) -> Tensor:
        with in_full_precision(weight):
            if self.training:
                self._iterate(weight)
            return _DividedByNorm.apply(weight, self._u.clone(), _as_in_memory(self._v, weight))

    @torch.no_grad()
    def _iterate(self, weight: Tensor) -> None:
        rows, v = _rows(weight), _as_in_memory(self._v, weight)
        F.normalize(torch.mv(rows, v), dim=0, eps=self.eps, out=self._u)
        v = F.normalize(torch.mv(rows.T, self._u), dim=0, eps=self.eps)
        self._v.copy_(v.view(*weight.shape[2:], -1).movedim(-1, 0).flatten() if _is_channels_last(weight) else v)


class _DividedByNorm(torch.autograd.Function):
    """``W / s`` with ``s = u^T W v``; its gradient is ``g / s - <g, W> / s^2 u v^T`` (Miyato et al. 2018, eq. 11)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        norm = torch.dot(u, torch.mv(_rows(weight), v))
        ctx.save_for_backward(weight, u, v, norm)
        return weight / norm

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        weight, u, v, norm = ctx.saved_tensors
        form = torch.channels_last if _is_channels_last(weight) else torch.contiguous_format
        gradient = gradient.contiguous(memory_format=form)
        along = torch.dot(_rows(gradient).flatten(), _rows(weight).flatten()) / norm
        result = gradient / norm
        _rows(result).addr_(u * (-along / norm), v)
        return result, None, None


def _is_channels_last(weight: Tensor) -> bool:
    return weight.ndim == 4 and not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)


def _rows(weight: Tensor) -> Tensor:
    """A row for each output; a view of weights that lie in one piece, columns in the order of memory."""
    return weight.permute(0, 2, 3, 1).flatten(1) if _is_channels_last(weight) else weight.flatten(1)


def _as_in_memory(v: Tensor, weight: Tensor) -> Tensor:
    """A copy of a vector with torch's order of columns in the order of `_rows`."""
    if not _is_channels_last(weight):
        return v.clone()
    return v.view(weight.shape[1:]).movedim(0, -1).flatten().clone()


def spectral_norm(layer: Module) -> Module:
    """Divide the layer's weight by its largest singular value (Miyato et al. 2018), one power iteration a step.

    The state dict has the names of `torch.nn.utils.parametrizations.spectral_norm`.
    """
    weight = layer.weight
    assert isinstance(weight, Tensor)
    parametrize.register_parametrization(layer, "weight", _FloatSpectralNorm(weight, 1, 0, 1e-12))
    return layer


def is_spectral_norm(module: nn.Module) -> bool:
    """Whether this is the parametrisation that holds a layer's ``_u`` and ``_v``."""
    return isinstance(module, _SpectralNorm)


@torch.no_grad()
def fold_spectral_norm(network: Module) -> Module:
    """Replace every spectrally normalised weight by its value, in place; the output in eval mode does not change.

    The network is left in eval mode (in train mode, reading a weight would take one more power iteration). The folded
    state dict fits a network built with ``spectral=False``.
    """
    network.eval()
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            if any(is_spectral_norm(p) for p in module.parametrizations["weight"]):  # type: ignore[index]
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return network
