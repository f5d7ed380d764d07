"""What the processes that train together tell each other within a step: sums of gradients, of counts, of losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from MedUSISLib.networks.all_reduce import sum_over_processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Processes:
    """All processes of a training; with one, everything here returns what it was given.

    Each process works on a part of the batch and weighs its losses by that part's share of the whole, so what has to
    be done with gradients and losses is a *sum*. Every process must make the same calls in the same order.

    Parameters
    ----------
    fabric : Fabric

    Attributes
    ----------
    rank, world : int
    """

    def __init__(self, fabric: Fabric) -> None:
        self.rank, self.world, self._device = fabric.global_rank, fabric.world_size, fabric.device

    @torch.no_grad()
    def total(self, numbers: Tensor) -> Tensor:
        """The sum of the same tensor of all processes."""
        if self.world == 1:
            return numbers
        return sum_over_processes(numbers.to(self._device)).to(numbers.device)

    @torch.no_grad()
    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its sum over the processes: one flat all-reduce.

        Notes
        -----
        A weight that has a gradient in some processes only (a loss that needs pairs, where a process drew none) counts
        as 0 in the others. One that has none anywhere keeps none, because Adam treats 0 as a gradient.
        """
        if self.world == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        present = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=self._device)
        pieces = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([present, *(piece.reshape(-1).float() for piece in pieces)])
        flat = sum_over_processes(flat)
        present, flat = flat[: len(trained)], flat[len(trained) :]
        for parameter, somewhere in zip(trained, present.tolist(), strict=True):
            own, flat = flat[: parameter.numel()], flat[parameter.numel() :]
            if somewhere:
                if parameter.grad is None:
                    parameter.grad = torch.empty_like(parameter)
                parameter.grad.copy_(own.view_as(parameter))

    def total_losses(self, losses: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
        """The sum of each loss; ``names`` are all that may be there, in one order everywhere.

        Raises
        ------
        KeyError
            For a loss that is not among the names.
        """
        if self.world == 1:
            return dict(losses)
        known = list(names)
        table = torch.zeros(2, len(known), dtype=torch.double)
        for name, value in losses.items():
            if name not in known:
                raise KeyError(name)
            table[0, known.index(name)], table[1, known.index(name)] = value, 1
        values, present = self.total(table).tolist()
        return {name: value for name, value, there in zip(known, values, present, strict=True) if there}

    @torch.no_grad()
    def share_weights(self, network: nn.Module) -> None:
        """Let every process have the first one's weights and buffers."""
        if self.world == 1:
            return
        for tensor in network.state_dict().values():
            sent = tensor.to(self._device).contiguous()
            torch.distributed.broadcast(sent, 0)
            tensor.copy_(sent)
