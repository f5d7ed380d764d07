"""One volume on another grid, slab by slab, so that memory is the result plus a few slices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from MedUSISLib.imaging.axis_operator import BORDER_VOXEL, AxisOperator, Interpolation, antialias_sigma, axis_operator
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

# Two grids count as parallel when no corner is off by more than this part of a source voxel.
_PARALLEL_VOXEL = 0.01
# Points per slab when the grids are rotated against each other: 3 coordinates of 8 bytes each stay below 30 MB.
_POINTS_PER_SLAB = 1_000_000


def resampled_slabs(
    volume: Volume, target: Geometry, interpolation: Interpolation, fill: float, antialias: bool, dtype: np.dtype
) -> Iterator[tuple[int, np.ndarray]]:
    """The volume on the target's grid, as (first k, slab [k, j, i]) in order of k.

    For results that are consumed as they come (written to a file, averaged); ``resample`` collects them.
    """
    layout = parallel_layout(volume.geometry, target)
    if layout is None:
        yield from _rotated_slabs(volume, target, interpolation, fill, antialias, dtype)
        return
    planes = _ParallelPlanes(volume, target, layout, interpolation, fill, antialias)
    for k in range(target.size_ijk[2]):
        slab = np.empty((1, *target.shape_kji[1:]), dtype=dtype)
        planes.write(k, slab[0])
        yield k, slab


def resample(
    volume: Volume,
    target: Geometry,
    interpolation: Interpolation | str = Interpolation.LINEAR,
    fill: float = 0.0,
    antialias: bool = True,
    dtype: np.dtype | type | None = None,
) -> Volume:
    """The volume on the target's grid.

    Parameters
    ----------
    volume : Volume
        Any orientation, spacing and size; a single slice counts as one slice thickness deep.
    target : Geometry
        The grid of the result; exactly this object becomes the result's geometry.
    interpolation : Interpolation
        "linear" for intensities, "nearest" for labels.
    fill : float
        Value more than half a voxel outside the volume.
    antialias : bool
        Gaussian smoothing along axes where the target is coarser (linear only).
    dtype : numpy dtype, optional
        Default: float32 for linear, the volume's own for nearest. Integers are rounded, and clipped to their range.

    Returns
    -------
    Volume
        On ``target``; ``meta`` is carried over.
    """
    interpolation = Interpolation(interpolation)
    if dtype is None:
        dtype = np.float32 if interpolation is Interpolation.LINEAR else volume.array_kji.dtype
    dtype = np.dtype(dtype)
    result = np.empty(target.shape_kji, dtype=dtype)
    layout = parallel_layout(volume.geometry, target)
    if layout is None:
        for first, slab in _rotated_slabs(volume, target, interpolation, fill, antialias, dtype):
            result[first : first + slab.shape[0]] = slab
    else:
        planes = _ParallelPlanes(volume, target, layout, interpolation, fill, antialias)
        for k, plane in enumerate(result):
            planes.write(k, plane)
    return Volume(result, target, dict(volume.meta))


def parallel_layout(source: Geometry, target: Geometry) -> tuple[int, int, int] | None:
    """For each target axis the parallel source axis, or None when the grids are rotated against each other."""
    cosines = source.axes.T @ target.axes
    along = np.abs(cosines).argmax(axis=0)
    if sorted(along) != [0, 1, 2]:
        return None
    rest = cosines.copy()
    rest[along, [0, 1, 2]] = 0.0
    # How far the far end of each target axis strays sideways, in source voxels.
    length_mm = np.asarray(target.size_ijk) * np.asarray(target.spacing_mm)
    stray = np.abs(rest * length_mm) / np.asarray(source.spacing_mm)[:, None]
    if stray.max() > _PARALLEL_VOXEL:
        return None
    return int(along[0]), int(along[1]), int(along[2])


class _ParallelPlanes:
    """A volume on a grid with parallel axes, plane by plane in order of k; keeps the source planes in use.

    ``layout`` is that of ``parallel_layout``.
    """

    def __init__(
        self,
        volume: Volume,
        target: Geometry,
        layout: tuple[int, int, int],
        interpolation: Interpolation,
        fill: float,
        antialias: bool,
    ) -> None:
        source = volume.geometry
        # Index of the source at target index (0,0,0) and one step along each target axis.
        start = source.lps_to_index(target.index_to_lps([(0, 0, 0)]))[0]
        operators: list[AxisOperator] = []
        for axis, along in enumerate(layout):
            sign = np.sign(source.axes[:, along] @ target.axes[:, axis])
            ratio = target.spacing_mm[axis] / source.spacing_mm[along]
            positions = start[along] + sign * ratio * np.arange(target.size_ijk[axis])
            sigma = antialias_sigma(ratio) if antialias and interpolation is Interpolation.LINEAR else 0.0
            operators.append(axis_operator(positions, source.size_ijk[along], interpolation, sigma))
        # A view of the source with its axes in the target's order (array axis 0 is k = axis 2).
        self._view = volume.array_kji.transpose([2 - layout[2], 2 - layout[1], 2 - layout[0]])
        self._op_i, self._op_j, self._op_k = operators
        self._fill = fill
        self._planes: dict[int, np.ndarray] = {}
        self._outside_j, self._outside_i = ~self._op_j.inside, ~self._op_i.inside
        self._some_outside = bool(self._outside_j.any() or self._outside_i.any())

    def write(self, k: int, out: np.ndarray) -> None:
        """Write one plane [j, i] into ``out``, in its type."""
        if not self._op_k.inside[k]:
            out[...] = self._fill
            return
        indices, weights = self._op_k.sources(k)
        wanted = set(indices.tolist())
        for old in [index for index in self._planes if index not in wanted]:
            del self._planes[old]
        for index in wanted - self._planes.keys():
            self._planes[index] = _plane(self._view[index], self._op_j, self._op_i)
        if indices.size == 1:
            plane = self._planes[int(indices[0])]
        else:
            plane = _weighted_sum(self._planes, indices, weights)
        out[...] = _cast(plane, out.dtype)
        if self._some_outside:
            out[self._outside_j] = self._fill
            out[:, self._outside_i] = self._fill


def _plane(plane: np.ndarray, op_j: AxisOperator, op_i: AxisOperator) -> np.ndarray:
    """One source plane [j, i] resampled in both directions."""
    if op_j.weights is None and op_i.weights is None:
        assert op_j.index is not None and op_i.index is not None
        rows, columns = _run(op_j.index), _run(op_i.index)
        if rows is not None and columns is not None:
            return plane[rows, columns]
        if op_j.index.size < plane.shape[0]:
            return plane.take(op_j.index, axis=0).take(op_i.index, axis=1)
        return plane.take(op_i.index, axis=1).take(op_j.index, axis=0)  # whole rows last: those are the most
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    plane = plane[op_j.index] if op_j.weights is None else op_j.weights @ plane
    return plane[:, op_i.index] if op_i.weights is None else (op_i.weights @ plane.T).T


def _run(index: np.ndarray) -> slice | None:
    """The indices as a slice when each is the one after (or before) the last: a view is ten times faster to take."""
    if index.size == 0:
        return slice(0, 0)
    step = int(index[1] - index[0]) if index.size > 1 else 1
    if step not in (1, -1) or not np.array_equal(index, np.arange(index[0], index[0] + step * index.size, step)):
        return None
    end = int(index[-1]) + step
    return slice(int(index[0]), end if end >= 0 else None, step)


def _weighted_sum(planes: dict[int, np.ndarray], indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.asarray(planes[int(indices[0])] * np.float32(weights[0]), dtype=np.float32)
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        total += planes[int(index)] * np.float32(weight)
    return total


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """In another type; whole numbers are rounded, and clipped to their range. The same array when it has it already."""
    if np.issubdtype(dtype, np.integer) and not np.issubdtype(values.dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype, copy=False)


def _smoothed(volume: Volume, target: Geometry) -> Volume:
    """The volume smoothed along its own axes, as far as the (rotated) target is coarser."""
    source = volume.geometry
    reach = np.sqrt(((source.axes.T @ target.axes * np.asarray(target.spacing_mm)) ** 2).sum(axis=1))
    sigmas = [antialias_sigma(r / s) for r, s in zip(reach, source.spacing_mm, strict=True)]
    if max(sigmas) == 0.0:
        return volume
    op_i, op_j, op_k = (
        axis_operator(np.arange(n, dtype=float), n, Interpolation.LINEAR, sigma)
        for n, sigma in zip(source.size_ijk, sigmas, strict=True)
    )
    result = np.empty(source.shape_kji, dtype=np.float32)
    planes: dict[int, np.ndarray] = {}
    for k in range(source.size_ijk[2]):
        indices, weights = op_k.sources(k)
        wanted = set(indices.tolist())
        planes = {index: plane for index, plane in planes.items() if index in wanted}
        for index in wanted - planes.keys():
            planes[index] = _plane(volume.array_kji[index], op_j, op_i).astype(np.float32)
        result[k] = _weighted_sum(planes, indices, weights)
    return Volume(result, source, volume.meta)


def _rotated_slabs(
    volume: Volume,
    target: Geometry,
    interpolation: Interpolation,
    fill: float,
    antialias: bool,
    dtype: np.dtype,
) -> Iterator[tuple[int, np.ndarray]]:
    from scipy.ndimage import map_coordinates

    linear = interpolation is Interpolation.LINEAR
    if linear and antialias:
        volume = _smoothed(volume, target)
    array = volume.array_kji
    if array.dtype == bool:
        array = array.view(np.uint8)
    step = np.linalg.inv(volume.geometry.matrix) @ target.matrix
    size_i, size_j, size_k = target.size_ijk
    last = np.asarray(volume.geometry.size_ijk) - 1
    i, j = np.arange(size_i), np.arange(size_j)
    depth = max(1, _POINTS_PER_SLAB // (size_i * size_j))
    for first in range(0, size_k, depth):
        k = np.arange(first, min(first + depth, size_k))
        coordinates = [
            step[axis, 3]
            + step[axis, 2] * k[:, None, None]
            + step[axis, 1] * j[None, :, None]
            + step[axis, 0] * i[None, None, :]
            for axis in range(3)
        ]
        inside = np.ones(coordinates[0].shape, dtype=bool)
        for axis, values in enumerate(coordinates):
            inside &= (values >= -BORDER_VOXEL) & (values <= last[axis] + BORDER_VOXEL)
            np.clip(values, 0, last[axis], out=values)
        if linear:
            slab = map_coordinates(array, coordinates[::-1], output=np.float32, order=1, mode="nearest")
        else:
            i_near, j_near, k_near = (np.floor(values + 0.5).astype(np.intp) for values in coordinates)
            slab = array[k_near, j_near, i_near]
        slab = _cast(slab, dtype)
        slab[~inside] = fill
        yield first, slab
