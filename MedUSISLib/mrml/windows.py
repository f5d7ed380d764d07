"""Display windows from what the voxels of the body hold; the full range would make an uncertainty map look flat."""

from __future__ import annotations

import numpy as np

MR_PERCENTILES = (1.0, 99.0)
UNCERTAINTY_PERCENTILES = (2.0, 99.0)
_ENOUGH_VOXELS = 2_000_000


def body_sample(volume_kji: np.ndarray, body_kji: np.ndarray) -> np.ndarray:
    """Values inside the body, of every n-th voxel in each direction: 2 million are enough for a percentile.

    Parameters
    ----------
    volume_kji, body_kji : ndarray
        Same shape; ``body_kji`` is not zero inside the body.

    Returns
    -------
    ndarray
        1D float; the whole volume's values when the body is empty.
    """
    step = max(1, int(np.ceil((volume_kji.size / _ENOUGH_VOXELS) ** (1 / 3))))
    steps = tuple(slice(None, None, step if length > step else 1) for length in volume_kji.shape)
    values = volume_kji[steps]
    inside = values[body_kji[steps] != 0]
    chosen = inside if inside.size else values.ravel()
    return chosen[np.isfinite(chosen)]


def percentile_window(values: np.ndarray, percentiles: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest shown value; never empty, also for a constant image.

    Examples
    --------
    >>> percentile_window(np.arange(101.0), (2.0, 99.0))
    (2.0, 99.0)
    >>> percentile_window(np.zeros(10), (2.0, 99.0))
    (0.0, 1.0)
    """
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, percentiles))
    if high > low:
        return low, high
    return low, low + max(abs(low), 1.0)
