"""Overlap of masks and of label maps: the Dice coefficient.

References
----------
Dice, Ecology 26 (1945): 2 |A and B| / (|A| + |B|).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

_CHUNK = 1 << 20


@dataclass(frozen=True)
class DiceRow:
    """Overlap of one class; ``dice`` is ``None`` where neither map has a voxel of it."""

    index: int
    name: str
    title: str
    dice: float | None
    reference_voxels: int
    predicted_voxels: int
    includes: tuple[str, ...] = ()
    """Finer classes that were counted as this one, because the reference does not split it."""

    def as_dict(self) -> dict[str, object]:
        """The row as plain numbers and strings, for JSON."""
        return asdict(self)


def dice(first: np.ndarray, second: np.ndarray) -> float | None:
    """Dice coefficient of two masks: 1 identical, 0 disjoint, ``None`` when both are empty.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> dice(np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool))
    0.5
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(f"the masks must have the same shape, not {first.shape} and {second.shape}")
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    # slice by slice: the overlap of two large volumes would be a third one
    slices = zip(first, second, strict=True) if first.ndim > 1 else ((first, second),)
    return 2 * sum(int(np.count_nonzero(a & b)) for a, b in slices) / total if total else None


def confusion_matrix(reference: np.ndarray, predicted: np.ndarray, number_of_classes: int) -> np.ndarray:
    """Voxels by (reference class, predicted class), int64 [C, C]; counted in pieces, so it needs no copy.

    Raises
    ------
    ValueError
        If the shapes differ, or an index is not in 0..C-1.
    """
    reference, predicted = np.asarray(reference), np.asarray(predicted)
    if reference.shape != predicted.shape:
        raise ValueError(f"the label maps must have the same shape, not {reference.shape} and {predicted.shape}")
    n = number_of_classes
    result = np.zeros(n * n, np.int64)
    flat_a, flat_b = reference.reshape(-1), predicted.reshape(-1)
    for start in range(0, flat_a.size, _CHUNK):
        a = flat_a[start : start + _CHUNK].astype(np.int32)
        b = flat_b[start : start + _CHUNK].astype(np.int32)
        if min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= n:
            raise ValueError(f"class indices must be between 0 and {n - 1}")
        result += np.bincount(a * n + b, minlength=n * n)
    return result.reshape(n, n)


def merges_for_comparison(
    reference_counts: np.ndarray, predicted_counts: np.ndarray, schema: LabelSchema, minimum_voxels: int = 1
) -> dict[str, str]:
    """Which fine classes cannot be told apart in the reference, and what they are compared as.

    A class is merged into its coarser partner (the schema's ``merges_into``) where the reference uses the partner, and

    * the reference never uses the class itself (no skin or fat, only soft tissue), or
    * the prediction never uses the partner: then the partner means "undivided", as ``brain`` does, and any of its
      finer classes can be in it.

    Parameters
    ----------
    reference_counts, predicted_counts : ndarray [C]
        Voxels per class.
    schema : LabelSchema
    minimum_voxels : int
        A class with fewer voxels counts as not used.

    Returns
    -------
    dict of str to str
        Fine class name to coarse class name.
    """
    least = max(minimum_voxels, 1)
    in_reference = {c.name for c in schema.classes if reference_counts[c.index] >= least}
    in_predicted = {c.name for c in schema.classes if predicted_counts[c.index] >= least}
    return {
        c.name: c.merges_into
        for c in schema.classes
        if c.merges_into in in_reference and (c.name not in in_reference or c.merges_into not in in_predicted)
    }


def dice_per_class(
    reference: np.ndarray,
    predicted: np.ndarray,
    schema: LabelSchema,
    merge: Mapping[str, str] | None = None,
    ignore: Sequence[str] = ("background",),
) -> list[DiceRow]:
    """Dice of every class that the reference uses, in the schema's order.

    Parameters
    ----------
    reference, predicted : ndarray of int
        Class indices, same shape.
    schema : LabelSchema
    merge : mapping of str to str, optional
        Fine to coarse class, applied to both maps. Default: `merges_for_comparison`.
    ignore : sequence of str
        Classes that get no row.

    Returns
    -------
    list of DiceRow

    Notes
    -----
    Classes that only the prediction has are in no row of their own, but lower the Dice of those whose voxels they took.
    """
    size = max(c.index for c in schema.classes) + 1
    matrix = confusion_matrix(reference, predicted, size)
    if merge is None:
        merge = merges_for_comparison(matrix.sum(axis=1), matrix.sum(axis=0), schema)
    index = {c.name: c.index for c in schema.classes}
    for fine, coarse in merge.items():
        for axis in (0, 1):
            matrix = np.moveaxis(matrix, axis, 0).copy()
            matrix[index[coarse]] += matrix[index[fine]]
            matrix[index[fine]] = 0
            matrix = np.moveaxis(matrix, 0, axis)
    in_reference, in_predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    rows = []
    for c in schema.classes:
        if c.name in ignore or in_reference[c.index] == 0:
            continue
        total = int(in_reference[c.index] + in_predicted[c.index])
        rows.append(
            DiceRow(
                index=c.index,
                name=c.name,
                title=c.title,
                dice=2 * int(matrix[c.index, c.index]) / total if total else None,
                reference_voxels=int(in_reference[c.index]),
                predicted_voxels=int(in_predicted[c.index]),
                includes=tuple(fine for fine, coarse in merge.items() if coarse == c.name),
            )
        )
    return rows
