"""Volumes to files: whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.gzip_writing import GZIP_LEVEL, GzipWriter, fitting_strategy
from MedUSISLib.imaging.itk_paths import itk_path
from MedUSISLib.imaging.volume import Volume, to_sitk
from MedUSISLib.leftovers import temporary
from MedUSISLib.trouble import is_disk_full

_NIFTI = (".nii.gz", ".nii")
_ITK = (".nrrd", ".mha", ".mhd", ".nhdr")


def volume_suffix(path: Path) -> str:
    """The format's suffix (".nii.gz", ".nrrd", ...), or "" when it is not one of ours."""
    name = path.name.lower()
    return next((suffix for suffix in (*_NIFTI, *_ITK) if name.endswith(suffix)), "")


def write_volume(volume: Volume, path: str | Path, description: str = "") -> Path:
    """Write a volume; readers see the old file or the complete new one, never a part.

    Parameters
    ----------
    volume : Volume
        Boolean arrays are stored as uint8, float16 as float32, 64-bit integers as int32.
    path : str or Path
        ``.nii.gz``, ``.nii``, ``.nrrd`` or ``.mha``. The folder is made when it is missing.
    description : str
        NIfTI's "descrip" field (at most 79 bytes are kept); "description" in NRRD and MHA.

    Returns
    -------
    Path
        The file written. The same voxels and description give the same bytes.

    Raises
    ------
    MedUSISError
        ``DISK_FULL``; ``BAD_SETTING`` for an unknown suffix or a folder that cannot be written to.
    """
    path = Path(path)
    suffix = volume_suffix(path)
    if suffix not in (*_NIFTI, ".nrrd", ".mha"):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"volumes cannot be written in the format '{path.suffix}'",
            "use .nii.gz, .nii, .nrrd or .mha",
            path,
        )
    with atomic_path(path, suffix) as temporary:
        if suffix in _NIFTI:
            _write_nifti(volume, temporary, description)
        else:
            _write_itk(volume, temporary, description)
    return path


@contextmanager
def atomic_path(path: str | Path, suffix: str = "") -> Iterator[Path]:
    """A temporary name beside ``path``, which takes its place when the block ends well and vanishes otherwise.

    Raises
    ------
    MedUSISError
        ``DISK_FULL``, or ``BAD_SETTING`` when the folder cannot be written to.
    """
    path = Path(path)
    # The name must not hold the target's: that can be a patient's, and someone may see it before it is renamed.
    half = path.parent / f".medusis-{uuid.uuid4().hex}{suffix or path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary(half):
            yield half
            _sync(half)
            os.replace(half, path)
    except OSError as error:
        raise written_file_error(error, path) from None


def _sync(path: Path) -> None:
    """Push the file to the disk: some file systems report a full disk only here."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def written_file_error(error: OSError, path: Path, what: str = "a result") -> MedUSISError:
    """The named error for what the system said when something was written: DISK_FULL, or BAD_SETTING."""
    if is_disk_full(error):  # pydicom, for one, makes an error without a number of the system's
        return MedUSISError(
            ErrorCode.DISK_FULL, f"no space is left to write {what}", "free space or choose another folder", path
        )
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return MedUSISError(
        ErrorCode.BAD_SETTING, f"{what} cannot be written ({reason})", "choose a folder that can be written to", path
    )


def storable(array: np.ndarray) -> np.ndarray:
    """The array in a type that image formats know; the same array when it already is."""
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64, np.uint32):
        limits = np.iinfo(np.int32)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise MedUSISError(ErrorCode.INTERNAL, "values do not fit 32-bit integers")
        return array.astype(np.int32)
    return array


def _write_nifti(volume: Volume, path: Path, description: str) -> None:
    # nibabel rather than ITK: it writes slice by slice from our array, through Python files whose errors have a
    # number.
    import nibabel

    array = storable(volume.array_kji)
    image = nibabel.Nifti1Image(array.T, volume.geometry.affine_ras)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("utf-8")[:79].decode("utf-8", "ignore").encode("utf-8")
    image.set_qform(volume.geometry.affine_ras, code=1)
    image.set_sform(volume.geometry.affine_ras, code=1)
    with path.open("wb") as raw:
        if path.name.endswith(".gz"):
            packed = GzipWriter(raw, fitting_strategy(array))
            image.to_stream(packed)
            packed.finish()
        else:
            image.to_stream(raw)


def _write_itk(volume: Volume, path: Path, description: str) -> None:
    import SimpleITK as sitk

    image = to_sitk(Volume(storable(volume.array_kji), volume.geometry))
    if description:
        image.SetMetaData("description", description)
    expected = volume.array_kji.nbytes
    try:
        sitk.WriteImage(image, itk_path(path, "the output folder"), useCompression=True, compressionLevel=GZIP_LEVEL)
    except RuntimeError:
        # ITK keeps the system's reason to itself.
        full = shutil.disk_usage(path.parent).free < expected
        raise OSError(errno.ENOSPC if full else errno.EIO, "write failed") from None
