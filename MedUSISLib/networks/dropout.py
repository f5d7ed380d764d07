"""Dropout that stays on for the passes of the uncertainty map (Gal and Ghahramani 2016; book chapter 9, eq. 9.10)."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.dropout import _DropoutNd


def set_mc_dropout(network: nn.Module, on: bool = True) -> nn.Module:
    """Switch only the dropout layers to train mode (or back); everything else keeps its mode. Returns the network.

    The masks come from torch's global random state: call ``torch.manual_seed`` before a pass to repeat it.
    """
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.train(on)
    return network


def has_dropout(network: nn.Module) -> bool:
    """Whether passes can differ at all."""
    return any(isinstance(module, _DropoutNd) and module.p > 0 for module in network.modules())
