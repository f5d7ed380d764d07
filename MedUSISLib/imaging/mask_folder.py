"""A folder with one mask for each structure, as TotalSegmentator writes it, on the grid of a CT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.dicom_regions import ROLE, NamedRegion, Regions, unreadable
from MedUSISLib.imaging.reading import read_geometry, read_label_map
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.voxel_match import carried_over, same_voxels
from MedUSISLib.imaging.writing import volume_suffix


def mask_files(folder: Path, but: Path | None = None) -> list[Path]:
    """The volumes that lie in a folder itself, by name; hidden files are none, and ``but``, the CT beside them."""
    return sorted(
        path
        for path in folder.iterdir()
        if volume_suffix(path)
        and not path.name.startswith(".")
        and path.is_file()
        and not (but is not None and but.exists() and path.samefile(but))
    )


def structure_name(mask: Path) -> str:
    """What a mask is of: its file's name without the format.

    Examples
    --------
    >>> structure_name(Path("segmentations/kidney_left.nii.gz"))
    'kidney_left'
    """
    return mask.name[: -len(volume_suffix(mask))]


def read_masks(path: Path, ct: Volume, but: Path | None = None) -> Regions:
    """The masks of a folder, in the order of their names, numbered from 1.

    Masks on the CT's own voxels (turned axes, a part of the volume) are taken over; others are resampled with nearest.
    ``but`` is the file of the CT, which may lie among them.

    Raises
    ------
    MedUSISError
        EMPTY_SEGMENTATION without a mask; INPUT_NOT_READABLE for a damaged file or one of several labels, when it is
        asked for.
    """
    files = mask_files(path, but)
    if not files:
        raise MedUSISError(ErrorCode.EMPTY_SEGMENTATION, f"{ROLE} is a folder without masks", "give its masks", path)
    regions = [
        NamedRegion(number, structure_name(file), _mask_of(file, ct)) for number, file in enumerate(files, start=1)
    ]
    resampled = any(not same_voxels(read_geometry(file, ROLE), ct.geometry) for file in files)
    return Regions(regions, resampled=resampled)


def _mask_of(path: Path, ct: Volume) -> Callable[[], np.ndarray]:
    def mask() -> np.ndarray:
        volume = read_label_map(path, ROLE)
        low, high = int(volume.array_kji.min()), int(volume.array_kji.max())
        inside = volume.array_kji > 0
        if low < 0 or (high > 1 and np.any(volume.array_kji[inside] != high)):
            raise unreadable(
                "is a folder of which one file holds several labels",
                "give one file, or a mask for each structure",
                path,
            )
        found = carried_over(volume.with_array(inside), ct.geometry)
        if found is None:
            as_numbers = volume.with_array(inside.astype(np.uint8))
            found = resample(as_numbers, ct.geometry, Interpolation.NEAREST).array_kji > 0
        return found

    return mask
