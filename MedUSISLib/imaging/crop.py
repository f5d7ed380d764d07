"""Cutting out what matters, with a centre that follows the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume


def bounding_box(mask: np.ndarray) -> tuple[slice, ...] | None:
    """The smallest box that holds every true voxel, one slice per array axis; None for an empty mask.

    Examples
    --------
    >>> bounding_box(np.array([[0, 0, 0, 0], [0, 1, 1, 0]], bool))
    (slice(1, 2, None), slice(1, 3, None))
    """
    # Projections of projections: each touches the volume at most once.
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if hit.size == 0:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def body_centre_lps(geometry: Geometry, mask: np.ndarray) -> np.ndarray:
    """Middle of the body's bounding box in LPS millimetres; the grid's middle when the mask is empty.

    The box rather than the centre of mass: with it the whole body fits whenever it can.
    """
    box = bounding_box(mask)
    if box is None:
        return geometry.centre_lps
    middle_kji = [(part.start + part.stop - 1) / 2 for part in box]
    return geometry.index_to_lps([middle_kji[::-1]])[0]


def crop_or_pad(array: np.ndarray, size: Sequence[int], centre: Sequence[float], fill: float = 0) -> np.ndarray:
    """A window of the given size around a (fractional) centre index; what lies outside the array is ``fill``.

    Parameters
    ----------
    array : ndarray
        A slice or a volume; ``size`` and ``centre`` follow its axes.

    Examples
    --------
    >>> crop_or_pad(np.arange(5), [4], [0]).tolist()
    [0, 0, 0, 1]
    """
    result = np.full(tuple(size), fill, dtype=array.dtype)
    inner, outer = [], []
    for n, wanted, middle in zip(array.shape, size, centre, strict=True):
        first = int(np.floor(middle - (wanted - 1) / 2 + 1e-9))
        begin, end = max(first, 0), min(first + wanted, n)
        if end <= begin:
            return result
        inner.append(slice(begin, end))
        outer.append(slice(begin - first, end - first))
    result[tuple(outer)] = array[tuple(inner)]
    return result


def crop_to_box(volume: Volume, box: Sequence[slice]) -> Volume:
    """A part of a volume (a view of its voxels), with the geometry moved along."""
    starts = [part.indices(n)[0] for part, n in zip(box, volume.array_kji.shape, strict=True)]
    array = volume.array_kji[tuple(box)]
    geometry = volume.geometry
    origin = geometry.index_to_lps([starts[::-1]])[0]
    cropped = Geometry(array.shape[::-1], geometry.spacing_mm, tuple(origin), geometry.direction)
    return Volume(array, cropped, dict(volume.meta))
