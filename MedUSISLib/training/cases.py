"""A prepared case, as training draws from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MedUSISLib.training.array_store import Arrays


@dataclass(frozen=True)
class Case:
    """One person's volume, ready to be drawn from. Arrays may be mapped from a file: they are not written to.

    Attributes
    ----------
    person : str
    labels_kji : ndarray of uint8, shape (K, J, I)
        Class indices; i to the left, j to the back, k to the head; 1 mm in the plane unless boxes are cut from it.
    image_kji : ndarray of float16 or None
        MR in [0, 1.2], same shape.
    thickness_mm : float
        Distance of the slices.
    acquired_mm : float or None
        Distance of the slices in the file, where they were put onto a finer or coarser grid since.
    lesions_kji : ndarray of uint8 or None
        1 in lesions, same shape.
    """

    person: str
    labels_kji: np.ndarray
    image_kji: np.ndarray | None
    thickness_mm: float
    acquired_mm: float | None = None
    lesions_kji: np.ndarray | None = None

    def slice_shape(self, axis: int) -> tuple[int, ...]:
        """Rows and columns of a slice across this axis of the arrays."""
        return tuple(n for other, n in enumerate(self.labels_kji.shape) if other != axis)


def case_of(person: str, arrays: Arrays) -> Case:
    """A case from the arrays that `case_preparation` remembers."""
    acquired = arrays.get("acquired")  # version 0.1 did not write it
    return Case(
        person,
        arrays["labels"],
        arrays.get("image"),
        float(arrays["thickness"]),
        None if acquired is None else float(acquired),
        arrays.get("lesions"),
    )
