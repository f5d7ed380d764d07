"""The generator's grid laid into a CT: the CT's own axes, the generator's spacing, centred on the body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.imaging.geometry import Geometry

_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
# Generators take sides that are multiples of this (networks with six halvings).
_SIZE_STEP = 64
# A grid whose spacing is the CT's to this part takes exactly the CT's: voxels are then copied, not blurred.
_SAME_SPACING = 1e-3


@dataclass(frozen=True)
class GridSpec:
    """What a generator wants to see.

    Parameters
    ----------
    spacing_mm : tuple of float
        Along left-right, back-front, and feet-head.
    size_ij : tuple of int, or None
        In-plane size in voxels; None takes the CT's whole field of view.
    slice_axis : str
        "axial", "coronal" or "sagittal": the direction in which slices are stacked.
    isotropic : bool
        False: along the slice axis the CT's spacing is kept when it is coarser (no slices are invented).
        True: the generator's spacing in all three (three-view synthesis, 3D networks).
    """

    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    size_ij: tuple[int, int] | None = (256, 256)
    slice_axis: str = "axial"
    isotropic: bool = False

    def __post_init__(self) -> None:
        if self.slice_axis not in _AXES:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"there is no slice axis '{self.slice_axis}'", f"use one of {', '.join(_AXES)}"
            )
        if len(self.spacing_mm) != 3 or min(self.spacing_mm) <= 0:
            raise MedUSISError(ErrorCode.BAD_SETTING, "a generator's grid needs three positive spacings")
        if self.size_ij is not None and min(self.size_ij) < 1:
            raise MedUSISError(ErrorCode.BAD_SETTING, "a generator's grid needs a positive size")

    @property
    def slice_axis_ijk(self) -> int:
        """The grid's index axis (0 = i, 1 = j, 2 = k) along which slices are stacked."""
        return _AXES[self.slice_axis]

    @property
    def slice_axis_kji(self) -> int:
        """The same as an axis of the array: 0 for axial."""
        return 2 - self.slice_axis_ijk

    @property
    def in_plane_ijk(self) -> tuple[int, int]:
        """The two index axes within a slice, lower first; ``size_ij`` belongs to them in this order."""
        first, second = (axis for axis in range(3) if axis != self.slice_axis_ijk)
        return first, second


def lps_order(geometry: Geometry) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Which of the volume's axes runs nearest to left, to posterior and to superior, and with which sign.

    Returns
    -------
    along : tuple of 3 ints
        ``along[0]`` is the volume's axis nearest to left-right, and so on; always a permutation.
    sign : tuple of 3 ints
        -1 where that axis has to be reversed to point to left / posterior / superior.
    """
    from itertools import permutations

    axes = geometry.axes
    # The best assignment as a whole: axis by axis, two could claim the same one near 45 degrees.
    along = max(permutations(range(3)), key=lambda p: sum(abs(axes[world, p[world]]) for world in range(3)))
    sign = tuple(1 if axes[world, along[world]] >= 0 else -1 for world in range(3))
    return (along[0], along[1], along[2]), (sign[0], sign[1], sign[2])


def plan_grid(
    geometry: Geometry,
    spec: GridSpec,
    body_mask: np.ndarray | None = None,
    center_lps: Sequence[float] | None = None,
) -> Geometry:
    """Lay the generator's grid into a volume.

    The axes are the volume's own, reordered and reversed to run as nearly as possible to left, posterior and superior
    (i, j, k) - whatever the slice axis is. There is no rotation: an oblique CT keeps its planes. Along the slice axis
    the grid covers the whole volume; across it, it has ``size_ij`` voxels centred on the body. A body that does not
    fit makes it grow to the body's extent, rounded up to a multiple of 64.

    Parameters
    ----------
    geometry : Geometry
        Of the CT.
    spec : GridSpec
        Of the generator.
    body_mask : bool array [k, j, i], optional
        On the CT's grid; its bounding box is followed. Without one the volume's middle is the centre.
    center_lps : 3 floats, optional
        Centre to use instead of the body's.

    Returns
    -------
    Geometry
        Right- or left-handed as the CT demands.
    """
    along, sign = lps_order(geometry)
    columns = [sign[axis] * geometry.axes[:, along[axis]] for axis in range(3)]
    direction = np.stack(columns, axis=1)
    own_size = [geometry.size_ijk[a] for a in along]
    own_spacing = [geometry.spacing_mm[a] for a in along]
    spacing = list(spec.spacing_mm)
    slice_axis = spec.slice_axis_ijk
    if not spec.isotropic:
        spacing[slice_axis] = max(own_spacing[slice_axis], spacing[slice_axis])

    # In millimetres along the grid's axes, from the first voxel centre of each (reordered) axis of the volume.
    first_voxel = [0 if s > 0 else geometry.size_ijk[a] - 1 for a, s in zip(along, sign, strict=True)]
    corner_ijk = np.zeros(3)
    corner_ijk[list(along)] = first_voxel
    corner = geometry.index_to_lps([corner_ijk])[0]
    box_low, box_high = _body_extent_mm(geometry, along, sign, body_mask)
    centre = (box_low + box_high) / 2
    if center_lps is not None:
        centre = direction.T @ (np.asarray(center_lps, dtype=float) - corner)

    size, start = [0, 0, 0], [0.0, 0.0, 0.0]
    for axis in range(3):
        n, own = own_size[axis], own_spacing[axis]
        if abs(spacing[axis] - own) <= _SAME_SPACING * own:
            spacing[axis] = own
        in_plane = axis != slice_axis and spec.size_ij is not None
        if in_plane:
            assert spec.size_ij is not None
            size[axis] = _fitting_size(
                spec.size_ij[spec.in_plane_ijk.index(axis)], float(box_high[axis] - box_low[axis]), spacing[axis]
            )
            middle = centre[axis]
        else:
            size[axis] = max(1, ceil(n * own / spacing[axis] - 1e-3))
            middle = (n - 1) * own / 2
        start[axis] = middle - (size[axis] - 1) * spacing[axis] / 2
        start[axis] = _on_voxels(start[axis], spacing[axis], own)
    origin = corner + direction @ np.asarray(start)
    return Geometry(
        (size[0], size[1], size[2]),
        (spacing[0], spacing[1], spacing[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(direction.ravel()),
    )


def _on_voxels(start_mm: float, spacing_mm: float, own_mm: float) -> float:
    """The start, moved by at most half a voxel of the volume so that nearest sampling has no preferred direction.

    A coarser or equal grid has its first centre on a voxel's centre (at twice the spacing all samples would otherwise
    lie half way between two voxels, and all labels shift the same way); a finer one has its edge on a voxel's edge.
    """
    if spacing_mm >= own_mm * (1 - 1e-6):
        return round(start_mm / own_mm) * own_mm
    edge = (start_mm - spacing_mm / 2) / own_mm + 0.5
    return (round(edge) - 0.5) * own_mm + spacing_mm / 2


def _fitting_size(wanted: int, extent_mm: float, spacing_mm: float) -> int:
    needed = ceil(extent_mm / spacing_mm - 1e-3)
    return wanted if needed <= wanted else ceil(needed / _SIZE_STEP) * _SIZE_STEP


def _body_extent_mm(
    geometry: Geometry, along: tuple[int, ...], sign: tuple[int, ...], body_mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Outer edges of the body along the grid's axes; with no mask (or an empty one) a point in the middle."""
    box = bounding_box(body_mask) if body_mask is not None else None
    low, high = np.zeros(3), np.zeros(3)
    for axis, (a, s) in enumerate(zip(along, sign, strict=True)):
        n, own = geometry.size_ijk[a], geometry.spacing_mm[a]
        if box is None:
            low[axis] = high[axis] = (n - 1) * own / 2
            continue
        begin, end = box[2 - a].start, box[2 - a].stop
        if s < 0:
            begin, end = n - end, n - begin
        low[axis], high[axis] = (begin - 0.5) * own, (end - 0.5) * own
    return low, high
