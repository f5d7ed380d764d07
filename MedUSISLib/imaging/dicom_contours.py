"""DICOM RTSTRUCT: closed contours filled on the slices of the CT that they were drawn on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_regions import ROLE, NamedRegion, Regions, require_frame, unreadable
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.packed_pixels import require_modest_file
from MedUSISLib.imaging.volume import Volume

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "INTERPOLATED_PLANAR")
# Positions are written with a few digits; a contour that lies further from a slice belongs to other slices.
_PLANE_TOLERANCE = 0.1
# Corners within this part of a voxel of a voxel's centre are on it: which of two neighbours a border belongs to must
# not hang on the last digit.
_DIGITS = 4


def read_contours(path: Path, ct: Volume) -> Regions:
    """The regions of interest of a structure set, in its order.

    Contours of one slice are combined by exclusive or: one within another is a hole, one within that an island again.
    A voxel belongs to a region when its centre lies inside. Nothing is interpolated between slices.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH for another frame of reference and for contours that do not lie in slices of the CT;
        EMPTY_SEGMENTATION without a closed contour.
    """
    import pydicom

    # From memory: of a file, pydicom takes as many bytes as a damaged header claims, up to 4 GB.
    content = path.read_bytes()
    require_modest_file(content)
    dataset = pydicom.dcmread(BytesIO(content))
    if "StructureSetROISequence" not in dataset:
        raise unreadable("has no regions of interest", "export the structure set again", path)
    kinds = {
        int(item.ReferencedROINumber): str(item.get("RTROIInterpretedType", "") or "").upper()
        for item in dataset.get("RTROIObservationsSequence", [])
    }
    contours = {
        int(item.ReferencedROINumber): [_points(c) for c in item.get("ContourSequence", []) if _is_closed(c)]
        for item in dataset.get("ROIContourSequence", [])
    }
    usual = _frame_of(dataset)
    result = Regions([])
    without, outside, gaps = 0, 0, 0
    for item in dataset.StructureSetROISequence:
        number = int(item.ROINumber)
        loops = contours.get(number, [])
        if not loops:
            without += 1
            continue
        notes = require_frame(str(item.get("ReferencedFrameOfReferenceUID", "") or usual), ct)
        result.notes += [note for note in notes if note not in result.notes]
        slices, lost = _by_slice(loops, ct.geometry)
        outside += lost
        gaps += bool(slices) and len(slices) <= max(slices) - min(slices)
        region = NamedRegion(
            number, str(item.get("ROIName", "")), _mask_of(slices, ct.geometry), kind=kinds.get(number, "")
        )
        result.regions.append(region)
    if not result.regions:
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            f"{ROLE} has no region with a closed contour",
            "give a structure set with contours drawn on this CT",
        )
    if without:
        result.notes.append(("NO_CONTOUR", f"{without} regions without a closed contour (points, lines) were left out"))
    if outside:
        result.notes.append(("CONTOUR_OUTSIDE", f"{outside} contours lie outside the CT's slices and were left out"))
    if gaps:
        result.notes.append(
            ("CONTOUR_GAPS", f"{gaps} regions skip slices between their first and last one: nothing is filled in there")
        )
    return result


def even_odd(loops: Sequence[np.ndarray], rows: int, columns: int) -> np.ndarray:
    """Pixels whose centre lies within an odd number of polygons.

    Parameters
    ----------
    loops : sequence of ndarray
        Corners (x, y) in pixels, shape (n, 2); closed without repeating the first.
    rows, columns : int

    Returns
    -------
    ndarray
        bool, shape (rows, columns). Of a border through pixel centres, that on the left and above is inside.

    Examples
    --------
    >>> outer, hole = np.array([(0, 0), (4, 0), (4, 4), (0, 4)]), np.array([(1, 1), (3, 1), (3, 3), (1, 3)])
    >>> even_odd([outer, hole], 4, 4).astype(int).tolist()
    [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """
    toggles = np.zeros((rows, columns + 1), dtype=np.int32)
    for loop in loops:
        x0, y0 = np.asarray(loop, dtype=float).T
        x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
        first = np.clip(np.ceil(np.minimum(y0, y1)), 0, rows).astype(int)
        after = np.clip(np.ceil(np.maximum(y0, y1)), 0, rows).astype(int)
        edge = np.repeat(np.arange(len(x0)), after - first)  # one for each row that an edge crosses
        if not edge.size:
            continue
        row = np.arange(edge.size) - np.repeat(np.cumsum(after - first) - (after - first), after - first) + first[edge]
        x = x0[edge] + (row - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
        column = np.clip(np.ceil(np.round(x, _DIGITS + 2)), 0, columns).astype(int)
        np.add.at(toggles, (row, column), 1)
    return np.asarray(np.cumsum(toggles, axis=1)[:, :columns] & 1, dtype=bool)


def _mask_of(slices: dict[int, list[np.ndarray]], grid: Geometry) -> Callable[[], np.ndarray]:
    def mask() -> np.ndarray:
        result = np.zeros(grid.shape_kji, dtype=bool)
        for k, loops in slices.items():
            result[k] = even_odd(loops, *grid.shape_kji[1:])
        return result

    return mask


def _by_slice(loops: Sequence[np.ndarray], grid: Geometry) -> tuple[dict[int, list[np.ndarray]], int]:
    """Contours in pixels by slice number, and how many lie outside the CT."""
    slices: dict[int, list[np.ndarray]] = {}
    lost = between = 0
    for loop in loops:
        points = np.round(grid.lps_to_index(loop), _DIGITS)
        height = points[:, 2]
        k = int(np.rint(np.median(height)))
        if np.ptp(height) > 2 * _PLANE_TOLERANCE:
            raise MedUSISError(
                ErrorCode.GEOMETRY_MISMATCH,
                f"{ROLE} has contours in other planes than the slices of the CT",
                "give contours that were drawn on the slices of this CT series",
            )
        between += bool(np.abs(height - k).max() > _PLANE_TOLERANCE)
        if 0 <= k < grid.size_ijk[2]:
            slices.setdefault(k, []).append(points[:, :2])
        else:
            lost += 1
    if between:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"{ROLE} has {between} contours between the slices of the CT",
            "give the series that was contoured, or have the contours resampled to its slices",
        )
    return slices, lost


def _is_closed(contour: Any) -> bool:
    return str(contour.get("ContourGeometricType", "")) in _CLOSED and len(contour.get("ContourData") or []) >= 9


def _points(contour: Any) -> np.ndarray:
    points = np.asarray([float(value) for value in contour.ContourData]).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("a position that is no number")
    return points


def _frame_of(dataset: Any) -> str:
    frames = [
        str(item.get("FrameOfReferenceUID", "")) for item in dataset.get("ReferencedFrameOfReferenceSequence", [])
    ]
    return frames[0] if len(frames) == 1 else str(dataset.get("FrameOfReferenceUID", "") or "")
