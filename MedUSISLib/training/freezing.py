"""Which weights of a generator stay as they are while it is fine-tuned."""

from __future__ import annotations

from torch import nn

from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.spade import Spade
from MedUSISLib.training.fine_tuning import Frozen

_LAST_BLOCKS = 2


def freeze(generator: nn.Module, frozen: Frozen, new_classes: bool) -> int:
    """Switch gradients off for what is frozen; returns how many weights are still trained.

    Parameters
    ----------
    generator : nn.Module
        With ``start`` and ``blocks``.
    frozen : {"none", "early_blocks", "all_but_spade_and_last_blocks"}
    new_classes : bool
        Then every convolution that reads the labels is trained in any case: a new class has nothing to keep.

    Notes
    -----
    BatchNorm's statistics belong to the data and follow it everywhere.
    """
    blocks: list[nn.Module] = list(generator.blocks)  # type: ignore[arg-type]
    if frozen == "early_blocks":
        for part in (generator.start, *blocks[: max(1, len(blocks) // 2)]):
            part.requires_grad_(False)
    elif frozen == "all_but_spade_and_last_blocks":
        for part in blocks[: max(0, len(blocks) - _LAST_BLOCKS)]:
            part.requires_grad_(False)
            for module in part.modules():
                if isinstance(module, Spade):
                    module.requires_grad_(True)
    if new_classes:
        for module in generator.modules():
            if isinstance(module, ConditionConvolution):
                module.requires_grad_(True)
    return sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)
