"""Exponential moving average of a network's weights, done so that spectral norm and BatchNorm survive it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from MedUSISLib.networks.dropout import set_mc_dropout


class ExponentialMovingAverage:
    """A slow copy of a network: ``average <- d * average + (1 - d) * live``.

    The decay is ramped, ``d = min(decay, (1 + t) / (10 + t))``, or an average of .9999 would still show the start after
    20 thousand steps. Only parameters are averaged. Buffers are copied: the average of spectral norm's ``_u`` and
    ``_v`` is not a singular vector of anything and ruins the network. BatchNorm statistics are copied too, but
    they belong to the live weights: call `refresh_batch_norm` before saving or judging.

    Parameters
    ----------
    network : nn.Module
        The live network; it is copied.
    decay : float
        Target decay in [0, 1).

    Examples
    --------
    >>> live = nn.Linear(2, 2)
    >>> ema = ExponentialMovingAverage(live, decay=0.98)
    >>> ema.update(live)              # after every optimiser step
    >>> averaged = ema.network        # in eval mode, without gradients
    """

    def __init__(self, network: nn.Module, decay: float = 0.9999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay must be in [0, 1), got {decay}")
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @property
    def current_decay(self) -> float:
        """The ramped decay of the next update."""
        return min(self.decay, (1 + self.steps) / (10 + self.steps))

    @torch.no_grad()
    def update(self, live: nn.Module) -> None:
        """Take one step of the live network in."""
        weight = 1 - self.current_decay
        averaged: list[Tensor] = list(self.network.parameters())
        current: list[Tensor] = list(live.parameters())
        torch._foreach_lerp_(averaged, current, weight)
        for mine, theirs in zip(self.network.buffers(), live.buffers(), strict=True):
            mine.copy_(theirs)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"network": self.network.state_dict(), "steps": self.steps, "decay": self.decay}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From a checkpoint; the decay stays the one of this object, so that a resumed run can change it."""
        self.network.load_state_dict(state["network"])
        self.steps = int(state["steps"])


@torch.no_grad()
def refresh_batch_norm(
    network: nn.Module, batches: Iterable[Tensor | tuple[Any, ...]], dropout: bool = True
) -> nn.Module:
    """Measure BatchNorm's statistics again for the weights that the network has now; four batches suffice.

    Only the BatchNorm layers (and dropout, as in training and in the passes) are in train mode while it runs, so
    spectral norm's vectors are left alone. All layers get their old mode back.

    Parameters
    ----------
    network : nn.Module
    batches : iterable
        Arguments of the network's call: a tensor, or a tuple such as ``(onehot, z)``.
    dropout : bool
        Whether dropout is on meanwhile.

    Raises
    ------
    ValueError
        If there is no batch.
    """
    modes = {module: module.training for module in network.modules()}
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    network.eval()
    set_mc_dropout(network, dropout)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    count = 0
    try:
        for batch in batches:
            network(*batch) if isinstance(batch, (tuple, list)) else network(batch)
            count += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode
    if norms and not count:
        raise ValueError("BatchNorm cannot be refreshed without a batch")
    return network
