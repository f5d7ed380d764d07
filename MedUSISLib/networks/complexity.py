"""Parameters and multiply-accumulates of the networks, counted on the meta device: no memory, no arithmetic.

Torch's own counter sees every convolution and matrix product where it is dispatched, so products that a module does by
hand (SPADE joins gamma and beta into one convolution) are counted like those that a module hook would see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from MedUSISLib.networks.factory import build_network


@dataclass(frozen=True)
class Complexity:
    """What one call of a network costs."""

    parameters: int
    """Live ones only: those that the output depends on."""
    gmac: float
    """Milliards of multiply-accumulates in convolutions and matrix products, forward."""


def measure(network: nn.Module, *inputs: Tensor) -> Complexity:
    """Count one forward pass; a network on the meta device needs meta inputs.

    Parameters
    ----------
    network : nn.Module
        Its mode is kept; its gradients are cleared.
    *inputs : Tensor
        Arguments of its call.
    """
    network.zero_grad(set_to_none=True)
    counter = FlopCounterMode(display=False)
    with torch.enable_grad():
        with counter:
            output = network(*inputs)
        output.sum().backward()
    live = sum(p.numel() for p in network.parameters() if p.grad is not None)
    network.zero_grad(set_to_none=True)
    return Complexity(live, counter.get_total_flops() / 2 / 1e9)


def network_table(classes: int, spatial_dims: int = 2, size: int = 256) -> dict[str, dict[str, Any]]:
    """Parameters and GMACs of the four networks at their standard widths, for one image.

    Parameters
    ----------
    classes : int
        ``C`` of the label schema.
    spatial_dims : {2, 3}
    size : int
        Side of the image; a multiple of 64.

    Returns
    -------
    dict
        For each network ``parameters``, ``gmac`` and, for generators, ``gmac_constant_noise``: with one noise vector
        for the whole image, the usual case, noise is not convolved over space. ``gmac`` is for a map of noise, as in
        the publications.

    Raises
    ------
    ValueError
        If the number of classes is below 1, or the size no multiple of 64.

    Examples
    --------
    >>> round(network_table(31)["wavelet_discriminator"]["parameters"] / 1e6, 1)
    26.2
    """
    if classes < 1:
        raise ValueError(f"at least one class is needed, got {classes}")
    if size < 64 or size % 64:
        raise ValueError(f"size must be a multiple of 64, got {size}")
    shape = (size,) * spatial_dims
    table: dict[str, dict[str, Any]] = {}
    with torch.device("meta"):
        image, labels = torch.empty(1, 1, *shape), torch.empty(1, classes, *shape)
        for name in ("wavelet_generator", "oasis_generator"):
            network = build_network(name, {"number_of_classes": classes, "spatial_dims": spatial_dims}).eval()
            mapped = measure(network, labels, torch.empty(1, 64, *shape))
            constant = measure(network, labels, torch.empty(1, 64))
            table[name] = _row(mapped) | {"gmac_constant_noise": round(constant.gmac, 2)}
        judge = build_network("wavelet_discriminator", {"spatial_dims": spatial_dims, "image_size": size})
        table["wavelet_discriminator"] = _row(measure(judge, image))
        segmentator = build_network("segmentator", {"number_of_classes": classes, "spatial_dims": spatial_dims}).eval()
        table["segmentator"] = _row(measure(segmentator, image))
    return table


def _row(complexity: Complexity) -> dict[str, Any]:
    return {"parameters": complexity.parameters, "gmac": round(complexity.gmac, 2)}
