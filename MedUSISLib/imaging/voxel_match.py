"""Two grids whose voxels coincide, in any order of axes and any part: carried over without resampling."""

from __future__ import annotations

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

# NIfTI keeps its matrix as 32-bit floats, DICOM its positions as 16 characters: some micrometres at the far end of a
# volume. More than a twentieth of a voxel is another grid.
TOLERANCE_VOXEL = 0.05


def carried_over(volume: Volume, geometry: Geometry, tolerance_voxel: float = TOLERANCE_VOXEL) -> np.ndarray | None:
    """The voxels of a volume on another grid, when each of its voxels is a voxel of that grid.

    Axes may be swapped and reversed (DICOM to NIfTI and back does both), and the volume may cover a part of the grid
    only, or reach beyond it.

    Parameters
    ----------
    volume : Volume
    geometry : Geometry
        Of the wanted grid.
    tolerance_voxel : float
        How far a corner of the volume may lie from a voxel centre of the grid.

    Returns
    -------
    ndarray or None
        ``[k, j, i]`` of ``geometry``, 0 where the volume is not; None when the voxels do not coincide.

    Examples
    --------
    >>> down = Geometry((1, 1, 2), direction=(1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0))
    >>> up = Geometry((1, 1, 2), origin_lps_mm=(0.0, 0.0, -1.0))
    >>> carried_over(Volume(np.array([[[1]], [[2]]]), down), up).ravel().tolist()
    [2, 1]
    """
    steps = _whole_steps(volume.geometry, geometry, tolerance_voxel)
    if steps is None:
        return None
    turned, start, corners = steps
    # array axes count k, j, i; matrix axes i, j, k
    from_axis = np.abs(turned).argmax(axis=1)
    array = volume.array_kji.transpose([2 - int(from_axis[axis]) for axis in (2, 1, 0)])
    array = array[tuple(slice(None, None, int(turned[axis, from_axis[axis]])) for axis in (2, 1, 0))]
    first = (corners @ turned.T + start).min(axis=0)[::-1]
    return _placed(array, first, geometry.shape_kji)


def same_voxels(a: Geometry, b: Geometry, tolerance_voxel: float = TOLERANCE_VOXEL) -> bool:
    """True when two grids hold the same voxels, whatever the order and direction of their axes.

    Examples
    --------
    >>> down = Geometry((1, 1, 2), direction=(1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0))
    >>> same_voxels(down, Geometry((1, 1, 2), origin_lps_mm=(0.0, 0.0, -1.0)))
    True
    """
    steps = _whole_steps(a, b, tolerance_voxel)
    if steps is None:
        return False
    turned, start, corners = steps
    reached = corners @ turned.T + start
    return bool((reached.min(axis=0) == 0).all() and (reached.max(axis=0) == np.asarray(b.size_ijk) - 1).all())


def _whole_steps(a: Geometry, b: Geometry, tolerance_voxel: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Indices of grid a to those of grid b: matrix and shift of whole numbers, and the corners of a; or None."""
    to_grid = np.linalg.inv(b.matrix) @ a.matrix
    turned = np.rint(to_grid[:3, :3]).astype(int)
    if not (np.abs(turned).sum(axis=0) == 1).all() or not (np.abs(turned).sum(axis=1) == 1).all():
        return None
    start = np.rint(to_grid[:3, 3]).astype(int)
    last = np.asarray(a.size_ijk) - 1
    corners = np.array([[i, j, k] for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])])
    points = np.concatenate([corners, np.eye(3, dtype=int)])  # a single slice has a third axis too
    exact = points @ to_grid[:3, :3].T + to_grid[:3, 3]
    if np.abs(exact - (points @ turned.T + start)).max() > tolerance_voxel:
        return None
    return turned, start, corners


def _placed(array: np.ndarray, first_kji: np.ndarray, shape_kji: tuple[int, int, int]) -> np.ndarray:
    if array.shape == shape_kji and not first_kji.any():
        return np.ascontiguousarray(array)
    result = np.zeros(shape_kji, array.dtype)
    target, part = [], []
    for begin, length, whole in zip(first_kji, array.shape, shape_kji, strict=True):
        low, high = max(int(begin), 0), min(int(begin) + length, whole)
        if low >= high:
            return result
        target.append(slice(low, high))
        part.append(slice(low - int(begin), high - int(begin)))
    result[tuple(target)] = array[tuple(part)]
    return result
