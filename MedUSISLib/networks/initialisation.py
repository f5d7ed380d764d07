"""How convolutions start. Apply it *before* spectral norm is wrapped around a layer, or it acts on a wrong weight."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import torch
from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


class Initialisation(StrEnum):
    """The two starts that the SPADE and OASIS papers and their relatives use."""

    XAVIER = "xavier"
    """Glorot's normal start, as in the SPADE paper (Park et al. 2019, section 4)."""
    NORMAL = "normal"
    """Gaussian with standard deviation `gain` (0.02 in the pix2pix family)."""


@torch.no_grad()
def initialise(layer: Layer, scheme: Initialisation = Initialisation.XAVIER, gain: float = 1.0) -> Layer:
    """Set the weights of one convolution or linear layer and zero its bias; returns the layer.

    Parameters
    ----------
    layer : nn.Module
        A layer with ``weight`` and, maybe, ``bias``; not yet wrapped with spectral norm.
    scheme : Initialisation
        Which start.
    gain : float
        Factor of the Xavier start, or the standard deviation of the normal one.

    Raises
    ------
    ValueError
        If the layer carries a parametrisation already.
    """
    if nn.utils.parametrize.is_parametrized(layer):
        raise ValueError("initialise before wrapping with spectral norm")
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    if weight.is_meta:  # it is about to be loaded; drawing "nothing" would import the compiler of torch (1.3 s)
        return layer
    if scheme is Initialisation.XAVIER:
        nn.init.xavier_normal_(weight, gain=gain)
    else:
        nn.init.normal_(weight, std=gain)
    bias = getattr(layer, "bias", None)
    if bias is not None:
        nn.init.zeros_(bias)
    return layer
