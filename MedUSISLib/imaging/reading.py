"""Volumes from files: NIfTI, NRRD, MHA, or a folder of DICOM slices.

Whatever is wrong with a file becomes a named error that calls the input by its role, never by its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.claims import require_plausible
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.itk_paths import itk_path
from MedUSISLib.imaging.source_files import source_files
from MedUSISLib.imaging.text_headers import check_text_header
from MedUSISLib.imaging.unchanged import unchanged
from MedUSISLib.imaging.volume import Volume, geometry_of_sitk
from MedUSISLib.imaging.writing import volume_suffix

_FORMATS = "NIfTI (.nii, .nii.gz), NRRD, MHA or a folder of DICOM slices"
_SLAB = 32


def unreadable(role: str, what: str, hint: str, path: Path) -> MedUSISError:
    """``INPUT_NOT_READABLE`` about an input."""
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} {what}", hint, path)


def read_volume(path: str | Path, role: str = "the CT", series_uid: str = "") -> Volume:
    """Read an image.

    Parameters
    ----------
    path : str or Path
        A file, or a folder that holds one DICOM series (one slice of it works too).
    role : str
        How messages call this input: "the CT", "the MR".
    series_uid : str
        Which series, when a folder holds several.

    Returns
    -------
    Volume
        int16 where the values are whole numbers that fit, else float32. NaN and infinities (some tools write them
        outside the body) become the lowest value; ``meta["notes"]`` says so. ``meta["modality"]`` for DICOM.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``: missing, damaged, not an image, empty, time series, colour, without a finite value.
        ``GEOMETRY_MISMATCH``: spacing zero, axes singular or sheared, slices missing, uneven or tilted.
    """
    volume = _read(Path(path), role, series_uid)
    volume.array_kji, notes = _clean_intensities(volume.array_kji, role, Path(path))
    if notes:
        volume.meta["notes"] = [*volume.meta.get("notes", []), *notes]
    return volume


def read_geometry(path: Path, role: str = "the CT") -> Geometry:
    """The grid of a volume in a file (not DICOM), from its header alone; errors as of ``read_volume``."""
    with _system_errors_named(role, path):
        _require_file(path, role)
        if ".nii" in volume_suffix(path):
            from MedUSISLib.imaging.nifti import read_nifti_geometry

            return read_nifti_geometry(path, role)
        with _itk_errors_named(role, path):
            reader = _information(path, role)
            geometry = _single_slice_geometry(reader) if reader.GetDimension() == 2 else geometry_of_sitk(reader)
        require_plausible(geometry, role, path)
        return geometry


def read_label_map(path: str | Path, role: str = "the segmentation") -> Volume:
    """Read a label map: whole numbers, in the smallest of uint8, int16, int32.

    Raises
    ------
    MedUSISError
        As ``read_volume``; also ``INPUT_NOT_READABLE`` when a value is not a whole number.
    """
    volume = _read(Path(path), role)
    array = volume.array_kji
    if not np.issubdtype(array.dtype, np.integer):
        for first in range(0, array.shape[0], _SLAB):
            slab = array[first : first + _SLAB]
            if not np.all(np.isfinite(slab)) or np.any(slab != np.rint(slab)):
                raise unreadable(role, "holds values that are not whole numbers", "give a label map", Path(path))
    low, high = int(array.min()), int(array.max())
    for dtype in (np.uint8, np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            volume.array_kji = array.astype(dtype, copy=False)
            return volume
    raise unreadable(role, "holds labels beyond 32 bits", "give a label map", Path(path))


def _read(path: Path, role: str, series_uid: str = "") -> Volume:
    with _system_errors_named(role, path):
        return _read_whatever(path, role, series_uid)


@contextmanager
def _system_errors_named(role: str, path: Path) -> Iterator[None]:
    """For a name that is too long, a folder that may not be opened, a network drive that is gone."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise unreadable(role, f"cannot be opened ({reason})", "check the path and who may read it", path) from None


def _require_file(path: Path, role: str) -> None:
    if not path.exists():
        raise unreadable(role, "does not exist", "check the path", path)
    if not path.is_file():  # a pipe would be waited for, a device read without end
        raise unreadable(role, "is neither a file nor a folder", f"give {_FORMATS}", path)
    if path.stat().st_size == 0:
        raise unreadable(role, "is an empty file", f"give {_FORMATS}", path)


def _read_whatever(path: Path, role: str, series_uid: str) -> Volume:
    if path.is_dir():
        from MedUSISLib.imaging.dicom_series import read_dicom_folder

        return read_dicom_folder(path, role, series_uid or None)
    _require_file(path, role)
    if volume_suffix(path):
        path.open("rb").close()  # says why not, if not
        with unchanged(source_files(path), role, path):
            return _read_file(path, role)
    from MedUSISLib.imaging.dicom_files import is_dicom_file
    from MedUSISLib.imaging.dicom_series import read_dicom_series_of

    if is_dicom_file(path):
        return read_dicom_series_of(path, role)
    raise unreadable(role, "is in no format that can be read", f"give {_FORMATS}", path)


def _read_file(path: Path, role: str) -> Volume:
    if ".nii" in volume_suffix(path):
        from MedUSISLib.imaging.nifti import read_nifti

        return read_nifti(path, role)
    import SimpleITK as sitk

    if packed := check_text_header(path, role):
        packed.require_whole(role)
    with _itk_errors_named(role, path):
        reader = _information(path, role)
        dimension = reader.GetDimension()
        image = reader.Execute()
        if dimension > 3:
            image = sitk.Extract(image, [*reader.GetSize()[:3], *([0] * (dimension - 3))], [0] * dimension)
        geometry = _single_slice_geometry(image) if dimension == 2 else geometry_of_sitk(image)
    require_plausible(geometry, role, path)
    array = sitk.GetArrayFromImage(image)
    meta: dict[str, Any] = {"format": volume_suffix(path).lstrip(".")}
    return Volume(array.reshape(geometry.shape_kji), geometry, meta)


def _information(path: Path, role: str) -> Any:
    """A SimpleITK reader that has read the header and found it to be one volume of grey values."""
    import SimpleITK as sitk

    check_text_header(path, role)
    reader = sitk.ImageFileReader()
    reader.SetFileName(itk_path(path, role))
    reader.ReadImageInformation()
    size = reader.GetSize()
    if reader.GetNumberOfComponents() != 1 or reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise unreadable(role, "is a colour, vector or complex image", "give one with one number per voxel", path)
    if reader.GetDimension() > 3 and any(n > 1 for n in size[3:]):
        raise unreadable(role, f"is a time series of {size[3]} volumes", "give a single volume", path)
    if min(size) < 1:
        raise unreadable(role, "has no voxels", "check the file", path)
    return reader


@contextmanager
def _itk_errors_named(role: str, path: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise _named(str(error), role, path) from None
    except MedUSISError as error:
        if error.code is ErrorCode.GEOMETRY_MISMATCH:
            raise _named("spacing", role, path) from None
        raise


def _single_slice_geometry(image: Any) -> Geometry:
    """A 2D image as a volume of one slice of 1 mm."""
    d = image.GetDirection()
    return Geometry(
        (*image.GetSize(), 1),
        (*image.GetSpacing(), 1.0),
        (*image.GetOrigin(), 0.0),
        (d[0], d[1], 0.0, d[2], d[3], 0.0, 0.0, 0.0, d[0] * d[3] - d[1] * d[2]),
    )


def _named(reason: str, role: str, path: Path) -> MedUSISError:
    """The error for what ITK complained about; its texts hold file names and are not passed on."""
    lowered = reason.lower()
    if any(word in lowered for word in ("spacing", "direction", "determinant", "orthonormal", "origin", "orientation")):
        return MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"{role} has axes that are sheared or singular, or a spacing of zero",
            "repair the header, or resample to a rectangular grid",
            path,
        )
    return unreadable(role, "cannot be read: the file is damaged or not what its name says", f"give {_FORMATS}", path)


def _clean_intensities(array: np.ndarray, role: str, path: Path) -> tuple[np.ndarray, list[str]]:
    """Finite values as int16 or float32, and notes on what was replaced; works on slabs to stay small."""
    if array.dtype == np.int16:
        return array, []
    notes: list[str] = []
    whole, low, high, bad = True, np.inf, -np.inf, 0
    floating = np.issubdtype(array.dtype, np.floating)
    for first in range(0, array.shape[0], _SLAB):
        slab = array[first : first + _SLAB]
        if floating:
            finite = _finite(slab)
            bad += int(slab.size - np.count_nonzero(finite))
            slab = slab[finite]
        if slab.size:
            low, high = min(low, float(slab.min())), max(high, float(slab.max()))
            whole = whole and (not floating or bool(np.all(slab == np.rint(slab))))
    if low > high:
        raise unreadable(role, "has no finite value", "check how the file was made", path)
    if bad:
        notes.append(f"{bad} voxels without a finite value were set to the lowest value")
    fits = whole and low >= np.iinfo(np.int16).min and high <= np.iinfo(np.int16).max
    result = np.empty(array.shape, dtype=np.int16 if fits else np.float32)
    for first in range(0, array.shape[0], _SLAB):
        slab = array[first : first + _SLAB]
        if bad:
            slab = np.where(_finite(slab), slab, low)
        result[first : first + _SLAB] = slab
    return result, notes


def _finite(array: np.ndarray) -> np.ndarray:
    """Where a value is a number, as float32 too."""
    return np.abs(array) <= np.finfo(np.float32).max
