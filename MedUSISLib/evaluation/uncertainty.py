"""Summaries of an uncertainty map: one number per volume, per class, and its distribution.

The map is the variance over dropout passes, U = mean(G_t**2) - mean(G_t)**2 (book chapter 9, equation 9.10; Gal and
Ghahramani, ICML 2016). Variance is right for arithmetic; people read its square root, which is in intensity units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from MedUSISLib.evaluation.class_table import ClassRow, class_table

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

_SAMPLE = 2_000_000  # values for percentiles and histogram: all of a 256-cube's head, a regular subset of more


@dataclass(frozen=True)
class UncertaintySummary:
    """Distribution of the uncertainty inside the body.

    Attributes
    ----------
    mean_variance : float
        The global uncertainty of the volume, in squared intensity units; compared with the bundle's threshold.
    deviation_percentiles : dict of str to float
        5th, 50th, 95th and 99th percentile of the standard deviation, in intensity units.
    histogram_edges, histogram_counts : list
        Of the standard deviation from 0 to its 99.5th percentile; what is above is in the last bin.
    classes : list of ClassRow
        ``mean`` and ``std`` of the *variance* per class; empty without labels.
    """

    mean_variance: float
    deviation_percentiles: dict[str, float]
    histogram_edges: list[float]
    histogram_counts: list[int]
    voxels: int
    classes: list[ClassRow] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON."""
        return asdict(self)


def summarise_uncertainty(
    variance: np.ndarray,
    mask: np.ndarray,
    labels: np.ndarray | None = None,
    schema: LabelSchema | None = None,
    bins: int = 60,
) -> UncertaintySummary | None:
    """Summarise a variance map inside the body.

    Parameters
    ----------
    variance : ndarray [k, j, i]
        Variance over passes, at least 0.
    mask : ndarray of bool
        The body.
    labels, schema : optional, together
        For the table per class.
    bins : int
        Bins of the histogram.

    Returns
    -------
    UncertaintySummary or None
        ``None`` when the mask is empty.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if variance.shape != mask.shape:
        raise ValueError(f"variance and mask must have the same shape, not {variance.shape} and {mask.shape}")
    voxels = int(np.count_nonzero(mask))
    if voxels == 0:
        return None
    step = max(1, -(-voxels // _SAMPLE))
    total = 0.0
    sample = []
    for plane, inside in zip(variance, mask, strict=True):
        values = plane[inside.astype(bool)]
        total += float(values.sum(dtype=np.float64))
        sample.append(values[::step])
    deviation = np.sqrt(np.maximum(np.concatenate(sample).astype(np.float32), 0.0))
    wanted = (5, 50, 95, 99)
    top = float(np.percentile(deviation, 99.5)) or 1e-6
    counts, edges = np.histogram(np.minimum(deviation, top), bins=bins, range=(0.0, top))
    return UncertaintySummary(
        mean_variance=total / voxels,
        deviation_percentiles={
            f"p{p}": float(v) for p, v in zip(wanted, np.percentile(deviation, wanted), strict=True)
        },
        histogram_edges=[float(e) for e in edges],
        histogram_counts=[int(c) * step for c in counts],
        voxels=voxels,
        classes=class_table(variance, labels, schema) if labels is not None and schema is not None else [],
    )


def review_needed(mean_variance: float, threshold: float | None) -> bool | None:
    """Whether a volume should be looked at: its global uncertainty is above the bundle's validation threshold.

    ``None`` when the bundle has no threshold: nothing to compare with is not the same as unremarkable.
    """
    return None if threshold is None else mean_variance > threshold
