"""In which order slices are computed: those that somebody looks at first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedUSISLib.imaging.geometry import Geometry

Voxel = tuple[float, float, float]


def outward(numbers: Sequence[int], first: float | None, together: int = 1) -> list[int]:
    """Slice numbers in groups that are computed at once, the nearest group first.

    The groups are the same whatever is first, so that the order changes no voxel: in another batch the same slice
    differs in its last digit. For the same reason a smaller group, if there is one, stays the last.

    Parameters
    ----------
    numbers : sequence of int
        In ascending order.
    first : float, optional
        The slice to begin with; None keeps the order.
    together : int
        Slices in a group.

    Examples
    --------
    >>> outward([3, 4, 5, 6, 7], 6.2)
    [6, 7, 5, 4, 3]
    >>> outward([3, 4, 5, 6, 7], 6.2, together=2)
    [5, 6, 3, 4, 7]
    """
    if first is None:
        return list(numbers)
    groups = [list(numbers[at : at + together]) for at in range(0, len(numbers), together)]
    last = groups.pop() if groups and len(groups[-1]) < together else []
    groups.sort(key=lambda group: min(abs(number - first) for number in group))
    return [*(number for group in groups for number in group), *last]


def nearest_first(numbers: Sequence[int], first: float | None) -> list[int]:
    """Positions of the slice numbers, the one nearest to ``first`` in front.

    Examples
    --------
    >>> nearest_first([4, 5, 6], 5.8)
    [2, 1, 0]
    """
    if first is None:
        return list(range(len(numbers)))
    return sorted(range(len(numbers)), key=lambda position: abs(numbers[position] - first))


def voxel_on_grid(voxel: Voxel | None, ct: Geometry, grid: Geometry) -> Voxel | None:
    """A voxel (i, j, k) of the CT as the index [k, j, i] of the same place on the generator's grid, fractional."""
    if voxel is None:
        return None
    i, j, k = grid.lps_to_index(ct.index_to_lps(np.array([voxel], dtype=float)))[0]
    return float(k), float(j), float(i)
