"""Labels between the CT's grid and the generator's: filled where the segmentation says nothing, and brought back."""

from __future__ import annotations

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.conform import conform
from MedUSISLib.imaging.resampling import resampled_slabs
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.absent_classes import CLASSES_ABSENT, absent_classes, absent_in_words
from MedUSISLib.synthesis.filling import FillReport, fill_unlabelled
from MedUSISLib.synthesis.inputs import Case
from MedUSISLib.synthesis.plan import SynthesisPlan


def labels_on_grid(case: Case, schema: LabelSchema, plan: SynthesisPlan) -> tuple[Volume, FillReport]:
    """Class indices on the generator's grid, unlabelled body filled by HU."""
    labels = conform(case.labels, plan.grid, "nearest")
    hu = conform(case.ct, plan.grid, "linear", fill=-1024, dtype=np.int16)
    body = conform(case.body, plan.grid, "nearest")
    # a volume of ones that takes no memory: where the CT has voxels at all
    ones = Volume(np.broadcast_to(np.True_, case.ct.geometry.shape_kji), case.ct.geometry)
    measured = conform(ones, plan.grid, "nearest")
    i, j, k = plan.grid.spacing_mm
    report = fill_unlabelled(
        labels.array_kji, hu.array_kji, body.array_kji, schema, (k, j, i), measured=measured.array_kji
    )
    _continue_beyond_the_end(labels.array_kji, measured.array_kji)
    return labels, report


def labels_on_ct(case: Case, on_grid: Volume) -> Volume:
    """What the generator was given, on the CT's grid: the segmentation, and the filling where it says nothing."""
    result = case.labels.with_array(case.labels.array_kji.copy())
    nearest = Interpolation.NEAREST
    for first, slab in resampled_slabs(on_grid, case.ct.geometry, nearest, 0, False, result.array_kji.dtype):
        part = slice(first, first + len(slab))
        unlabelled = (result.array_kji[part] == 0) & case.body.array_kji[part]
        np.copyto(result.array_kji[part], slab, where=unlabelled)
    return result


def warn_of_absent_classes(labels: Volume, schema: LabelSchema, progress: Progress) -> None:
    """Say which classes the generator knows and the segmentation does not hold."""
    found = np.zeros(schema.number_of_classes, dtype=bool)
    for plane in labels.array_kji:
        values = plane.ravel()
        found[values[np.flatnonzero(values[1:] != values[:-1])]] = True  # where one class ends: five times as fast
        found[values[-1]] = True
    absent = absent_classes([schema.names[index] for index in np.flatnonzero(found)], schema)
    if absent:
        progress.warning(
            CLASSES_ABSENT,
            f"the segmentation holds none of these classes of the generator ({schema.body_region}), so they are not "
            f"painted: {absent_in_words(absent)}",
        )


def _continue_beyond_the_end(labels_kji: np.ndarray, measured_kji: np.ndarray) -> None:
    """Where the last plane of the grid lies just outside of the CT, it is as the one before it.

    Spacings that do not divide the CT's extent leave such a plane; as background it would darken the CT's last slice,
    which is brought back as the mean of the planes that it covers.
    """
    for axis, size in enumerate(labels_kji.shape):
        for last, before in ((0, 1), (size - 1, size - 2)) if size > 1 else ():
            planes, seen = np.moveaxis(labels_kji, axis, 0), np.moveaxis(measured_kji, axis, 0)
            if not seen[last].any():
                planes[last][seen[before]] = planes[before][seen[before]]
