"""What is measured of the maps while they are at hand: consistency with the labels, uncertainty as one number."""

from __future__ import annotations

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.evaluation.mask_consistency import mask_consistency
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.synthesis.plan import SynthesisPlan


def consistency_on_grid(
    mean: np.ndarray, labels: Volume, schema: LabelSchema, threshold: float, plan: SynthesisPlan
) -> Volume:
    """Mask consistency on the generator's grid, in its own slices."""
    i, j, k = plan.grid.spacing_mm
    order = [plan.slice_axis, *(axis for axis in range(3) if axis != plan.slice_axis)]
    found = mask_consistency(
        mean.transpose(order),
        labels.array_kji.transpose(order),
        schema,
        threshold,
        [(k, j, i)[axis] for axis in order],
    )
    return Volume(np.moveaxis(found.map, 0, plan.slice_axis), labels.geometry)


def global_uncertainty(variance: np.ndarray, body: np.ndarray) -> float | None:
    """Mean variance inside the body, the number that is compared with the bundle's threshold; None without a body."""
    total, count = 0.0, 0
    for plane, inside in zip(variance, body, strict=True):
        total += float(plane[inside].sum(dtype=np.float64))
        count += int(np.count_nonzero(inside))
    return total / count if count else None
