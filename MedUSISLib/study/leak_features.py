"""What of an image's file can be told without looking at anatomy: the raw material of the leak check."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.study.common_form import DESCRIPTION

# Where the header says how large and where the voxels are; looked at as spacing, size, place and data type.
_GEOMETRY_FIELDS = {
    "dim", "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y",
    "qoffset_z", "srow_x", "srow_y", "srow_z", "datatype", "bitpix", "scl_slope", "scl_inter",
}  # fmt: skip
_TEXT_FIELDS = ("descrip", "aux_file", "db_name", "intent_name", "data_type")


@dataclass(frozen=True)
class Measured:
    """One image's file.

    Attributes
    ----------
    fixed : mapping
        What must be the same in every image: code of the finding to a comparable value.
    figures : mapping
        What differs from image to image but must not depend on the arm.
    picture : mapping
        Figures of the picture itself, which readers see as well: remarked on, not refused.
    text : str
        Names of the header's text fields that hold something else than every trial's text.
    """

    fixed: Mapping[str, object]
    figures: Mapping[str, float]
    picture: Mapping[str, float]
    text: tuple[str, ...]


def measure(path: Path) -> Measured:
    """Look at everything of a file but its anatomy.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when it is no image.
    """
    status = path.stat()
    fixed: dict[str, object] = {
        "FILE_TYPE": "".join(path.suffixes),
        "FILE_SIZE": status.st_size,
        "FILE_TIME": status.st_mtime_ns,
        "FILE_RIGHTS": oct(status.st_mode & 0o777),
    }
    header, text = _header(path)
    fixed |= header
    volume = read_volume(path, "an image of the study")
    geometry, array = volume.geometry, volume.array_kji
    fixed |= {
        "SPACING": geometry.spacing_mm,
        "SIZE": geometry.size_ijk,
        "PLACE": (geometry.origin_lps_mm, geometry.direction),
    }
    border = _border(array)
    values, counts = np.unique(border, return_counts=True)
    background = float(values[counts.argmax()])
    fixed["BACKGROUND"] = background
    # Anything but one value on the border is the noise of air (or a body that touches it, which is anatomy).
    # A volume reaches both ends of the scale; how bright a single slice is, is anatomy.
    highest = float(array.max())
    fixed["RANGE"] = (float(array.min()), highest) if min(array.shape) > 1 else (float(array.min()),)
    return Measured(
        fixed, _figures(array, background, values, counts), {**_picture(array, background), "HIGHEST": highest}, text
    )


def _header(path: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """Every field of a NIfTI header that is not geometry; extensions and texts."""
    from nibabel import Nifti1Header

    try:
        content = path.read_bytes()
        packed = content[:2] == b"\x1f\x8b"
        if packed:
            content = gzip.decompress(content)
        header: Any = Nifti1Header(content[:348], check=False)
    except (OSError, EOFError, ValueError, zlib.error, MedUSISError):
        return {"HEADER": "unknown"}, ()
    if int.from_bytes(content[:4], "little") != 348:
        return {"HEADER": "other"}, ()
    rest = {name: _plain(header[name]) for name in header.keys() if name not in _GEOMETRY_FIELDS}
    # Between header and voxels lie extensions, behind the voxels whatever someone appended.
    offset = int(float(header["vox_offset"]))
    extensions = content[348:offset].hex()
    voxels = int(np.prod([max(1, int(n)) for n in header["dim"][1 : 1 + int(header["dim"][0])]]))
    behind = content[offset + voxels * int(header["bitpix"]) // 8 :].hex()
    text = tuple(name for name in _TEXT_FIELDS if name in header.keys() and bytes(header[name].tobytes()).strip(b"\0 "))
    foreign = [n for n in text if bytes(header[n].tobytes()).rstrip(b"\0 ").decode("utf-8", "replace") != DESCRIPTION]
    fixed: dict[str, object] = {
        "PACKING": packed,
        "HEADER": (tuple(sorted(rest.items())), extensions, behind),
        "PLACE_CODES": tuple(_plain(header[n]) for n in ("qform_code", "sform_code", "quatern_b", "quatern_c")),
        "VOXEL_TYPE": tuple(_plain(header[n]) for n in ("datatype", "bitpix", "scl_slope", "scl_inter")),
        "RAW_SPACING": _plain(header["pixdim"]),
    }
    if any(bytes.fromhex(extensions)):
        foreign.append("extension")
    return fixed, tuple(foreign)


def _plain(value: Any) -> str:
    return value.tobytes().hex()


def _border(array: np.ndarray) -> np.ndarray:
    """Voxels on the faces; of a single slice its edge."""
    inner = np.zeros(array.shape, dtype=bool)
    inner[tuple(slice(1, -1) if n > 2 else slice(None) for n in array.shape)] = True
    return array[~inner] if not inner.all() else array.ravel()


def _figures(array: np.ndarray, background: float, border: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    from scipy.ndimage import binary_fill_holes

    filled = np.stack([binary_fill_holes(plane) for plane in array != background])
    air = border.astype(np.float64)
    mean = float(np.average(air, weights=counts))
    noise = float(np.sqrt(np.average((air - mean) ** 2, weights=counts)))
    inside = array[array != background]
    if inside.size == 0:
        return {"AIR_NOISE": noise, "FOREGROUND": 0.0, "STEPS": 0.0, "LOWEST": 0.0}
    return {
        "AIR_NOISE": noise,
        "FOREGROUND": float(filled.mean()),
        "STEPS": _comb(inside),
        "LOWEST": float(inside.min()),
    }


def _comb(values: np.ndarray) -> float:
    """How much the grey values lie on a lattice coarser than 1: an 8-bit image that was stretched leaves gaps.

    The largest magnitude of the characteristic function of the values between 2 and 12 grey values per period: 1 for
    values that are all multiples of a step, near 0 for any smooth histogram, however wide or bright it is.
    """
    low, high = np.percentile(values, [2, 90])
    middle, counts = np.unique(values[(values >= low) & (values <= high)].astype(np.float64), return_counts=True)
    frequencies = np.linspace(1 / 12, 1 / 2, 256)
    waves = np.exp(2j * np.pi * frequencies[:, None] * middle[None, :])
    return float(np.abs(waves @ counts).max() / max(1, counts.sum()))


def _picture(array: np.ndarray, background: float) -> dict[str, float]:
    """Sharpness and how well the voxels pack: texture, which the reader sees."""
    smooth = array.astype(np.float32)
    inside = smooth[array != background]
    contrast = float(inside.std()) if inside.size else 0.0
    differences = [np.abs(np.diff(smooth, n=2, axis=axis)).mean() for axis, n in enumerate(array.shape) if n > 2]
    packed = len(zlib.compress(np.ascontiguousarray(array).tobytes(), 1)) / array.nbytes
    sharpness = float(np.mean(differences)) / contrast if contrast and differences else 0.0
    return {"SHARPNESS": sharpness, "TEXTURE": packed, "CONTRAST": contrast}
