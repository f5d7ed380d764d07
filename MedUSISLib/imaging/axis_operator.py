"""Resampling along one axis: where each output sample takes its value from.

Two grids whose axes are parallel (the CT and the generator's grid always are) are resampled axis by axis. That needs
no copy of the volume, borders are treated here once and for all, and smoothing against aliasing is part of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log, sqrt
from typing import Any

import numpy as np

# A sample may lie half a voxel outside the first or last voxel's centre, and this much further for rounding.
BORDER_VOXEL = 0.5 + 1e-2
# An offset this small changes no value worth keeping, and treating it as zero copies voxels instead of blurring them.
_ON_A_VOXEL = 1e-4


class Interpolation(StrEnum):
    """How values between voxel centres are found: linear for intensities, nearest for labels."""

    LINEAR = "linear"
    NEAREST = "nearest"


def antialias_sigma(ratio: float) -> float:
    """Gaussian sigma in source voxels for sampling every ``ratio``-th voxel; 0 when that is not coarser.

    The source voxel's width (full width at half maximum 1) becomes the target's: widths add in squares.
    """
    return sqrt(ratio * ratio - 1.0) / sqrt(8.0 * log(2.0)) if ratio > 1.01 else 0.0


@dataclass
class AxisOperator:
    """Weights of n_out samples over n_in voxels.

    Attributes
    ----------
    inside : bool array (n_out,)
        False where a sample lies outside the source: the fill value belongs there.
    index : int array (n_out,), or None
        The one voxel that each sample copies.
    weights : scipy CSR matrix (n_out, n_in), or None
        Used when some sample mixes several voxels; rows sum to 1, also at the borders.
    """

    inside: np.ndarray
    index: np.ndarray | None
    weights: Any

    def sources(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Source indices and weights of one output sample."""
        if self.index is not None:
            return self.index[row : row + 1], np.ones(1, dtype=np.float32)
        first, last = self.weights.indptr[row], self.weights.indptr[row + 1]
        return self.weights.indices[first:last], self.weights.data[first:last]


def axis_operator(
    positions: np.ndarray, source_size: int, interpolation: Interpolation, sigma: float = 0.0
) -> AxisOperator:
    """Operator for samples at fractional source indices.

    Parameters
    ----------
    positions : float array (n_out,)
        In source voxels; 0 is the centre of the first voxel.
    source_size : int
        Number of source voxels; 1 works (the value is constant along the axis).
    interpolation : Interpolation
        Nearest ignores ``sigma``.
    sigma : float
        Gaussian against aliasing, in source voxels.
    """
    from scipy.sparse import csr_matrix

    positions = np.asarray(positions, dtype=np.float64)
    inside = (positions >= -BORDER_VOXEL) & (positions <= source_size - 1 + BORDER_VOXEL)
    clamped = np.clip(positions, 0, source_size - 1)
    nearest = np.clip(np.floor(clamped + 0.5), 0, source_size - 1).astype(np.intp)
    on_voxels = np.abs(clamped - nearest).max(initial=0.0) < _ON_A_VOXEL
    if interpolation is Interpolation.NEAREST or (sigma == 0.0 and on_voxels) or source_size == 1:
        return AxisOperator(inside, nearest, None)
    lower = np.minimum(np.floor(clamped), source_size - 2).astype(np.intp)
    fraction = clamped - lower
    rows = np.arange(positions.size)
    weights = csr_matrix(
        (
            np.concatenate([1 - fraction, fraction]),
            (np.concatenate([rows, rows]), np.concatenate([lower, lower + 1])),
        ),
        shape=(positions.size, source_size),
    )
    if sigma > 0.0:
        weights = weights @ _gaussian(source_size, sigma)
    weights.eliminate_zeros()
    weights.sort_indices()
    return AxisOperator(inside, None, weights.astype(np.float32))


def _gaussian(size: int, sigma: float) -> Any:
    """Gaussian smoothing as a (size, size) sparse matrix; beyond the ends the border value continues."""
    from scipy.sparse import csr_matrix

    radius = max(1, ceil(3 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    rows = np.repeat(np.arange(size), offsets.size)
    columns = np.clip(rows + np.tile(offsets, size), 0, size - 1)
    return csr_matrix((np.tile(kernel, size), (rows, columns)), shape=(size, size))
