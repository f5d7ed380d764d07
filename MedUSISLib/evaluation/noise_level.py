"""How noisy an MR is: the fast estimate of Immerkaer, inside one tissue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Blind to constant, linear and bilinear intensities; unit white noise gives a standard deviation of 6.
_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def noise_level(volume: np.ndarray, tissue: np.ndarray) -> float | None:
    """Standard deviation of the noise in slices of a volume.

    Parameters
    ----------
    volume : ndarray [k, j, i]
        Intensities; slices are its first axis.
    tissue : bool ndarray of the same shape
        A homogeneous tissue, white matter of a T1; it is eroded by one pixel so that edges do not count.

    Returns
    -------
    float or None
        In the volume's unit; None with fewer than 200 pixels. Interpolated images read too low, because their noise
        is correlated.

    References
    ----------
    Immerkaer: Fast noise variance estimation, Computer Vision and Image Understanding 64 (1996).

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(5, 0.3, (4, 64, 64))
    >>> round(noise_level(noise, np.ones(noise.shape, bool)), 2)
    0.3
    """
    total, count = 0.0, 0
    for plane, mask in zip(volume, tissue, strict=True):
        inside = ndimage.binary_erosion(mask, np.ones((3, 3)))
        if inside.any():
            response = ndimage.convolve(plane.astype(np.float32), _KERNEL)[inside]
            total += float(np.abs(response).sum())
            count += response.size
    return float(np.sqrt(np.pi / 2) / 6 * total / count) if count >= 200 else None
