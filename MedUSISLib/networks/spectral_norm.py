"""Spectral norm on a layer, safe under autocast, and folding it away for inference."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

from MedUSISLib.networks.precision import in_full_precision

Module = TypeVar("Module", bound=nn.Module)


class _FloatSpectralNorm(_SpectralNorm):
    """torch's parametrisation with autocast off: its matrix-vector products would otherwise run in bfloat16, and the
    stored singular vectors with them (their norm is then off by up to 1/256, and so is every weight)."""

    def forward(self, weight: Tensor) -> Tensor:
        with in_full_precision(weight):
            return super().forward(weight)


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
