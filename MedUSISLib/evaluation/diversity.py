"""Are images of different labels different? Their spread against that of the real images of the same labels."""

from __future__ import annotations

import numpy as np


def diversity(synthetic: np.ndarray, real: np.ndarray, masks: np.ndarray) -> float | None:
    """Spread between images at the same pixel, synthetic over real.

    Parameters
    ----------
    synthetic, real : ndarray [N, ...]
        Images of the same N label maps.
    masks : ndarray of bool, same shape
        The body; a pixel counts where any of the images has it.

    Returns
    -------
    float or None
        1 as different as the real ones, 0 the same image whatever the labels are; ``None`` for a single image, or real
        ones that do not differ.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = rng.random((4, 8, 8))
    >>> inside = np.ones(real.shape, bool)
    >>> diversity(real, real, inside), diversity(np.repeat(real[:1], 4, 0), real, inside)
    (1.0, 0.0)
    """
    somewhere = np.asarray(masks, bool).any(axis=0)
    if len(real) < 2 or not somewhere.any():
        return None
    theirs = float(np.asarray(real, np.float64).std(axis=0)[somewhere].mean())
    if theirs < 1e-6:
        return None
    return float(np.asarray(synthetic, np.float64).std(axis=0)[somewhere].mean()) / theirs
