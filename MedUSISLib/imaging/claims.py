"""What a header claims, weighed before it is believed: bytes that the file does not hold, places where no body lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry

# Deflate cannot pack closer than 1032 to 1; bzip2, which NRRD knows too, reaches about 45,000 to 1. DICOM slices of air
# alone are packed about 1,000 to 1, headers included.
_CLOSEST_PACKING = {"": 1, "gzip": 1032, "bzip2": 50_000, "codec": 10_000}
_SMALLEST_MM, _LARGEST_MM = 1e-3, 1e2  # half a millimetre in micrometres is 500
_FURTHEST_MM = 1e5


def require_held(role: str, path: Path, claimed: int, held: int, packing: str = "") -> None:
    """Refuse an image whose header claims more voxels than its file can hold, before memory is taken for them.

    Parameters
    ----------
    role : str
    path : Path
    claimed : int
        Bytes of all voxels.
    held : int
        Bytes of the file behind the header.
    packing : {"", "gzip", "bzip2", "codec"}

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``; ``OUT_OF_MEMORY`` when the file may hold them, but this machine's memory does not.
    """
    if claimed > held * _CLOSEST_PACKING[packing]:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"{role} cannot be read: its header claims more voxels than the file holds",
            "copy it again, or convert it again from the original",
            path,
        )
    free = _free_bytes()
    if free is not None and claimed > free:
        raise MedUSISError(
            ErrorCode.OUT_OF_MEMORY,
            f"{role} takes {claimed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            "close other programs, crop the image, or use a machine with more memory",
            path,
        )


def _free_bytes() -> int | None:
    """Free memory; None where psutil is missing, as in a Slicer that only reads studies."""
    try:
        import psutil
    except ModuleNotFoundError:
        return None
    return int(psutil.virtual_memory().available)


def require_plausible(geometry: Geometry, role: str, path: Path) -> None:
    """Refuse a grid that no image of a body has: voxels below 1 µm or above 1 m, or a place more than 100 m away.

    Such numbers come from damaged headers and wrong units; further on they turn into empty grids and overflows.

    Raises
    ------
    MedUSISError
        ``GEOMETRY_MISMATCH``.
    """
    spacing = geometry.spacing_mm
    if min(spacing) < _SMALLEST_MM or max(spacing) > _LARGEST_MM:
        what = f"has voxels of {' x '.join(f'{value:.3g}' for value in spacing)} mm, which no image of a body has"
    elif np.abs(geometry.index_to_lps(np.outer((0, 1), np.asarray(geometry.size_ijk) - 1))).max() > _FURTHEST_MM:
        what = "lies more than 100 m from the origin, or is larger than that"
    else:
        return
    raise MedUSISError(
        ErrorCode.GEOMETRY_MISMATCH,
        f"{role} {what}",
        "repair spacing, origin and units in the header, or convert it again from the original",
        path,
    )
