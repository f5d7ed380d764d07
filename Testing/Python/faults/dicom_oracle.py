"""What DICOM files say, read with pydicom alone and put together by hand; to compare MedUSIS with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from matplotlib.path import Path as Outline

from faults.image_oracle import Said
from MedUSISLib.imaging.geometry import Geometry

_NO_IMAGES = ("SEG", "RTSTRUCT", "RTDOSE", "SR", "PR")


def said_by_series(folder: Path) -> Said | None:
    """The stack of all image files of a folder; None when pydicom cannot read one of them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return stack_of([pydicom.dcmread(path) for path in sorted(folder.iterdir())])
    except Exception:  # it says so in every way there is
        return None


def stack_of(slices: list[Any]) -> Said:
    """Slices in the order of their places; ``get``, ``pixel_array`` and elements by keyword are asked of them."""
    images = [one for one in slices if one.get("Rows") and one.get("Modality") not in _NO_IMAGES]
    images = [one for one in images if "LOCALIZER" not in (one.get("ImageType") or [])]
    first = images[0]
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
    normal = np.cross(row, column)
    images.sort(key=lambda one: float(normal @ np.array(one.ImagePositionPatient, float)))
    places = np.array([one.ImagePositionPatient for one in images], float)
    steps = places @ normal
    if len(images) > 1:
        step = (steps[-1] - steps[0]) / (len(images) - 1)
    else:
        step = abs(float(first.get("SpacingBetweenSlices") or first.get("SliceThickness") or 1))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([row * first.PixelSpacing[1], column * first.PixelSpacing[0], normal * step], axis=1)
    matrix[:3, 3] = places[0]
    values = np.stack(
        [
            one.pixel_array * float(one.get("RescaleSlope") or 1) + float(one.get("RescaleIntercept") or 0)
            for one in images
        ]
    )
    return Said((first.Columns, first.Rows, len(images)), matrix, values)


def said_by_contours(path: Path, ct: Geometry) -> dict[int, np.ndarray] | None:
    """Masks by ROI number on the CT's grid, by matplotlib's test for points in polygons; None as above."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _outlines(pydicom.dcmread(path), ct)
    except Exception:  # as above
        return None


def _outlines(dataset: Any, ct: Geometry) -> dict[int, np.ndarray]:
    j, i = np.indices(ct.shape_kji[1:])
    centres = np.stack([i.ravel(), j.ravel()], axis=1)
    masks: dict[int, np.ndarray] = {}
    for item in dataset.ROIContourSequence:
        mask = np.zeros(ct.shape_kji, bool)
        for contour in item.ContourSequence:
            if contour.get("ContourGeometricType") not in ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "INTERPOLATED_PLANAR"):
                continue
            points = ct.lps_to_index(np.array(contour.ContourData, float).reshape(-1, 3))
            k = round(float(np.median(points[:, 2])))
            if 0 <= k < ct.shape_kji[0]:
                mask[k] ^= Outline(points[:, :2], closed=False).contains_points(centres).reshape(mask[k].shape)
        masks[int(item.ReferencedROINumber)] = mask
    return masks


def said_by_segments(path: Path, ct: Geometry) -> dict[int, np.ndarray] | None:
    """Masks by segment number where the frames are slices of the CT; None as above, and for other frames."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _frames(pydicom.dcmread(path), ct)
    except Exception:  # as above
        return None


def _frames(dataset: Any, ct: Geometry) -> dict[int, np.ndarray] | None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    own = (ct.shape_kji[1:], ct.axes[:, :2].T.ravel(), np.array(ct.spacing_mm[1::-1]))
    same = (dataset.Rows, dataset.Columns) == own[0] and np.allclose(axes, own[1], atol=1e-4)
    if not same or not np.allclose(spacing, own[2], rtol=1e-4) or dataset.SegmentationType != "BINARY":
        return None
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    masks = {int(one.SegmentNumber): np.zeros(ct.shape_kji, bool) for one in dataset.SegmentSequence}
    for frame, groups in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        place = ct.lps_to_index([np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)])[0]
        if np.abs(place - np.rint(place)).max() > 1e-3 or np.abs(place[:2]).max() > 1e-3:
            return None
        masks[int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)][round(place[2])] |= frame > 0
    return masks
