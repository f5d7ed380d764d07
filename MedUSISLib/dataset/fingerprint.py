"""Two images with the same voxels, whatever their headers, formats or order of axes say."""

from __future__ import annotations

import hashlib

import numpy as np

_SLAB = 8


def voxel_fingerprints(array_kji: np.ndarray) -> tuple[str, str]:
    """Hashes of the values alone: type, format and geometry do not matter.

    Parameters
    ----------
    array_kji : ndarray
        Finite values.

    Returns
    -------
    in_order : str
        Equal when all voxels are equal, in the same order.
    in_any_order : str
        Equal when the same values occur equally often in a volume of the same sides: also for a copy whose axes were
        swapped or reversed, as converters from DICOM do.

    Examples
    --------
    >>> a = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    >>> b = np.ascontiguousarray(a[:, ::-1].astype(np.float32))
    >>> [x == y for x, y in zip(voxel_fingerprints(a), voxel_fingerprints(b))]
    [False, True]
    """
    ordered = hashlib.blake2b(repr(tuple(array_kji.shape)).encode(), digest_size=12)
    total = 0
    for first in range(0, array_kji.shape[0], _SLAB):
        # Adding 0 turns -0 into 0; float32 holds every value that the readers give.
        values = np.ascontiguousarray(array_kji[first : first + _SLAB], dtype=np.float32) + np.float32(0)
        ordered.update(values.data)
        total = (total + _mixed_sum(values.reshape(-1).view(np.uint32))) % 2**64
    sides = sorted(array_kji.shape)
    unordered = hashlib.blake2b(f"{sides} {total}".encode(), digest_size=12)
    return ordered.hexdigest(), unordered.hexdigest()


def _mixed_sum(bits: np.ndarray) -> int:
    """Sum of a strong mixing of each value (the finalizer of SplitMix64), modulo 2**64."""
    x = bits.astype(np.uint64)
    x += np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return int(x.sum(dtype=np.uint64))
