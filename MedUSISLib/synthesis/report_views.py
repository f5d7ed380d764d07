"""Slices of a volume as a radiologist expects them: patient's right on the left, anterior or superior on top.

The array's own planes are shown, nothing is resampled: an oblique volume keeps its planes and gets double letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from MedUSISLib.imaging.geometry import Geometry

_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))  # towards +x, -x; +y, -y; +z, -z in LPS
_OBLIQUE = 0.35  # an axis tilted by more than 20 degrees gets a second letter
# Plane: anatomical axis of (normal, rows, columns) and the LPS sign of walking down a column and along a row.
_PLANES = {"axial": (2, 1, 0, 1, 1), "coronal": (1, 2, 0, -1, 1), "sagittal": (0, 2, 1, -1, 1)}

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Plane:
    """How to cut and turn an array so that it shows one plane.

    Attributes
    ----------
    name : str
        "axial", "coronal" or "sagittal".
    normal, rows, columns : int
        Array axes (0 = k, 1 = j, 2 = i).
    flip_rows, flip_columns : bool
    pixel_mm : (float, float)
        Height and width of a pixel.
    left, right, top, bottom : str
        Orientation letters.
    """

    name: str
    normal: int
    rows: int
    columns: int
    flip_rows: bool
    flip_columns: bool
    pixel_mm: tuple[float, float]
    left: str
    right: str
    top: str
    bottom: str

    def cut(self, array_kji: np.ndarray, index: int, box: Box | None = None) -> np.ndarray:
        """One slice [rows, columns], a view; ``index`` counts in the whole array, ``box`` crops the two other axes."""
        where: list[int | slice] = list(box) if box is not None else [slice(None)] * 3
        where[self.normal] = index
        image = array_kji[tuple(where)]
        if self.rows > self.columns:
            image = image.T
        return image[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]


def planes(geometry: Geometry) -> tuple[Plane, Plane, Plane]:
    """Axial, coronal and sagittal plane of a grid, whatever the order and direction of its axes.

    Examples
    --------
    >>> from MedUSISLib.imaging.geometry import Geometry
    >>> axial = planes(Geometry((4, 3, 2)))[0]
    >>> axial.left, axial.right, axial.top, axial.bottom
    ('R', 'L', 'A', 'P')
    """
    matrix = geometry.axes
    # Which of i, j, k serves as x, y, z: the assignment with the smallest tilt, each axis once.
    serving = max(permutations(range(3)), key=lambda order: sum(abs(matrix[w, a]) for w, a in enumerate(order)))
    made = []
    for name, (normal, rows, columns, down, along) in _PLANES.items():
        row_axis, column_axis = serving[rows], serving[columns]
        flip_rows = bool(np.sign(matrix[rows, row_axis]) != down)
        flip_columns = bool(np.sign(matrix[columns, column_axis]) != along)
        downwards = matrix[:, row_axis] * (-1 if flip_rows else 1)
        rightwards = matrix[:, column_axis] * (-1 if flip_columns else 1)
        made.append(
            Plane(
                name=name,
                normal=2 - serving[normal],
                rows=2 - row_axis,
                columns=2 - column_axis,
                flip_rows=flip_rows,
                flip_columns=flip_columns,
                pixel_mm=(geometry.spacing_mm[row_axis], geometry.spacing_mm[column_axis]),
                left=letters(-rightwards),
                right=letters(rightwards),
                top=letters(-downwards),
                bottom=letters(downwards),
            )
        )
    return made[0], made[1], made[2]


def letters(direction_lps: np.ndarray) -> str:
    """Orientation letters of a direction: the nearest first, others when the direction is oblique.

    Examples
    --------
    >>> letters(np.array([-1.0, 0.0, 0.0])), letters(np.array([0.0, -0.8, 0.6]))
    ('R', 'AS')
    """
    order = np.argsort(-np.abs(direction_lps))
    kept = [w for position, w in enumerate(order) if position == 0 or abs(direction_lps[w]) > _OBLIQUE]
    return "".join(_LETTERS[w][0 if direction_lps[w] > 0 else 1] for w in kept)


def body_box(mask_kji: np.ndarray, geometry: Geometry, margin_mm: float = 8.0) -> Box:
    """The part of the grid that holds the mask, with a margin; the whole grid for an empty mask."""
    spacing = geometry.spacing_mm[::-1]
    result = []
    for axis in range(3):
        used = np.flatnonzero(np.any(mask_kji, axis=tuple(a for a in range(3) if a != axis)))
        size = mask_kji.shape[axis]
        if used.size == 0:
            return slice(0, mask_kji.shape[0]), slice(0, mask_kji.shape[1]), slice(0, mask_kji.shape[2])
        margin = int(round(margin_mm / spacing[axis]))
        result.append(slice(max(0, int(used[0]) - margin), min(size, int(used[-1]) + margin + 1)))
    return result[0], result[1], result[2]


def centre_of(labels_kji: np.ndarray, wanted: np.ndarray) -> tuple[int, int, int] | None:
    """Median position, per axis, of the voxels whose class is wanted; ``None`` when there is none.

    Parameters
    ----------
    labels_kji : ndarray of uint8
        Class indices.
    wanted : ndarray of bool [256]
        By class index.
    """
    counts = [np.zeros(n, np.int64) for n in labels_kji.shape]
    for k, plane in enumerate(labels_kji):
        hit = wanted[plane]
        counts[0][k] = np.count_nonzero(hit)
        counts[1] += hit.sum(axis=1)
        counts[2] += hit.sum(axis=0)
    if counts[0].sum() == 0:
        return None
    middle = [int(np.searchsorted(np.cumsum(c), c.sum() / 2)) for c in counts]
    return middle[0], middle[1], middle[2]
