"""Voxels that know where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry

if TYPE_CHECKING:
    import SimpleITK


@dataclass
class Volume:
    """An image or a label map with its geometry.

    Parameters
    ----------
    array_kji : ndarray
        Voxels, indexed [k, j, i]; int16 for a CT in HU, float32 for other intensities, integers for labels.
    geometry : Geometry
        Its ``shape_kji`` is the array's shape.
    meta : dict
        What the reader found out: "format", "modality" and series identifiers of DICOM, "notes" on repairs.
        Never a patient's name or a file name.

    Raises
    ------
    MedUSISError
        ``GEOMETRY_MISMATCH`` when the shapes differ.
    """

    array_kji: np.ndarray
    geometry: Geometry
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if tuple(self.array_kji.shape) != self.geometry.shape_kji:
            raise MedUSISError(
                ErrorCode.GEOMETRY_MISMATCH,
                f"voxels of shape {self.array_kji.shape} do not fit a grid of {self.geometry.shape_kji} (k, j, i)",
            )

    def with_array(self, array_kji: np.ndarray, **meta: Any) -> Volume:
        """Other voxels on the same grid; ``meta`` is added to a copy of this volume's."""
        return Volume(array_kji, self.geometry, {**self.meta, **meta})


def to_sitk(volume: Volume) -> SimpleITK.Image:
    """The volume as a SimpleITK image (a copy of the voxels; booleans become uint8)."""
    import SimpleITK as sitk

    array = volume.array_kji
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(volume.geometry.spacing_mm)
    image.SetOrigin(volume.geometry.origin_lps_mm)
    image.SetDirection(volume.geometry.direction)
    return image


def geometry_of_sitk(image: SimpleITK.Image | SimpleITK.ImageFileReader) -> Geometry:
    """Geometry of a 3D SimpleITK image or of a reader that has read the header."""
    return Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def from_sitk(image: SimpleITK.Image, meta: dict[str, Any] | None = None) -> Volume:
    """A volume from a 3D scalar SimpleITK image (a copy of the voxels)."""
    import SimpleITK as sitk

    return Volume(sitk.GetArrayFromImage(image), geometry_of_sitk(image), dict(meta or {}))
