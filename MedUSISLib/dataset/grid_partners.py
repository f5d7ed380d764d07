"""Labels whose name says nothing: the one image of exactly their grid is theirs.

A scanner's origin has many digits, so that two people hardly share a grid. Grids that tools make (origin zero, whole or
half millimetres, templates) are shared by many and prove nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.voxel_match import same_voxels

_SAME_GRID_VOXEL = 0.01


def partners_by_grid(roles: Sequence[str], people: Sequence[str], grids: Sequence[Geometry | None]) -> dict[int, int]:
    """Number of the image for the number of each label map that has no image among the files of its person.

    Only where exactly one image has that grid, and only one such label map.

    Examples
    --------
    >>> grid = Geometry((9, 9, 9), origin_lps_mm=(-12.37, 4.11, 80.2))
    >>> partners_by_grid(["ct", "labels"], ["a", "b"], [grid, grid])
    {1: 0}
    >>> partners_by_grid(["ct", "mr", "labels"], ["a", "b", "c"], [grid] * 3)
    {}
    """
    with_image = {person for person, role in zip(people, roles, strict=True) if role in ("ct", "mr")}
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, (role, grid) in enumerate(zip(roles, grids, strict=True)):
        lonely = role == "labels" and people[number] not in with_image
        if grid is not None and (lonely or role in ("ct", "mr")) and is_distinct(grid):
            by_size[tuple(sorted(grid.size_ijk))].append(number)
    found: dict[int, int] = {}
    for numbers in by_size.values():
        labels = [n for n in numbers if roles[n] == "labels"]
        images = [n for n in numbers if roles[n] != "labels"]
        for number in labels:
            same = [n for n in images if _same(grids[n], grids[number])]
            rivals = [n for n in labels if _same(grids[n], grids[number])]
            if len(same) == 1 and len(rivals) == 1:
                found[number] = same[0]
    return found


def _same(a: Geometry | None, b: Geometry | None) -> bool:
    """The same voxels: converters turn and reverse axes."""
    return a is not None and b is not None and same_voxels(a, b, _SAME_GRID_VOXEL)


def is_distinct(grid: Geometry) -> bool:
    """True for a grid as a scanner makes it: no other person is likely to have it."""
    twice = 2 * np.asarray(grid.origin_lps_mm)
    return bool(np.abs(twice - np.rint(twice)).max() > 0.01)
