"""DICOM SEG: segments of any of its types (binary, fractional, label map) on the grid of a CT."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.dicom_regions import ROLE, NamedRegion, Regions, require_frame
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.packed_pixels import PackedTooClosely, require_modest_file, require_modest_frames
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.voxel_match import carried_over

_MOST_VOXELS = 1 << 30
"""512 x 512 x 4096: more than a whole body in slices of half a millimetre."""


def read_segments(path: Path, ct: Volume) -> Regions:
    """The segments of a SEG object, in the order of their numbers.

    A segment of a fractional object is where it is at least one half. Frames that are left out are empty. Segments on
    the CT's own voxels (a part of its slices, turned axes) are taken over; others are resampled with nearest.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH, EMPTY_SEGMENTATION; whatever highdicom raises for a damaged object.
    """
    import highdicom
    import pydicom

    with values_taken_as_they_are():
        # From memory: of a file, pydicom takes as many bytes as a damaged header claims, up to 4 GB.
        content = path.read_bytes()
        require_modest_file(content)
        dataset = pydicom.dcmread(BytesIO(content))
        require_modest_frames(dataset)
        _require_as_many_frames(dataset)
        seg = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
        _require_modest_grid(seg)
    notes = require_frame(str(seg.get("FrameOfReferenceUID", "")), ct)
    regions = []
    numbers = [int(number) for number in seg.segment_numbers if int(number) > 0]
    for number in numbers:
        described = seg.get_segment_description(number)
        code = described.segmented_property_type
        regions.append(
            NamedRegion(
                number,
                str(described.segment_label),
                _mask_of(seg, number, ct),
                str(code.value) if str(code.scheme_designator) in ("SCT", "SRT") else "",
            )
        )
    if not regions:
        raise MedUSISError(ErrorCode.EMPTY_SEGMENTATION, f"{ROLE} has no segment", "give one made from this CT")
    probe = _segment(seg, numbers[0])
    resampled = carried_over(probe, ct.geometry) is None
    return Regions(regions, notes, resampled)


def _require_as_many_frames(dataset: Any) -> None:
    """Refuse a number of frames that tables would be made for, and that are not described."""
    described = dataset.get("PerFrameFunctionalGroupsSequence")
    if described is not None and len(described) != int(dataset.get("NumberOfFrames") or 1):
        raise ValueError("other frames than functional groups")


def _require_modest_grid(seg: Any) -> None:
    """Refuse a grid that nobody's body needs: two frames that lie far apart claim all that is between them.

    Raises
    ------
    PackedTooClosely
    """
    grid = seg.get_volume_geometry(allow_missing_positions=True)
    if grid is not None and math.prod(grid.spatial_shape) > _MOST_VOXELS:
        raise PackedTooClosely("more than a billion voxels")


def _mask_of(seg: Any, number: int, ct: Volume) -> Callable[[], np.ndarray]:
    def mask() -> np.ndarray:
        segment = _segment(seg, number)
        array = carried_over(segment, ct.geometry)
        if array is None:
            as_numbers = segment.with_array(segment.array_kji.astype(np.uint8))
            array = resample(as_numbers, ct.geometry, Interpolation.NEAREST).array_kji > 0
        return array

    return mask


def _segment(seg: Any, number: int) -> Volume:
    """One segment on the object's own grid."""
    with values_taken_as_they_are():
        volume = seg.get_volume(segment_numbers=[number], combine_segments=False, rescale_fractional=True)
    if not str(volume.coordinate_system.value).upper().startswith("PATIENT"):
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH, f"{ROLE} is not in the coordinates of a patient", "give one made from this CT"
        )
    array = np.asarray(volume.array).reshape(volume.spatial_shape) >= 0.5
    return Volume(array, _geometry(np.asarray(volume.affine, dtype=float), array.shape))


def _geometry(affine: np.ndarray, shape: tuple[int, ...]) -> Geometry:
    """highdicom counts slices, rows, columns; the array is [k, j, i] already."""
    columns = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(columns, axis=0)
    k, j, i = shape
    return Geometry((i, j, k), tuple(spacing), tuple(affine[:3, 3]), tuple((columns / spacing).ravel()))
