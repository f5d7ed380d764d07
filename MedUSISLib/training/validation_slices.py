"""Fixed slices of people that a generator was not trained on: what every state of a training is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.segmentation.network_scores import vertex_mm
from MedUSISLib.training.cases import Case
from MedUSISLib.training.slices import cut_out


@dataclass(frozen=True)
class ValidationSlices:
    """Fixed axial slices with their labels.

    Attributes
    ----------
    labels : ndarray of uint8, shape (N, H, W)
    images : ndarray of float32, shape (N, H, W), in [0, 1.2]
    people : ndarray of int, shape (N,)
        Number of the person of each slice; all one person where it is not given.
    depth_mm : ndarray of float, shape (N,)
        How far below the top of the head each slice lies; NaN where that is not known.
    pixel_mm : float
        Side of a pixel.
    """

    labels: np.ndarray
    images: np.ndarray
    people: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    depth_mm: np.ndarray = field(default_factory=lambda: np.zeros(0))
    pixel_mm: float = 1.0

    def __post_init__(self) -> None:
        if not len(self.people):
            object.__setattr__(self, "people", np.zeros(len(self.labels), int))
        if not len(self.depth_mm):
            object.__setattr__(self, "depth_mm", np.full(len(self.labels), np.nan))

    @property
    def body(self) -> np.ndarray:
        """Where there is any anatomy, bool (N, H, W)."""
        return self.labels > 0

    @property
    def number_of_people(self) -> int:
        """How many people the slices are of."""
        return len(np.unique(self.people))


def slice_numbers(case: Case, per_case: int = 16, bottom_mm: float = 150.0) -> list[int]:
    """Axial slices of a case, evenly spaced from the vertex down to ``bottom_mm`` below it."""
    slices = case.labels_kji.shape[0]
    first = max(0, slices - int(bottom_mm / case.thickness_mm))
    return [int(k) for k in np.linspace(first + 2, slices - 4, per_case).round()]


def validation_slices(
    cases: Sequence[Case],
    crop: tuple[int, int],
    per_case: int = 16,
    bottom_mm: float = 150.0,
    pixel_mm: float = 1.0,
) -> ValidationSlices:
    """Axial slices, evenly spaced from the vertex down to ``bottom_mm`` below it, uncut and undeformed.

    Parameters
    ----------
    cases : sequence of Case
        Those without an image are left out.
    crop : (int, int)
        Rows and columns, about the middle of the case.
    per_case : int
        Slices of each case.
    bottom_mm : float
    pixel_mm : float
        Side of a pixel of the cases.

    Raises
    ------
    ValueError
        When no case has an image.
    """
    labels, images, people, depths = [], [], [], []
    numbers: dict[str, int] = {}
    for case in cases:
        if case.image_kji is None:
            continue
        top = head_top_mm(case, pixel_mm)
        for k in slice_numbers(case, per_case, bottom_mm):
            starts = [(n - wanted) // 2 for n, wanted in zip(case.labels_kji.shape[1:], crop, strict=True)]
            labels.append(cut_out(case.labels_kji[k], starts, crop))
            images.append(cut_out(case.image_kji[k], starts, crop).astype(np.float32))
            people.append(numbers.setdefault(case.person, len(numbers)))
            depths.append(top - k * case.thickness_mm)
    if not labels:
        raise ValueError("there is no held-out person with an image to validate on")
    return ValidationSlices(np.stack(labels), np.stack(images), np.array(people), np.array(depths), pixel_mm)


def slices_of_others(
    cases: Sequence[Case], like: ValidationSlices, without: Sequence[str], people: int = 6
) -> ValidationSlices | None:
    """Real slices of other people, chosen and cut like the given ones; ``None`` when there is nobody else.

    Parameters
    ----------
    cases : sequence of Case
        Those without an image are left out; of each person the one with the thinnest slices is taken.
    like : ValidationSlices
    without : sequence of str
        Pseudonyms of the people whom the given slices are of.
    people : int
        At most so many; those with the thinnest slices, for thick ones have another texture.
    """
    chosen: dict[str, Case] = {}
    for case in sorted(cases, key=lambda one: one.acquired_mm or one.thickness_mm):
        if case.image_kji is not None and case.person not in without:
            chosen.setdefault(case.person, case)
    if not chosen:
        return None
    rows, columns = like.labels.shape[1:]
    return validation_slices(list(chosen.values())[:people], (rows, columns), pixel_mm=like.pixel_mm)


def head_top_mm(case: Case, pixel_mm: float = 1.0) -> float:
    """Height of the top of the head above the case's first slice, in mm; NaN when it is cut off."""
    slices, rows, columns = case.labels_kji.shape
    return vertex_mm(case.labels_kji > 0, Geometry((columns, rows, slices), (pixel_mm, pixel_mm, case.thickness_mm)))
