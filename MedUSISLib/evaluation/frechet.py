"""How far two sets of feature vectors are from one another: the Frechet distance of normal distributions.

References
----------
Dowson, Landau, J. Multivar. Anal. 12 (1982): the distance between two normal distributions.
Heusel et al., NeurIPS (2017): as a measure of generated images.
Chen, Wiesel, Eldar, Hero, IEEE Trans. Signal Process. 58 (2010): the covariance from few samples (OAS shrinkage).
Chong, Forsyth, CVPR (2020): the distance is biased by the number of samples, so only distances between sets of like
size can be compared.
"""

from __future__ import annotations

import numpy as np


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Frechet distance between the normal distributions of two sets of samples.

    Parameters
    ----------
    first, second : ndarray [N, F] and [M, F]
        Feature vectors, each feature on a comparable scale (divided by its spread in real images).

    Returns
    -------
    float
        0 for equal means and covariances; the features' unit squared.

    Raises
    ------
    ValueError
        For fewer than two samples, or another number of features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> samples = rng.standard_normal((500, 3))
    >>> round(frechet_distance(samples, samples + 2), 6), round(frechet_distance(samples, samples), 6)
    (12.0, 0.0)
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or min(len(first), len(second)) < 2:
        raise ValueError(f"two sets of at least two vectors of the same length: {first.shape}, {second.shape}")
    one, other = shrunk_covariance(first), shrunk_covariance(second)
    shift = first.mean(0) - second.mean(0)
    # tr((C1 C2)^1/2) through symmetric matrices: no complex numbers, also for singular ones.
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return max(float(shift @ shift + np.trace(one) + np.trace(other) - 2 * cross), 0.0)


def shrunk_covariance(samples: np.ndarray) -> np.ndarray:
    """Covariance [F, F] of samples [N, F], drawn towards a multiple of the identity the more, the fewer they are."""
    count, size = samples.shape
    found = np.atleast_2d(np.cov(samples, rowvar=False, bias=True))
    if size == 1:
        return found
    trace, squares = float(np.trace(found)), float((found**2).sum())
    spread = squares - trace**2 / size
    if spread <= 0:
        return found
    share = min(1.0, ((1 - 2 / size) * squares + trace**2) / ((count + 1 - 2 / size) * spread))
    return (1 - share) * found + share * trace / size * np.eye(size)
