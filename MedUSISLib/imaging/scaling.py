"""Intensities on a known scale; always per volume, never per slice (slices scaled alone flicker)."""

from __future__ import annotations

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError

# Percentiles of this many values are exact enough (standard error below 0.05 percentile points) and cheap.
_SAMPLE = 4_000_000


def _sampled(array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    values = array[mask] if mask is not None else array.ravel()
    if values.size == 0:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the region that sets the intensity scale is empty")
    return values[:: max(1, values.size // _SAMPLE)]


def rescale(array: np.ndarray, low: float, high: float, new_min: float = 0.0, new_max: float = 1.0) -> np.ndarray:
    """Linear map of [low, high] to [new_min, new_max], float32, not clipped; ``new_min`` everywhere if low == high."""
    if not high > low:
        return np.full(array.shape, new_min, dtype=np.float32)
    result = array.astype(np.float32)
    result -= np.float32(low)
    result *= np.float32((new_max - new_min) / (high - low))
    result += np.float32(new_min)
    return result


def min_max(array: np.ndarray, new_min: float = 0.0, new_max: float = 1.0) -> np.ndarray:
    """Eq. 3.8 of the thesis: the lowest value becomes ``new_min``, the highest ``new_max``; float32.

    Examples
    --------
    >>> min_max(np.array([2, 4, 6])).tolist()
    [0.0, 0.5, 1.0]
    """
    return rescale(array, float(array.min()), float(array.max()), new_min, new_max)


def window(array: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """[lo, hi] to [0, 1], clipped; float32."""
    return np.clip(rescale(array, lo, hi), 0.0, 1.0)


def percentile_scale(
    array: np.ndarray, mask: np.ndarray | None = None, low: float = 0.5, high: float = 99.5
) -> np.ndarray:
    """The percentiles ``low`` and ``high`` of the masked voxels to 0 and 1, clipped; float32.

    Robust against single bright voxels. For head T1 use ``scale_to_white_matter``: here fat drives the percentile, and
    white matter lands anywhere from .37 to .94.
    """
    bounds = np.percentile(_sampled(array, mask), [low, high])
    return window(array, float(bounds[0]), float(bounds[1]))


def scale_to_white_matter(
    array: np.ndarray, wm_mask: np.ndarray, target: float = 0.7, clip: float = 1.2, head_mask: np.ndarray | None = None
) -> np.ndarray:
    """A T1 divided so that white matter's median is ``target``, clipped to [0, ``clip``], 0 outside the head; float32.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the white matter is empty or its median is not positive.
    """
    median = float(np.median(_sampled(array, wm_mask)))
    if not median > 0:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the white matter of the MR has no positive intensity")
    result = array.astype(np.float32)
    result *= np.float32(target / median)
    np.clip(result, 0.0, clip, out=result)
    if head_mask is not None:
        result[~head_mask] = 0.0
    return result


def to_network(array: np.ndarray, minimum: float, maximum: float) -> np.ndarray:
    """[minimum, maximum] to the networks' [-1, 1], clipped; float32."""
    return np.clip(rescale(array, minimum, maximum, -1.0, 1.0), -1.0, 1.0)


def from_network(array: np.ndarray, minimum: float, maximum: float) -> np.ndarray:
    """The networks' [-1, 1] to [minimum, maximum]; float32."""
    return rescale(array, -1.0, 1.0, minimum, maximum)
