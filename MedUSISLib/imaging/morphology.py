"""Growing, shrinking and filling of boolean volumes, a whole stack of planes at a time.

The same results as ``scipy.ndimage``, whose functions look at every voxel's neighbours one by one and fill holes by
growing from outside until nothing changes: for the body in a CT that took five times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedUSISLib.imaging.connected_parts import ConnectedParts
from MedUSISLib.imaging.crop import bounding_box


def dilated(
    mask: np.ndarray, iterations: int, axes: Sequence[int] = (0, 1, 2), within: np.ndarray | None = None
) -> np.ndarray:
    """A mask grown by its direct neighbours along some axes, ``iterations`` times.

    Parameters
    ----------
    mask : bool array
    iterations : int
    axes : sequence of int
        The others are left alone: with two of three, each plane grows by itself.
    within : bool array, optional
        Only there anything is added.

    Returns
    -------
    bool array
        A new one.

    Examples
    --------
    >>> dilated(np.array([[0, 0, 0, 1]], bool), 2, axes=[1]).astype(int)
    array([[0, 1, 1, 1]])
    """
    now = mask
    for _ in range(iterations):
        grown = now.copy()
        for axis in axes:
            for target, source in _neighbours(grown, now, axis):
                target |= source
        if within is not None:
            grown &= within
            grown |= now
            if np.array_equal(grown, now):
                break
        now = grown
    return now.copy() if now is mask else now


def eroded(mask: np.ndarray, iterations: int, axes: Sequence[int] = (0, 1, 2), outside: bool = False) -> np.ndarray:
    """A mask shrunk where a direct neighbour along some axes is not in it; ``outside``: what lies beyond the array."""
    now = mask
    for _ in range(iterations):
        shrunk = now.copy()
        for axis in axes:
            for target, source in _neighbours(shrunk, now, axis):
                target &= source
            if not outside:
                ends = np.moveaxis(shrunk, axis, 0)
                ends[0] = ends[-1] = False
        now = shrunk
    return now.copy() if now is mask else now


def shrunk_by_box(mask: np.ndarray, half_widths: Sequence[int]) -> np.ndarray:
    """Only what has the whole box around it in the mask; beyond the array it continues as at its faces."""
    result = mask.copy()
    for axis, half_width in enumerate(half_widths):
        steps = range(1, min(half_width, mask.shape[axis] - 1) + 1)
        before = result.copy() if steps else result
        for step in steps:
            for target, source in _neighbours(result, before, axis, step):
                target &= source
    return result


def closed(mask: np.ndarray, iterations: int, axes: Sequence[int] = (0, 1, 2)) -> np.ndarray:
    """Grown, then shrunk as often."""
    return eroded(dilated(mask, iterations, axes), iterations, axes)


def filled(mask: np.ndarray, axes: Sequence[int] = (0, 1, 2)) -> np.ndarray:
    """A mask with its holes: what cannot be reached from the array's faces by steps along the axes.

    Examples
    --------
    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    >>> bool(filled(ring, axes=[0, 1]).all())
    True
    """
    box = bounding_box(mask)
    if box is None:
        return mask.copy()
    last = max(axes)
    # beyond the box around the mask all is outside, and so is what touches it
    outside = np.moveaxis(~mask[box], last, -1)
    turned = [axis if axis < last else outside.ndim - 1 for axis in axes]
    parts = ConnectedParts.of(outside, turned)
    holes = ~parts.at_faces(turned)
    result = mask.copy()
    if holes.any():
        result[box] |= np.moveaxis(parts.chosen(holes), -1, last)
    return result


def _neighbours(
    target: np.ndarray, source: np.ndarray, axis: int, step: int = 1
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Views of both arrays, shifted against each other along an axis in both directions."""
    low, high = (
        tuple(part if other == axis else slice(None) for other in range(target.ndim))
        for part in (slice(None, -step), slice(step, None))
    )
    return (target[high], source[low]), (target[low], source[high])
