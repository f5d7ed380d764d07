"""NIfTI-1 and -2 files, read strictly.

Not through ITK: it fills a truncated file with zeros and repairs a spacing of zero to 1 mm, without a word. Not through
nibabel's images either: they hold scaled voxels as float64. nibabel only interprets the header.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.claims import require_held, require_plausible
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume

_SLAB = 32
# The standard's metres and micrometres; what it leaves open, and everything else, is taken as millimetres (as by ITK).
_UNIT_MM = {1: 1000.0, 3: 0.001}
# Further than this behind the header, or behind the voxels, lies nothing that anybody writes - but a gzip bomb.
_LONGEST_GAP = 64 << 20


def read_nifti(path: Path, role: str) -> Volume:
    """Read a single volume; scaled values as float32, others in the type they are stored in.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` or ``GEOMETRY_MISMATCH``, see ``reading.read_volume``.
    """
    try:
        with _opened(path) as stream:
            header = _header(stream)
            _check_kind(header, role, path)
            geometry, notes = _geometry(header, role, path)
            claimed = math.prod(geometry.size_ijk) * header.get_data_dtype().itemsize
            packing = "gzip" if isinstance(stream, gzip.GzipFile) else ""
            require_held(role, path, claimed, path.stat().st_size, packing)
            array = _voxels(stream, header, geometry)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error):
        raise _damaged(role, path) from None
    array = _scaled(array, header)
    meta: dict[str, Any] = {"format": "nifti"}
    if notes:
        meta["notes"] = notes
    return Volume(array, geometry, meta)


def read_nifti_geometry(path: Path, role: str) -> Geometry:
    """The grid of a volume, from its header alone; errors as of `read_nifti`."""
    try:
        with _opened(path) as stream:
            header = _header(stream)
    except (OSError, EOFError, ValueError, zlib.error):
        raise _damaged(role, path) from None
    _check_kind(header, role, path)
    return _geometry(header, role, path)[0]


def read_nifti_description(path: Path) -> str:
    """What a file's header says of it; "" where it cannot be read."""
    try:
        with _opened(path) as stream:
            return np.asarray(_header(stream)["descrip"]).tobytes().decode("latin-1")
    except (OSError, EOFError, ValueError, zlib.error):
        return ""


def _damaged(role: str, path: Path) -> MedUSISError:
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        f"{role} cannot be read: the file is damaged, incomplete or no NIfTI file",
        "copy it again, or convert it again from the original",
        path,
    )


def _opened(path: Path) -> Any:
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _header(stream: Any) -> Any:
    from nibabel import Nifti1Header, Nifti2Header
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    start = stream.read(4)
    stream.seek(0)
    sizes = {int.from_bytes(start, order) for order in ("little", "big")}
    kind = Nifti2Header if 540 in sizes else Nifti1Header
    if not sizes & {348, 540}:
        raise ValueError("not NIfTI")
    try:
        header = kind.from_fileobj(stream, check=False)
        bits = header.get_data_dtype().itemsize * 8
    except (HeaderDataError, WrapStructError, KeyError) as error:
        raise ValueError("damaged header") from error
    if int(header["bitpix"]) not in (0, bits):
        raise ValueError("two types of voxels")
    offset = float(header["vox_offset"])
    if not int(header["sizeof_hdr"]) <= offset <= _LONGEST_GAP:
        raise ValueError("voxels within the header, or nowhere")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf(slope) or (np.isfinite(slope) and slope != 0 and not np.isfinite(intercept)):
        raise ValueError("no scale")
    if not bytes(header["magic"]).startswith((b"n+1", b"n+2")):
        raise ValueError("not a single-file NIfTI")
    return header


def _check_kind(header: Any, role: str, path: Path) -> None:
    def refused(what: str, hint: str) -> MedUSISError:
        return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} {what}", hint, path)

    dimensions = int(header["dim"][0])
    size = [int(n) for n in header["dim"][1 : dimensions + 1]]
    if not 1 <= dimensions <= 7 or any(n < 1 for n in size):
        raise refused("has no voxels", "check the file")
    if header.get_data_dtype().kind not in "iuf" or any(n > 1 for n in size[4:]):
        raise refused("is a colour, vector or complex image", "give one with one number per voxel")
    if any(n > 1 for n in size[3:]):
        raise refused(f"is a time series of {size[3]} volumes", "give a single volume")


def _geometry(header: Any, role: str, path: Path) -> tuple[Geometry, list[str]]:
    from nibabel.spatialimages import HeaderDataError

    def mismatch(what: str) -> MedUSISError:
        return MedUSISError(ErrorCode.GEOMETRY_MISMATCH, f"{role} {what}", "repair the header of the file", path)

    dimensions = min(int(header["dim"][0]), 3)
    size = [int(n) for n in header["dim"][1 : dimensions + 1]] + [1] * (3 - dimensions)
    unit_mm = _UNIT_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    # Axes that a 2D file does not have may hold anything.
    spacing = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    spacing[dimensions:] = np.where(spacing[dimensions:] > 0, spacing[dimensions:], 1.0)
    if not np.all(np.isfinite(spacing)) or np.any(spacing == 0):
        raise mismatch("has a voxel spacing of zero")
    notes = []
    try:
        if int(header["sform_code"]) > 0:
            affine = np.asarray(header.get_sform(), dtype=np.float64)
            for axis in range(dimensions, 3):
                if not affine[:3, axis].any():
                    affine[:3, axis] = np.cross(affine[:3, axis - 2], affine[:3, axis - 1])
                    affine[:3, axis] *= spacing[axis] / max(np.linalg.norm(affine[:3, axis]), 1e-12)
            if _is_elsewhere(header, affine, size):
                notes.append(
                    "the header places the image twice, not alike; sform was taken, other programs may take qform"
                )
        elif int(header["qform_code"]) > 0:
            copy = header.copy()
            copy["pixdim"][1:4] = np.abs(spacing)
            # Its sign says how the third axis points; 0 means 1.
            copy["pixdim"][0] = -1.0 if float(header["pixdim"][0]) < 0 else 1.0
            affine = np.asarray(copy.get_qform(), dtype=np.float64)
        else:
            # As ITK and Slicer show such files; nibabel would centre them and mirror the first axis only.
            affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*np.abs(spacing), 1.0])
            notes.append("the header has no orientation; axes were taken as left, posterior, superior")
        affine[:3] *= unit_mm
        geometry = Geometry.from_affine_ras(affine, size)
    except (MedUSISError, HeaderDataError, ValueError, np.linalg.LinAlgError):
        raise mismatch("has axes that are sheared or singular") from None
    require_plausible(geometry, role, path)
    return geometry, notes


def _is_elsewhere(header: Any, affine: np.ndarray, size: list[int]) -> bool:
    """Whether the header's quaternion, where it has a good one, puts a corner of the image 1 mm away or more."""
    from nibabel.spatialimages import HeaderDataError

    if int(header["qform_code"]) <= 0:
        return False
    try:
        other = np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        return False
    corners = np.array([[i, j, k, 1.0] for i in (0, size[0] - 1) for j in (0, size[1] - 1) for k in (0, size[2] - 1)])
    with np.errstate(all="ignore"):  # a quaternion's header may hold any number
        away = np.linalg.norm((other - affine) @ corners.T, axis=0)
    return bool(np.isfinite(away).all() and away.max() >= 1)


def _voxels(stream: Any, header: Any, geometry: Geometry) -> np.ndarray:
    """All voxels [k, j, i] in their stored type, in native byte order; straight into the array."""
    dtype = header.get_data_dtype()
    array = np.empty(geometry.shape_kji, dtype=dtype)
    stream.seek(int(header["vox_offset"]))
    target = array.reshape(-1).view(np.uint8)
    filled = 0
    while filled < len(target):
        # Pieces, because one read of a gzip stream returns what one buffer gives.
        count = stream.readinto(target[filled : filled + (1 << 24)])
        if not count:
            raise EOFError("voxels are missing")
        filled += count
    # To the end, where gzip compares its checksum.
    rest = 0
    while count := len(stream.read(1 << 20)):
        rest += count
        if rest > _LONGEST_GAP:
            raise ValueError("far more than the voxels")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _scaled(array: np.ndarray, header: Any) -> np.ndarray:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if not np.isfinite(slope) or slope == 0:
        slope, intercept = 1.0, 0.0
    if (slope, intercept) == (1.0, 0.0):
        return array
    result = np.empty(array.shape, dtype=np.float32)
    for first in range(0, array.shape[0], _SLAB):
        result[first : first + _SLAB] = array[first : first + _SLAB] * np.float64(slope) + intercept
    return result
