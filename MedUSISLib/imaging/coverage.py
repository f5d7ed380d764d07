"""Does the segmentation belong to this CT, and does it say enough about it?"""

from __future__ import annotations

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume

# Half a percent of a voxel is a rounded header; more is another grid.
_SAME_GRID_VOXEL = 0.05
# A head with only its brain segmented covers about a third; organs of a trunk alone about a fifth. Below a twentieth
# the generator would draw nearly everything from "background".
SMALLEST_COVERAGE = 0.05


def segmentation_coverage(labels: np.ndarray, body: np.ndarray) -> float:
    """Part of the body's voxels that have a label other than 0, from 0 to 1; 0 when the body is empty."""
    count = int(np.count_nonzero(body))
    return int(np.count_nonzero((labels != 0) & body)) / count if count else 0.0


def require_coverage(labels: np.ndarray, body: np.ndarray, smallest: float = SMALLEST_COVERAGE) -> float:
    """The coverage, or ``EMPTY_SEGMENTATION`` when it is below ``smallest``."""
    coverage = segmentation_coverage(labels, body)
    if coverage < smallest:
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            f"the segmentation covers {100 * coverage:.1f} % of the body in the CT, less than {100 * smallest:.0f} %",
            "give a segmentation of the whole body part, made from this CT",
        )
    return coverage


def align_labels(seg: Volume, ct_geometry: Geometry) -> tuple[Volume, bool]:
    """The segmentation on the CT's grid.

    Parameters
    ----------
    seg : Volume
        Label map in any grid that overlaps the CT.
    ct_geometry : Geometry
        Of the CT.

    Returns
    -------
    Volume
        Same labels on exactly ``ct_geometry``; 0 outside the segmentation's own field of view.
    bool
        True when it was resampled (nearest), which the report has to say.

    Raises
    ------
    MedUSISError
        ``EMPTY_SEGMENTATION`` when it has no label, or none inside the CT's field of view.
    """
    if not seg.array_kji.any():
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION, "the segmentation has no label", "give a segmentation made from this CT"
        )
    if seg.geometry.same_grid(ct_geometry, _SAME_GRID_VOXEL):
        return Volume(seg.array_kji, ct_geometry, seg.meta), False
    aligned = resample(seg, ct_geometry, Interpolation.NEAREST)
    if not aligned.array_kji.any():
        raise MedUSISError(
            ErrorCode.EMPTY_SEGMENTATION,
            "the segmentation lies outside the CT",
            "check that both are of the same patient and frame of reference",
        )
    return aligned, True
