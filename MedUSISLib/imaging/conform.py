"""To the generator's grid and back to exactly the CT's."""

from __future__ import annotations

import numpy as np

from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume


def conform(
    volume: Volume,
    grid: Geometry,
    interpolation: Interpolation | str = Interpolation.LINEAR,
    fill: float | None = None,
    dtype: np.dtype | type | None = None,
) -> Volume:
    """The volume on the generator's grid.

    Parameters
    ----------
    volume : Volume
        An image ("linear", smoothed against aliasing where the grid is coarser) or a label map ("nearest").
    grid : Geometry
        From ``grid.plan_grid``; any other grid works too.
    interpolation : Interpolation
        "linear" or "nearest".
    fill : float, optional
        Value outside the volume. Default: 0 for nearest (background); for linear -1024 (air) when the volume has
        values below -200, that is for a CT, and otherwise 0.
    dtype : numpy dtype, optional
        Default: float32 for linear, the volume's own for nearest.

    Examples
    --------
    >>> labels = Volume(np.ones((2, 2, 2), np.uint8), Geometry((2, 2, 2)))
    >>> conform(labels, Geometry((4, 2, 2)), "nearest").array_kji[0, 0].tolist()
    [1, 1, 0, 0]
    """
    interpolation = Interpolation(interpolation)
    if fill is None:
        is_ct = interpolation is Interpolation.LINEAR and volume.array_kji.min() < -200
        fill = -1024.0 if is_ct else 0.0
    return resample(volume, grid, interpolation, fill, antialias=True, dtype=dtype)


def restore(
    volume_on_grid: Volume,
    target_geometry: Geometry,
    interpolation: Interpolation | str = Interpolation.LINEAR,
    fill: float = 0.0,
    dtype: np.dtype | type | None = None,
) -> Volume:
    """A result on the generator's grid, back on exactly the grid that the CT came with.

    The target is filled slice by slice: the peak is the result itself and a few slices. Voxels within half a voxel
    of the generator grid's border take the border's value; ``fill`` is only for what lies further outside.

    Parameters
    ----------
    volume_on_grid : Volume
        The generator's output, uncertainty, labels or masks.
    target_geometry : Geometry
        The CT's.
    interpolation : Interpolation
        "linear" for intensities, "nearest" for labels and masks.
    fill : float
        Value outside the generator's grid.
    dtype : numpy dtype, optional
        Default: float32 for linear, the volume's own for nearest.

    Returns
    -------
    Volume
        ``geometry`` is ``target_geometry`` itself.
    """
    return resample(volume_on_grid, target_geometry, interpolation, fill, antialias=True, dtype=dtype)
