"""Looking label values up in a table, a piece of the volume at a time so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from MedUSISLib.errors import ErrorCode, MedUSISError

_CHUNK = 1 << 21
"""Voxels handled at once: indexing a table makes numpy copy the index as 8-byte integers, 16 MB for a chunk."""

_WIDEST = 1 << 24


class LookupTable:
    """One number for each label value: an array over the range of known values with a guard at either end.

    Parameters
    ----------
    numbers : mapping from label value to number
    other : int
        The number for every value that is not in ``numbers``.
    """

    def __init__(self, numbers: Mapping[int, int], other: int, dtype: DTypeLike = np.uint8) -> None:
        self._lowest, self._highest = min(numbers), max(numbers)
        if self._highest - self._lowest > _WIDEST:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"the label values of the table run from {self._lowest} to {self._highest}",
                f"a table may span at most {_WIDEST} values",
            )
        self._table = np.full(self._highest - self._lowest + 3, other, dtype=dtype)
        for value, number in numbers.items():
            self._table[value - self._lowest + 1] = number

    def look_up(self, values: NDArray[np.integer]) -> NDArray[Any]:
        """Numbers for a chunk of values; whatever lies outside the known range falls on the guards."""
        if values.dtype == np.uint64:
            values = values.clip(max=np.uint64(1 << 62))
        wide = values.astype(np.int64)
        np.clip(wide, self._lowest - 1, self._highest + 1, out=wide)
        wide -= self._lowest - 1
        return self._table[wide]


def chunks(array: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Flat pieces of an array, each with its place in the flattened array."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, flat.size))
        yield part, flat[part]


def unique_values(array: NDArray[np.integer]) -> list[int]:
    """The different values of an array, sorted."""
    found: set[int] = set()
    for _, chunk in chunks(array):
        lowest, highest = int(chunk.min()), int(chunk.max())
        if highest - lowest < 1 << 16 and highest < 1 << 62:  # counting is ten times faster than sorting
            counts = np.bincount((chunk.astype(np.int64) - lowest).ravel())
            found.update((np.flatnonzero(counts) + lowest).tolist())
        else:
            found.update(np.unique(chunk).tolist())
    return sorted(found)


def as_integers(values: NDArray[Any]) -> NDArray[np.integer]:
    """A label map as whole numbers; some tools write them as floating point.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when a value is not a whole number of 32 bits.
    """
    array = np.asarray(values)
    if array.dtype == bool:
        return array.view(np.uint8)
    if np.issubdtype(array.dtype, np.integer):
        return array
    if np.issubdtype(array.dtype, np.floating):
        whole = np.empty(array.shape, dtype=np.int32)
        flat = whole.reshape(-1)
        for part, chunk in chunks(array):
            if not (np.abs(chunk) < 2**31).all() or (chunk != np.rint(chunk)).any():
                break
            flat[part] = chunk
        else:
            return whole
    raise MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        "the segmentation is not a label map: its values are not whole numbers",
        "give a label map (one whole number per voxel), not an image or a probability map",
    )
