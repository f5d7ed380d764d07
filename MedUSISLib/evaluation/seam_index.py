"""Seams: whether a volume that was put together from windows changes more where windows end than beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

#: Planes that a border is compared with: nearer ones feel the jump themselves, farther ones may be other anatomy.
_NEIGHBOURS = (-8, -6, -4, 4, 6, 8)
#: Side of the patches that a jump is averaged over: a seam is seen because it runs on, texture is not.
_PATCH = 5
#: What is weaker than this share of the volume's contrast is not seen at all.
_UNSEEN = 1e-3
_FEWEST_PATCHES = 50


def seam_index(
    volume: np.ndarray,
    borders: Sequence[Sequence[int]],
    labels: np.ndarray | None = None,
) -> float | None:
    """Jump across the borders of windows over the jump across planes nearby; 1 where there are no seams.

    Across a plane between the voxels ``p - 1`` and ``p`` the jump is ``d(p) - (d(p - 1) + d(p + 1)) / 2`` with
    ``d(p) = v(p) - v(p - 1)``: a second difference of the steps, which slow changes of brightness do not reach. It is
    averaged with its sign over patches of 5 x 5 voxels in the plane, which leaves a seam and takes texture away, and
    its size is averaged over the plane. With ``labels`` only voxels count that have the same class, not background, on
    both sides of the plane (two voxels deep), so that borders of anatomy do not. The index is the mean over all
    borders, weighted by their area, over the mean of the planes four, six and eight voxels before and after each of
    them. To both a thousandth of the volume's standard deviation is added, which is below what anybody sees.

    Parameters
    ----------
    volume : ndarray [k, j, i]
        Intensities on the grid on which the windows lie.
    borders : three sequences of int
        For each array axis the first voxel behind each border; those too near to the end of the volume are left out.
    labels : ndarray of int [k, j, i], optional
        Class indices; 0 is background.

    Returns
    -------
    float or None
        ``None`` when no border crosses anything.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> tissue = 0.7 + 0.02 * rng.normal(size=(40, 40, 40))
    >>> stepped = tissue + 0.03 * (np.arange(40) >= 20)
    >>> round(seam_index(tissue, ((), (), (20,)))), round(seam_index(stepped, ((), (), (20,))))
    (1, 4)
    """
    if volume.ndim != 3 or len(borders) != 3:
        raise ValueError(f"a seam index needs a volume and the borders along three axes, not {volume.shape}")
    if labels is not None and labels.shape != volume.shape:
        raise ValueError(f"the labels must have the volume's shape {volume.shape}, not {labels.shape}")
    inside = volume if labels is None else volume[labels > 0]
    floor = _UNSEEN * float(inside.std(dtype=np.float64)) if inside.size else 0.0
    jumps = beside = area = 0.0
    for axis, found in enumerate(borders):
        planes = _Planes(volume, labels, axis)
        at_axis = sorted(set(found))
        for border in at_axis:
            jump, patches = planes.jump(border)
            around = [
                planes.jump(border + step)
                for step in _NEIGHBOURS
                if all(abs(border + step - other) >= 3 for other in at_axis)
            ]
            number = sum(count for _, count in around)
            if patches < _FEWEST_PATCHES or number < _FEWEST_PATCHES:
                continue
            jumps += patches * jump
            beside += patches * sum(size * count for size, count in around) / number
            area += patches
    if not area:
        return None
    jumps, beside = jumps / area + floor, beside / area + floor
    return jumps / beside if beside > 0 else 1.0


class _Planes:
    """Jumps across the planes of a volume along one axis; each is measured once."""

    def __init__(self, volume: np.ndarray, labels: np.ndarray | None, axis: int) -> None:
        self._volume = np.moveaxis(volume, axis, 0)
        self._labels = None if labels is None else np.moveaxis(labels, axis, 0)
        self._known: dict[int, tuple[float, int]] = {}

    def jump(self, place: int) -> tuple[float, int]:
        """Mean size of the jump between ``place - 1`` and ``place``, and the number of patches; (0, 0) outside."""
        if place < 2 or place > len(self._volume) - 2:
            return 0.0, 0
        if place not in self._known:
            self._known[place] = self._measured(place)
        return self._known[place]

    def _measured(self, place: int) -> tuple[float, int]:
        before, last, first, after = self._volume[place - 2 : place + 2].astype(np.float32)
        jump = (first - last) - ((last - before) + (after - first)) / 2
        valid = np.isfinite(jump)
        if self._labels is not None:
            own = self._labels[place - 2 : place + 2]
            valid &= (own[0] > 0) & (own[0] == own[1]) & (own[1] == own[2]) & (own[2] == own[3])
        if not valid.any():
            return 0.0, 0
        full = ndimage.uniform_filter(valid.astype(np.float32), _PATCH, mode="constant")
        mean = ndimage.uniform_filter(np.where(valid, jump, 0).astype(np.float32), _PATCH, mode="constant")
        used = valid & (full >= 0.5)
        return (float((np.abs(mean[used]) / full[used]).mean()), int(used.sum())) if used.any() else (0.0, 0)
