"""The CT of the scene as a file for the engine: the same voxels, at their place in the world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.world_grid import size_ijk, world_grid

CT_FILE = "ct.nii"
"""Not compressed: it lives as long as the run, and packing 500 slices would keep the window waiting for seconds."""


def prepare_ct(ct: Any, folder: Path) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """Write a CT with its world geometry, parent transforms included.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
    folder : Path
        Private folder of the run.

    Returns
    -------
    path : Path
        NIfTI; its voxels are those of the node in the same order [k, j, i], so a result on the file's grid belongs
        voxel by voxel to the node.
    warnings : tuple of (code, message)
        See ``world_grid.world_grid``.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE for a colour, vector or empty volume, GEOMETRY_MISMATCH, DISK_FULL.
    """
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    array = ct_voxels(ct)
    grid = world_grid(ct)
    path = write_volume(Volume(array, grid.geometry), folder / CT_FILE)
    return path, grid.warnings


def ct_voxels(ct: Any) -> np.ndarray:
    """The voxels [k, j, i] of a volume node: a view of the scene's own memory, not to be changed.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE for a colour, vector or empty volume.
    """
    size = size_ijk(ct)
    if ct.GetImageData().GetNumberOfScalarComponents() != 1:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the CT has several numbers per voxel: it is a colour or vector image",
            "choose a CT with one number per voxel",
        )
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(ct.GetImageData().GetPointData().GetScalars()).reshape(size[::-1])
