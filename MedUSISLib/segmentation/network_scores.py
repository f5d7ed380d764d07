"""`head-seg` applied to a volume: the log-probability of every class, slice by slice."""

from __future__ import annotations

from collections.abc import Callable
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
from MedUSISLib.segmentation.encoding import WHITE_MATTER_LEVEL, encode_ct, encode_mr, mr_scale, with_depth

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
    white_matter: int = 9,
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
    white_matter : int
        Its class index; an MR is scaled by it.

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
    device = next(network.parameters()).device

    def log_probabilities(indices: np.ndarray, scale: float) -> torch.Tensor:
        batch = torch.from_numpy(on_grid.array_kji[indices].astype(np.float32)).to(device)
        windows = encode_ct(batch) if kind == "ct" else encode_mr(batch / scale)
        depth = top - torch.from_numpy(indices).to(device) * grid.spacing_mm[2]
        return F.log_softmax(answer_of_any_size(network, with_depth(windows, depth)).float(), 1)

    slices = grid.size_ijk[2]
    scores: np.ndarray | None = None
    with torch.inference_mode():
        scale = 1.0 if kind == "ct" else _white_matter_scale(on_grid.array_kji, log_probabilities, white_matter)
        for first in range(0, slices, batch_size):
            progress.checkpoint()
            last = min(first + batch_size, slices)
            answer = log_probabilities(np.arange(first, last), scale)
            if scores is None:
                scores = np.empty((answer.shape[1], *on_grid.array_kji.shape), np.float16)
            scores[:, first:last] = answer.clamp(min=_LOWEST).transpose(0, 1).cpu().numpy()
            progress.step(last, slices)
    assert scores is not None
    if grid.spacing_mm[2] <= _SMOOTHING_LIMIT_MM and slices > 2:
        _smooth_across_slices(scores)
    return Volume(scores[0], grid, {"scores": scores})


def _white_matter_scale(
    volume: np.ndarray, log_probabilities: Callable[[np.ndarray, float], torch.Tensor], white_matter: int
) -> float:
    """What the MR is divided by, so that white matter, found in a first look, comes to where it was in training.

    A percentile alone depends on how bright the fat is: on a real T1 it left white matter at .44 instead of .68, and
    cortex at a Dice of .65 instead of .78.
    """
    scale = 0.7 * mr_scale(volume)
    tissue = (volume > 0.1 * scale).sum(axis=(1, 2))
    occupied = np.flatnonzero(tissue > 0.3 * tissue.max()) if tissue.any() else np.arange(0)
    if not occupied.size:
        return max(scale, 1e-6)
    for _ in range(2):  # the second look is on the right scale and hardly moves
        looked = occupied[np.linspace(0, occupied.size - 1, min(8, occupied.size)).round().astype(int)]
        answer = log_probabilities(looked, scale).argmax(1).cpu().numpy()
        white = volume[looked][answer == white_matter]
        if white.size < 500:
            break
        scale = float(np.median(white)) / WHITE_MATTER_LEVEL
    return max(scale, 1e-6)


def answer_of_any_size(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
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
