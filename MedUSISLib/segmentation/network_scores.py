"""`head-seg` applied to a volume: the log-probability of every class, slice by slice."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.segmentation.encoding import encode_ct, encode_mr, mr_scale, with_depth

Kind = Literal["ct", "mr"]

#: A head ends in a small dome. More than this at the top of the volume means that the vertex was cut off.
_VERTEX_AREA_MM2 = 3000.0
#: Up to this distance neighbouring slices show the same structures, and averaging them removes flicker.
_SMOOTHING_LIMIT_MM = 2.0
#: Logits are kept in half precision; below this a class is out of the question anyway.
_LOWEST = -20.0


def vertex_mm(head_kji: np.ndarray, geometry: Geometry) -> float:
    """Height of the top of the head along the grid's third axis, in mm above its first slice; NaN when cut off.

    Parameters
    ----------
    head_kji : bool array [k, j, i]
        On a grid whose k axis runs to the head.
    """
    pixel = geometry.spacing_mm[0] * geometry.spacing_mm[1]
    area = head_kji.sum(axis=(1, 2)) * pixel
    occupied = np.flatnonzero(area > 100)
    if not occupied.size or (occupied[-1] == len(area) - 1 and area[-1] > _VERTEX_AREA_MM2):
        return float("nan")
    return float(occupied[-1] * geometry.spacing_mm[2])


def class_scores(
    network: nn.Module,
    image: Volume,
    head: np.ndarray,
    kind: Kind,
    progress: Progress,
    *,
    size_ij: tuple[int, int] = (192, 256),
    batch_size: int = 8,
) -> Volume:
    """Log-probabilities on a grid of 1 mm in the plane.

    Parameters
    ----------
    network : nn.Module
        Takes (B, 4, H, W), see ``encoding``; H and W multiples of ``network.size_multiple``.
    image : Volume
        CT in HU or T1-weighted MR in any unit, on its own grid.
    head : bool array [k, j, i]
        What belongs to the patient, on the image's grid; gives the centre and the vertex.
    kind : {"ct", "mr"}

    Returns
    -------
    Volume
        ``array_kji`` is one class's scores; ``meta["scores"]`` is float16 [class, k, j, i], in [-20, 0].
    """
    spec = GridSpec(spacing_mm=(1.0, 1.0, 1.0), size_ij=size_ij)
    grid = plan_grid(image.geometry, spec, head)
    on_grid = conform(image, grid, "linear")
    head_on_grid = conform(Volume(head.astype(np.uint8), image.geometry), grid, "nearest").array_kji > 0
    top = vertex_mm(head_on_grid, grid)
    scale = mr_scale(on_grid.array_kji) if kind == "mr" else 1.0
    device = next(network.parameters()).device
    slices = grid.size_ijk[2]
    scores: np.ndarray | None = None
    with torch.inference_mode():
        for first in range(0, slices, batch_size):
            progress.checkpoint()
            last = min(first + batch_size, slices)
            batch = torch.from_numpy(on_grid.array_kji[first:last].astype(np.float32)).to(device)
            windows = encode_ct(batch) if kind == "ct" else encode_mr(batch / scale)
            depth = top - torch.arange(first, last, device=device) * grid.spacing_mm[2]
            log_probabilities = F.log_softmax(_padded(network, with_depth(windows, depth)).float(), 1)
            if scores is None:
                scores = np.empty((log_probabilities.shape[1], *on_grid.array_kji.shape), np.float16)
            scores[:, first:last] = log_probabilities.clamp(min=_LOWEST).transpose(0, 1).cpu().numpy()
            progress.step(last, slices)
    assert scores is not None
    if grid.spacing_mm[2] <= _SMOOTHING_LIMIT_MM and slices > 2:
        _smooth_across_slices(scores)
    return Volume(scores[0], grid, {"scores": scores})


def _padded(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """The network's answer for any size: padded to what it takes, cropped back."""
    multiple = getattr(network, "size_multiple", 1)
    height, width = batch.shape[2:]
    padding = (0, -width % multiple, 0, -height % multiple)
    return network(F.pad(batch, padding, mode="replicate"))[..., :height, :width]


def _smooth_across_slices(scores: np.ndarray) -> None:
    """Average each slice's scores with its neighbours' (weights 1/4, 1/2, 1/4), in place, class by class."""
    for one_class in scores:
        before = one_class[:-2].astype(np.float32)
        middle = one_class[1:-1].astype(np.float32)
        after = one_class[2:].astype(np.float32)
        one_class[1:-1] = 0.25 * before + 0.5 * middle + 0.25 * after
