"""Whose voxels a segmentation has: names get mixed up when files are renamed or a table is sorted, grids do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from MedUSISLib.batch.grids import Grids
from MedUSISLib.dataset.grid_partners import is_distinct
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.voxel_match import same_voxels

Files = tuple[Path, ...]


class VoxelOwners:
    """CTs that can be asked for by their voxels.

    Parameters
    ----------
    cts : iterable of tuple of Path
        What the grid of each CT is read from.
    grids : Grids
    """

    def __init__(self, cts: Iterable[Files], grids: Grids) -> None:
        self._cts, self._grids = list(cts), grids

    def is_of_another(self, segmentation: Files, cts: Sequence[Files]) -> bool:
        """True when a segmentation lies on a scanner's voxels that are those of a CT, and of none of these.

        A segmentation on a grid of its own, or on one that tools make for everybody, proves nothing.
        """
        grid = self._grids.of(segmentation)
        if grid is None or not is_distinct(grid):
            return False
        own = [self._grids.of(ct) for ct in cts]
        if any(one is None or same_voxels(grid, one) for one in own):
            return False
        return any(same_voxels(grid, one) for one in self._by_size[_size(grid)])

    @cached_property
    def _by_size(self) -> dict[tuple[int, ...], list[Geometry]]:
        """Grids by their sizes in any order of axes; read when the first segmentation is not on its CT's voxels."""
        found: dict[tuple[int, ...], list[Geometry]] = defaultdict(list)
        for ct in self._cts:
            if (grid := self._grids.of(ct)) is not None:
                found[_size(grid)].append(grid)
        return found


def _size(grid: Geometry) -> tuple[int, ...]:
    return tuple(sorted(grid.size_ijk))
