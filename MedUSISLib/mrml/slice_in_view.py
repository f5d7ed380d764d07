"""Which place of a volume the user looks at, so that its slices can be drawn first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.world_grid import as_array, world_grid

Voxel = tuple[float, float, float]


def voxel_in_view(volume: Any) -> Voxel | None:
    """The voxel (i, j, k) where the slice views that show a volume cross.

    Each view moves the middle of the volume into its plane: where there is one view only, the other two indices are
    those of the middle.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode

    Returns
    -------
    tuple of float, or None
        Fractional, inside the volume; None when no view shows it, or it has no grid.
    """
    planes = list(_planes_that_show(volume))
    if not planes:
        return None
    try:
        grid = world_grid(volume)
    except MedUSISError:
        return None
    middle = (np.array(grid.size_ijk) - 1) / 2
    place = (grid.matrix @ [*middle, 1.0])[:3]
    for normal, point in planes:
        place = place + normal * (normal @ (point - place))
    index = np.clip((np.linalg.inv(grid.matrix) @ [*place, 1.0])[:3], 0, np.array(grid.size_ijk) - 1)
    return float(index[0]), float(index[1]), float(index[2])


def _planes_that_show(volume: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Normal and a point (RAS) of each slice view with the volume in one of its layers."""
    import slicer

    scene = volume.GetScene()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode") if scene is not None else 0):
        node = scene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
        composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(node)
        layers = () if composite is None else (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
        if volume.GetID() not in layers:
            continue
        matrix = as_array(node.GetSliceToRAS())
        length = np.linalg.norm(matrix[:3, 2])
        if np.isfinite(matrix).all() and length > 0:
            yield matrix[:3, 2] / length, matrix[:3, 3]
