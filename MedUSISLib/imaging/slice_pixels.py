"""Rescaled voxels of DICOM slices, read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.claims import require_held
from MedUSISLib.imaging.dicom_slice import Slice
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.itk_paths import itk_path
from MedUSISLib.imaging.packed_pixels import LONGEST_META, is_compressed, require_modest_frames, transfer_syntax
from MedUSISLib.imaging.unchanged import changed, stamp_of


def voxels_of(slices: Sequence[Slice], rows: int, columns: int, role: str) -> np.ndarray:
    """Voxels ``[k, j, i]`` of slices in the order of k; int16 when all values are whole numbers that fit, else float32.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` for pixels that cannot be decoded, colour, and files that change while they are read;
        ``OUT_OF_MEMORY`` for more than this machine can hold.
    """
    whole = all(value.is_integer() for s in slices for value in s.rescale)
    shape = len(slices), rows, columns
    kind = np.dtype(np.int16 if whole else np.float32)
    files = {s.path: s for s in slices}
    held = sum(path.stat().st_size for path in files)
    require_held(role, slices[0].path, kind.itemsize * len(slices) * rows * columns, held, "codec")
    array = np.empty(shape, dtype=kind)
    planes = _planes_of_files if slices[0].frame is None else _planes_of_frames
    with values_taken_as_they_are():
        for k, plane in enumerate(planes(slices, rows, columns, role)):
            if whole and (plane.min() < -32768 or plane.max() > 32767):
                array, whole = array.astype(np.float32), False
            array[k] = plane
    for path, one in files.items():
        if stamp_of(path) != one.stamp:
            raise changed(role, path)
    return array


def _planes_of_files(slices: Sequence[Slice], rows: int, columns: int, role: str) -> Iterator[np.ndarray]:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    for k, s in enumerate(slices):
        reader.SetFileName(itk_path(s.path, role))
        try:
            image = reader.Execute()
        except RuntimeError:
            raise _undecoded(role, f"slice (number {k + 1})", s.path) from None
        if image.GetNumberOfPixels() != rows * columns or image.GetNumberOfComponentsPerPixel() != 1:
            raise _unreadable(role, f"has a slice (number {k + 1}) in colour", "export the original series", s.path)
        # A view: the image has to stay alive beside it.
        yield sitk.GetArrayViewFromImage(image).reshape(rows, columns)


def _planes_of_frames(slices: Sequence[Slice], rows: int, columns: int, role: str) -> Iterator[np.ndarray]:
    """Frames of one file. Each may have a rescale of its own, which only those who see the stored numbers can apply."""
    path = slices[0].path
    try:
        compressed = _is_modest_and_compressed(path)
        frames = [int(s.frame or 0) for s in slices]
        if compressed and len({s.rescale for s in slices}) == 1:
            yield from _by_gdcm(path, frames, (rows, columns), role)
            return
        from pydicom.pixels import iter_pixels

        for s, stored in zip(slices, iter_pixels(path, indices=frames, raw=True), strict=True):
            slope, intercept = s.rescale
            yield stored.reshape(rows, columns) * slope + intercept
    except (MedUSISError, MemoryError):
        raise
    except Exception:  # decoders complain in every way there is
        raise _undecoded(role, "frame", path) from None


def _is_modest_and_compressed(path: Path) -> bool:
    import pydicom

    with path.open("rb") as stream:
        if not is_compressed(transfer_syntax(stream.read(LONGEST_META))[0]):
            return False
    # From memory: of a file, pydicom takes as many bytes as a damaged header claims.
    tags = ["Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PixelData"]
    require_modest_frames(pydicom.dcmread(BytesIO(path.read_bytes()), specific_tags=tags))
    return True


def _by_gdcm(path: Path, frames: Sequence[int], shape: tuple[int, int], role: str) -> Iterator[np.ndarray]:
    """All frames at once and rescaled; GDCM knows more codecs than pydicom has plugins for here."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(itk_path(path, role))
    image = reader.Execute()
    planes = sitk.GetArrayViewFromImage(image).reshape(-1, *shape)
    for frame in frames:
        yield planes[frame]


def _undecoded(role: str, what: str, path: Path) -> MedUSISError:
    return _unreadable(role, f"has a {what} whose pixels cannot be decoded", "export it uncompressed", path)


def _unreadable(role: str, what: str, hint: str, path: Path) -> MedUSISError:
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} {what}", hint, path)
