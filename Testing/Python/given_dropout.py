"""Dropout in a plain network from the mask sources that prepared networks use, to compare the two."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedUSISLib.networks.keep_masks import MaskSource


class GivenDropout(nn.Module):
    """What ``nn.Dropout`` computes, with each image's mask from a source of its own."""

    def __init__(self, sources: Sequence[MaskSource], rate: float) -> None:
        super().__init__()
        self.sources, self.rate = sources, rate

    def forward(self, x: Tensor) -> Tensor:
        masks = [source.keep((*x.shape[2:], x.shape[1]), self.rate) for source in self.sources]
        return x * (torch.stack(masks) != 0).movedim(-1, 1) / (1 - self.rate)


def give_dropout(network: nn.Module, seeds: Sequence[int]) -> None:
    """Every dropout layer of the network draws from these seeds, one for each image of a batch, in turn."""
    sources = [MaskSource(seed, torch.device("cpu")) for seed in seeds]
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(parent, name, GivenDropout(sources, child.p))
            elif isinstance(child, GivenDropout):
                child.sources = sources
