"""The places of a result that deserve the first look: most uncertain, or least consistent with the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.quality_nodes import quality_of
from MedUSISLib.mrml.result_files import world_points
from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.review_state import crosshair_node, is_review_shown
from MedUSISLib.mrml.world_grid import as_array, index_to_local
from MedUSISLib.synthesis.result import MaskConsistency

UNCERTAIN, INCONSISTENT = "uncertain", "inconsistent"
APART_MM = 15.0
_SMOOTHING_MM = 3.0
_COARSE_MM = 2.0
_NEAR_MM = 10.0
_LEAST_ML = 0.05


@dataclass(frozen=True)
class Hotspot:
    """A place in the world.

    Attributes
    ----------
    ras : tuple of float
        Millimetres, all parent transforms included.
    kind : str
        ``"uncertain"`` or ``"inconsistent"``.
    text : str
        A sentence for a list.
    """

    ras: tuple[float, float, float]
    kind: str
    text: str


@dataclass(frozen=True)
class _Map:
    """A coarse map and where it lies: ``matrix`` goes from its index (i, j, k) to the node's own RAS."""

    array_kji: np.ndarray
    matrix: np.ndarray
    node: Any

    @property
    def spacing_kji(self) -> np.ndarray:
        return np.linalg.norm(self.matrix[:3, :3], axis=0)[::-1]

    def world(self, indices_kji: np.ndarray) -> np.ndarray:
        points = indices_kji[:, ::-1] @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return world_points(self.node, points)


def most_uncertain(nodes: SynthesisNodes, count: int = 5) -> list[Hotspot]:
    """The places with the largest variance around them, the largest first; fewer when there are not so many."""
    if nodes.uncertainty is None:
        return []
    import slicer

    variance = _coarse(
        slicer.util.arrayFromVolume(nodes.uncertainty), index_to_local(nodes.uncertainty), nodes.uncertainty
    )
    smooth = _smoothed(variance)
    found = _peaks(variance, smooth, count)
    return [
        Hotspot(point, UNCERTAIN, f"Place {number} of {len(found)}: standard deviation {np.sqrt(value):.2g}")
        for number, (point, value, _) in enumerate(found, start=1)
    ]


def most_inconsistent(nodes: SynthesisNodes, count: int = 5) -> list[Hotspot]:
    """The places with the most tissue missing or too much around them, the largest first."""
    if nodes.mask_consistency is None:
        return []
    slices_along = (quality_of(nodes).get("mask_consistency") or {}).get("slices_along", "k")
    found = []
    for value, words in (
        (MaskConsistency.TISSUE_MISSING, "tissue missing"),
        (MaskConsistency.TISSUE_TOO_MUCH, "too much tissue"),
    ):
        part = _patches(nodes.mask_consistency, value, slices_along)
        if part is None:
            continue
        for point, _, index in _peaks(part, _smoothed(part), count):
            amount = _millilitres_near(part, index)
            if amount >= _LEAST_ML:
                found.append((amount, point, words))
    found = sorted(found, key=lambda item: -item[0])[:count]
    return [
        Hotspot(point, INCONSISTENT, f"Place {number} of {len(found)}: {words}, {amount:.2g} ml nearby")
        for number, (amount, point, words) in enumerate(found, start=1)
    ]


def jump_to(hotspot: Hotspot, scene: Any | None = None) -> None:
    """Move the crosshair and the views there: those of the review while it is shown, else all."""
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    crosshair = crosshair_node(scene)
    if crosshair is not None:
        crosshair.SetCrosshairRAS(list(hotspot.ras))
    views = slice_views.review_slices(scene) if is_review_shown(scene) else slice_views.other_slices(scene)
    for view in views:
        slice_views.jump(view, hotspot.ras)


def _coarse(array_kji: np.ndarray, matrix: np.ndarray, node: Any) -> _Map:
    """Means of blocks of about 2 mm: a hotspot is larger than that, and a large volume becomes small."""
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)[::-1]
    steps = [
        int(np.clip(round(_COARSE_MM / size), 1, length)) for size, length in zip(spacing, array_kji.shape, strict=True)
    ]
    blocks = [length // step for length, step in zip(array_kji.shape, steps, strict=True)]
    cut = array_kji[tuple(slice(0, n * step) for n, step in zip(blocks, steps, strict=True))]
    shape = [size for pair in zip(blocks, steps, strict=True) for size in pair]
    coarse = cut.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32)
    steps_ijk = np.array(steps[::-1], float)
    moved = np.eye(4)
    moved[:3, :3] = matrix[:3, :3] * steps_ijk
    moved[:3, 3] = matrix[:3, :3] @ ((steps_ijk - 1) / 2) + matrix[:3, 3]
    return _Map(coarse, moved, node)


def _patches(node: Any, value: int, slices_along: str) -> _Map | None:
    """Part of each coarse voxel that lies in a compact patch of a value, or ``None`` without any.

    As in the quality report, the rim of a pixel that two outlines nearly always disagree about is opened away in every
    slice; a defect in a single slice stays.
    """
    import slicer
    import vtk
    from scipy.ndimage import maximum_filter, minimum_filter
    from vtk.util.numpy_support import vtk_to_numpy

    from MedUSISLib.mrml.result_maps import CONSISTENCY_SEGMENTS

    name = next(item.id for item in CONSISTENCY_SEGMENTS if item.value == value)
    segment = node.GetSegmentation().GetSegment(name)
    representation = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    image: Any = segment.GetRepresentation(representation) if segment is not None else None
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    scalars = image.GetPointData().GetScalars()
    extent = image.GetExtent()
    shape = (extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, extent[1] - extent[0] + 1)
    inside = vtk_to_numpy(scalars).reshape(shape) == segment.GetLabelValue()
    size = [3, 3, 3]
    size["kji".index(slices_along) if slices_along in ("k", "j", "i") else 0] = 1
    inside = maximum_filter(minimum_filter(inside, size, mode="constant"), size, mode="constant")
    if not inside.any():
        return None

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = as_array(matrix)
    to_ras[:3, 3] += to_ras[:3, :3] @ np.array([extent[0], extent[2], extent[4]], float)
    return _coarse(inside, to_ras, node)


def _smoothed(part: _Map) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(part.array_kji, _SMOOTHING_MM / part.spacing_kji, mode="constant")


def _peaks(part: _Map, smooth: np.ndarray, count: int) -> list[tuple[tuple[float, float, float], float, np.ndarray]]:
    """Local maxima that lie apart, the highest first: world point, height, index (k, j, i)."""
    from scipy.ndimage import maximum_filter

    highest = maximum_filter(smooth, size=3, mode="nearest")
    candidates = np.argwhere((smooth == highest) & (smooth > 0))
    heights = smooth[tuple(candidates.T)]
    # A plateau or noise has thousands of maxima; the best thousand are more than enough for a handful of places.
    order = np.argsort(-heights, kind="stable")[:1000]
    candidates, heights = candidates[order], heights[order]
    if not len(candidates):
        return []
    points = part.world(candidates.astype(float))
    chosen: list[int] = []
    for index in range(len(points)):
        if all(np.linalg.norm(points[index] - points[other]) >= APART_MM for other in chosen):
            chosen.append(index)
        if len(chosen) == count:
            break
    return [
        ((float(points[n][0]), float(points[n][1]), float(points[n][2])), float(heights[n]), candidates[n])
        for n in chosen
    ]


def _millilitres_near(part: _Map, index_kji: np.ndarray) -> float:
    offsets = [
        (np.arange(n) - at) * size
        for n, at, size in zip(part.array_kji.shape, index_kji, part.spacing_kji, strict=True)
    ]
    distance = np.add.outer(np.add.outer(offsets[0] ** 2, offsets[1] ** 2), offsets[2] ** 2)
    return float(part.array_kji[distance <= _NEAR_MM**2].sum() * np.prod(part.spacing_kji) / 1000)
