"""Where a segmentation lies, at a glance: without resampling and without reading all of its voxels."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from MedUSISLib.mrml.segment_parts import Layer, parts
from MedUSISLib.mrml.world_grid import index_map, size_ijk

_SAMPLE_VOXELS = 2_000_000


def label_values_in_sample(node: Any) -> list[int]:
    """Label values in a sample of a label map's voxels, sorted, without 0; rare ones may be missing.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when values are not whole numbers.
    """
    from MedUSISLib.anatomy.lookup import as_integers, unique_values

    found: set[int] = set()
    for part in parts(node, keys=["1"]):
        array = part.array_kji if isinstance(part, Layer) else np.empty(0)
        step = max(1, round((array.size / _SAMPLE_VOXELS) ** (1 / 3)))
        found |= set(unique_values(as_integers(np.ascontiguousarray(array[::step, ::step, ::step]))))
        if found <= {0} and array.any():
            found |= set(unique_values(as_integers(array)))
    return sorted(found - {0})


class Placement(Enum):
    """How a segmentation lies to a CT, judged by boxes."""

    EMPTY = "empty"
    BESIDE = "beside"
    TOUCHING = "touching"


def placement(ct: Any, node: Any) -> Placement:
    """BESIDE is certain (no box around a layer or surface meets the CT); TOUCHING may still mean no common voxel."""
    last = np.asarray(size_ijk(ct)) - 1
    result = Placement.EMPTY
    for part in parts(node, keys=["1"]):
        corners = _box_corners(part)
        if corners is None:
            continue
        local_to_ct = index_map(ct, node, np.eye(4))
        if not isinstance(local_to_ct, np.ndarray):
            return Placement.TOUCHING  # a bent box has no corners to go by
        inside = np.linalg.inv(local_to_ct) @ np.vstack([corners.T, np.ones(len(corners))])
        low, high = inside[:3].min(axis=1), inside[:3].max(axis=1)
        if np.all(high >= -0.5) and np.all(low <= last + 0.5):
            return Placement.TOUCHING
        result = Placement.BESIDE
    return result


def _box_corners(part: Any) -> np.ndarray | None:
    """Corners (8, 3) in the node's own RAS of what a part holds, half a voxel around it; None when it is empty."""
    if not isinstance(part, Layer):
        bounds = np.array(part.mesh.GetBounds()).reshape(3, 2)
        return np.array([[x, y, z] for x in bounds[0] for y in bounds[1] for z in bounds[2]])
    filled = [part.array_kji.any(axis=tuple(a for a in range(3) if a != axis)) for axis in (2, 1, 0)]
    if not filled[0].any():
        return None
    ends = [(np.flatnonzero(axis)[0] - 0.5, np.flatnonzero(axis)[-1] + 0.5) for axis in filled]
    box = np.array([[i, j, k, 1.0] for i in ends[0] for j in ends[1] for k in ends[2]])
    return (part.index_to_local @ box.T).T[:, :3]
