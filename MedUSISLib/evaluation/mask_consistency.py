"""Do the outlines agree? The mask extractor of the thesis (section 3.1.5) and the map made from two masks.

The extractor E is the exact one: Gaussian blur, threshold, binary opening, filling of gaps and holes, slice by slice.
It has no gradient and is meant for the overlay and the measure; training uses a differentiable relative of it.

Filling takes a closing besides the hole filling proper ("filling in gaps or holes"): the skull is as dark as air, and
where the scalp above it is thin or cut by the field of view, it would count as outside.

References
----------
Med-USIS thesis, section 3.1.5 "Mask consistency self-supervision", equation 3.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from MedUSISLib.imaging.connected_parts import ConnectedParts
from MedUSISLib.imaging.morphology import filled, shrunk_by_box

if TYPE_CHECKING:
    from MedUSISLib.anatomy.schema import LabelSchema

OUTSIDE, AGREE, TISSUE_MISSING, TISSUE_TOO_MUCH = 0, 1, 2, 3
"""Values of the consistency map: outside both, both, in the labels only, in the MR only."""

THRESHOLD_FRACTION = 0.125
"""Part of the generator's intensity range above which there is tissue: half of what skin has (0.15 of 1.2)."""

_IN_PLANE = (1, 2)
_PIXELS_AT_ONCE = 1 << 19
"""So many pixels of neighbouring slices are looked at together: few enough for the processor's cache."""


@dataclass(frozen=True)
class ExtractorSettings:
    """Sizes of the extractor's steps in mm, so that it does the same on every grid.

    Attributes
    ----------
    blur_mm : float
        Standard deviation of the Gaussian.
    opening_mm, closing_mm : float
        Sides of the squares. 3 mm keeps a thin scalp, 9 mm bridges a skull; 0 leaves the step out.
    minimum_area_mm2 : float
        Smaller islands and fragments are dropped.
    """

    blur_mm: float = 1.0
    opening_mm: float = 3.0
    closing_mm: float = 9.0
    minimum_area_mm2: float = 100.0


@dataclass(frozen=True)
class MaskConsistency:
    """Agreement of the MR's mask with the labels' mask.

    Attributes
    ----------
    map : ndarray of uint8
        0 outside both, 1 agree, 2 tissue missing in the MR, 3 tissue too much.
    dice : float or None
        Of the two masks over the volume; ``None`` when both are empty.
    missing_fraction, excess_fraction : float
        Voxels with value 2 and 3 over the voxels of the labels' mask; 0 when that is empty.
    slice_dice : tuple of (float or None)
        Dice of every slice along axis 0.
    """

    map: np.ndarray
    dice: float | None
    missing_fraction: float
    excess_fraction: float
    slice_dice: tuple[float | None, ...]


def extract_mask(
    image: np.ndarray,
    threshold: float,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    settings: ExtractorSettings | None = None,
) -> np.ndarray:
    """The extractor E: what belongs to the body in one slice.

    Parameters
    ----------
    image : ndarray [H, W]
        Intensities, or a binary mask with ``threshold=0.5``.
    threshold : float
        After the blur, pixels above it are tissue. In a volume always the same number: a threshold that followed
        the slice's own maximum would find tissue in an empty slice.
    spacing_mm : (float, float)
        Pixel size along the two axes.
    settings : ExtractorSettings, optional
        Sizes of the steps.

    Returns
    -------
    ndarray of bool [H, W]

    Examples
    --------
    >>> ring = np.zeros((40, 40)); ring[5:35, 5:35] = 1; ring[12:28, 12:28] = 0
    >>> mask = extract_mask(ring, 0.5)
    >>> bool(mask[20, 20]), bool(mask[1, 1])
    (True, False)
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"the extractor works on one slice, not on an array of shape {image.shape}")
    return _extracted(image[None], threshold, spacing_mm, settings or ExtractorSettings())[0]


def _extracted(
    planes: np.ndarray, threshold: float, spacing_mm: tuple[float, float], settings: ExtractorSettings
) -> np.ndarray:
    """What belongs to the body in each plane of a stack [n, H, W]."""
    sigma = [0.0, *(settings.blur_mm / s for s in spacing_mm)]
    tissue = ndimage.gaussian_filter(planes.astype(np.float32), sigma, mode="nearest") > threshold
    if not tissue.any():
        return np.zeros(planes.shape, bool)
    opened = _dilated(_eroded(tissue, spacing_mm, settings.opening_mm), spacing_mm, settings.opening_mm)
    closed = _eroded(_dilated(opened, spacing_mm, settings.closing_mm), spacing_mm, settings.closing_mm)
    parts = ConnectedParts.of(filled(closed | opened, _IN_PLANE), _IN_PLANE)
    return parts.chosen(parts.sizes * spacing_mm[0] * spacing_mm[1] >= settings.minimum_area_mm2)


def label_tissue(labels: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Where a label map says tissue: every class but those whose tissue is air (background, cavities).

    Cavities are left out because they are as dark as the outside in the MR; the hole filling brings back those that
    are closed, in both masks alike.
    """
    air = {c.index for c in schema.classes if c.tissue == "air" or c.name == "background"}
    table = np.ones(256, bool)
    table[sorted(air)] = False
    return table[np.asarray(labels, dtype=np.uint8)]


def consistency_map(label_mask: np.ndarray, mr_mask: np.ndarray) -> np.ndarray:
    """0 outside both, 1 agree, 2 tissue missing in the MR, 3 tissue too much in the MR.

    Examples
    --------
    >>> consistency_map(np.array([0, 1, 1, 0], bool), np.array([0, 1, 0, 1], bool)).tolist()
    [0, 1, 2, 3]
    """
    label_mask, mr_mask = np.asarray(label_mask, bool), np.asarray(mr_mask, bool)
    if label_mask.shape != mr_mask.shape:
        raise ValueError(f"the masks must have the same shape, not {label_mask.shape} and {mr_mask.shape}")
    return _CODES[label_mask.astype(np.uint8) * 2 + mr_mask]


_CODES = np.array([OUTSIDE, TISSUE_TOO_MUCH, TISSUE_MISSING, AGREE], np.uint8)


def mask_consistency(
    mr: np.ndarray,
    labels: np.ndarray,
    schema: LabelSchema,
    threshold: float,
    spacing_kji_mm: Sequence[float] = (1.0, 1.0, 1.0),
    settings: ExtractorSettings | None = None,
) -> MaskConsistency:
    """E(labels) against E(MR), slice by slice along axis 0.

    Parameters
    ----------
    mr : ndarray [k, j, i]
        Synthetic MR.
    labels : ndarray [k, j, i] of int
        What the generator was given.
    schema : LabelSchema
        Of the labels; says which classes are air.
    threshold : float
        Intensity above which the MR shows tissue, see `tissue_threshold`.
    spacing_kji_mm : three floats
        Voxel size along the array's axes.
    settings : ExtractorSettings, optional

    Returns
    -------
    MaskConsistency
        Needs one byte a voxel more than its inputs.
    """
    if mr.shape != labels.shape or mr.ndim != 3:
        raise ValueError(f"MR and labels must be volumes of the same shape, not {mr.shape} and {labels.shape}")
    spacing = (float(spacing_kji_mm[1]), float(spacing_kji_mm[2]))
    settings = settings or ExtractorSettings()
    result = np.zeros(mr.shape, np.uint8)
    together = max(1, _PIXELS_AT_ONCE // max(1, mr[0].size))
    for first in range(0, mr.shape[0], together):
        part = slice(first, first + together)
        in_labels = _extracted(label_tissue(labels[part], schema), 0.5, spacing, settings)
        in_mr = _extracted(mr[part], threshold, spacing, settings)
        result[part] = consistency_map(in_labels, in_mr)
    return summarise_consistency(result)


def summarise_consistency(consistency: np.ndarray) -> MaskConsistency:
    """Dice, missing and excess of a consistency map that exists already.

    Examples
    --------
    >>> summary = summarise_consistency(np.array([[[1, 1, 1, 2, 3, 0]]], np.uint8))
    >>> round(summary.dice, 3), summary.missing_fraction, summary.excess_fraction
    (0.75, 0.25, 0.25)
    """
    counts = np.array([np.bincount(s.ravel(), minlength=4)[:4] for s in consistency], np.int64).reshape(-1, 4)
    total = counts.sum(axis=0)
    reference = max(int(total[AGREE] + total[TISSUE_MISSING]), 1)
    nothing = total[AGREE] + total[TISSUE_MISSING] == 0
    return MaskConsistency(
        map=consistency,
        dice=_dice(total),
        missing_fraction=0.0 if nothing else float(total[TISSUE_MISSING] / reference),
        excess_fraction=0.0 if nothing else float(total[TISSUE_TOO_MUCH] / reference),
        slice_dice=tuple(_dice(row) for row in counts),
    )


def largest_disagreement(
    consistency: np.ndarray, value: int, spacing_mm: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, int | None]:
    """Area in mm2 of the largest compact patch of a value in any slice along axis 0, and that slice.

    Finds a local defect that Dice and HD95 of a whole volume average away. The rim of a pixel that two outlines nearly
    always disagree about is opened away (3 x 3 pixels) first.

    Parameters
    ----------
    consistency : ndarray of uint8 [slices, H, W]
    value : int
        2, tissue missing, or 3, tissue too much.
    spacing_mm : (float, float)
        Pixel size within slices.

    Examples
    --------
    >>> code = np.ones((3, 20, 20), np.uint8)
    >>> code[1, 2:8, 3:9] = 2
    >>> code[2, :, 0] = 2
    >>> largest_disagreement(code, 2, (0.5, 2.0))
    (36.0, 1)
    """
    best, where = 0, None
    for k, plane in enumerate(consistency):
        found = plane == value
        if np.count_nonzero(found) <= max(best, 8):
            continue
        found = ndimage.maximum_filter(ndimage.minimum_filter(found, 3, mode="nearest"), 3, mode="nearest")
        pieces, number = ndimage.label(found)
        if number:
            area = int(np.bincount(pieces.ravel())[1:].max())
            if area > best:
                best, where = area, k
    return best * spacing_mm[0] * spacing_mm[1], where


def tissue_threshold(minimum: float, maximum: float) -> float:
    """Intensity above which an MR shows tissue, from the generator's intensity range."""
    return minimum + THRESHOLD_FRACTION * (maximum - minimum)


def _dice(counts: np.ndarray) -> float | None:
    both = 2 * counts[AGREE]
    total = both + counts[TISSUE_MISSING] + counts[TISSUE_TOO_MUCH]
    return float(both / total) if total else None


def _eroded(planes: np.ndarray, spacing_mm: tuple[float, float], side_mm: float) -> np.ndarray:
    """Erosion with a square; edges are repeated, so a body cut by the frame stays cut there."""
    return shrunk_by_box(planes, (0, *_half_sides(spacing_mm, side_mm)))


def _dilated(planes: np.ndarray, spacing_mm: tuple[float, float], side_mm: float) -> np.ndarray:
    """Dilation with a square; separable, twenty times faster than a disc at 0.5 mm."""
    return ~shrunk_by_box(~planes, (0, *_half_sides(spacing_mm, side_mm)))


def _half_sides(spacing_mm: tuple[float, float], side_mm: float) -> tuple[int, int]:
    """Half of an odd side in pixels, rounded down."""
    return int(side_mm / spacing_mm[0] / 2), int(side_mm / spacing_mm[1] / 2)
