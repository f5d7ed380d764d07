"""From a lesion mask to single lesions, and from a reader's marks to hits: one lesion, one hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from MedUSISLib.imaging.volume import Volume
from MedUSISLib.study.protocol import HitRule, LesionRule
from MedUSISLib.study.questions import Mark

_STRUCTURE_RANK = {6: 1, 18: 2, 26: 3}


@dataclass(frozen=True)
class Lesion:
    """A component of a lesion mask.

    Attributes
    ----------
    label : int
        Its value in the label map, from 1, the largest first.
    volume_mm3 : float
    centre_lps_mm : tuple of float
        Centre of mass.
    mask_value : int
        The value that most of its voxels have in the mask, for masks that tell categories.
    """

    label: int
    volume_mm3: float
    centre_lps_mm: tuple[float, float, float]
    mask_value: int


def connected_lesions(mask: Volume, rule: LesionRule | None = None) -> tuple[Volume, list[Lesion]]:
    """Single lesions of a mask.

    Parameters
    ----------
    mask : Volume
        0 is background, everything else lesion; neighbours of different values are one lesion.
    rule : LesionRule
        Which neighbours belong together, and from which volume on a component counts.

    Returns
    -------
    labels : Volume
        uint16; small components are 0.
    lesions : list of Lesion
        Largest first.

    Examples
    --------
    >>> from MedUSISLib.imaging.geometry import Geometry
    >>> array = np.zeros((1, 3, 6), np.uint8); array[0, 0, :3] = 1; array[0, 2, 5] = 2
    >>> labels, lesions = connected_lesions(Volume(array, Geometry((6, 3, 1))), LesionRule(smallest_mm3=1))
    >>> [(lesion.volume_mm3, lesion.centre_lps_mm, lesion.mask_value) for lesion in lesions]
    [(3.0, (1.0, 0.0, 0.0), 1), (1.0, (5.0, 2.0, 0.0), 2)]
    """
    from scipy.ndimage import center_of_mass, generate_binary_structure, label

    rule = rule or LesionRule()
    present = mask.array_kji > 0
    parts, count = label(present, generate_binary_structure(3, _STRUCTURE_RANK[rule.connectivity]))
    voxel = mask.geometry.voxel_volume_mm3
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    numbers = [n for n in range(1, count + 1) if sizes[n] * voxel >= rule.smallest_mm3 * (1 - 1e-9)]
    numbers.sort(key=lambda n: (-sizes[n], n))
    new = np.zeros(count + 1, dtype=np.uint16)
    new[numbers] = np.arange(1, len(numbers) + 1)
    centres = center_of_mass(present, parts, numbers) if numbers else []
    lesions = []
    for number, centre in zip(numbers, centres, strict=True):
        x, y, z = mask.geometry.index_to_lps([centre[::-1]])[0]
        values = np.bincount(mask.array_kji[parts == number].astype(np.int64))
        lesions.append(
            Lesion(int(new[number]), float(sizes[number] * voxel), (float(x), float(y), float(z)), int(values.argmax()))
        )
    return mask.with_array(new[parts]), lesions


class Outcome(StrEnum):
    """What a mark is worth."""

    HIT = "hit"
    DUPLICATE = "duplicate"
    FALSE_POSITIVE = "false-positive"


@dataclass(frozen=True)
class ScoredMark:
    """A mark with what it is worth; ``lesion`` is the label of the lesion that it hit or repeated, else 0."""

    mark: Mark
    outcome: Outcome
    lesion: int


def score_marks(marks: Sequence[Mark], labels: Volume, rule: HitRule) -> list[ScoredMark]:
    """Which marks hit which lesions.

    Every mark hits at most one lesion, every lesion is hit by at most one mark. Among the ways to pair them, that one
    is taken which hits most lesions, then that of the surest marks, then the nearest. A mark that reaches a lesion and
    goes without one is a duplicate: neither a hit nor a false positive (as in FROC analysis).

    Parameters
    ----------
    marks : sequence of Mark
    labels : Volume
        Single lesions, from ``connected_lesions``, on the grid of the trial.
    rule : HitRule
        "inside": the voxel under the mark belongs to the lesion. "distance": its nearest voxel's centre is within
        ``radius_mm``; a mark inside is at distance 0.

    Returns
    -------
    list of ScoredMark
        In the order of the marks.
    """
    from scipy.optimize import linear_sum_assignment

    distance = _distances_mm(marks, labels)
    # A mark at exactly the radius is a hit, whatever the last bit of an oblique grid says.
    reach = distance <= (rule.radius_mm + 1e-6 if rule.kind == "distance" else 0.0)
    hit = np.zeros(len(marks), dtype=int)
    if distance.size:
        confidence = np.array([mark.confidence for mark in marks])
        # More than any sum of confidences, and a confidence step of 0.001 more than any sum of distances.
        most = 101.0 * len(marks)
        nearness = 1.0 - np.minimum(distance, 1e3) / 1e3
        gain = np.where(reach, most + confidence[:, None] + 1e-4 * nearness / len(marks), 0.0)
        for row, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if reach[row, column]:
                hit[row] = column + 1
    scored = []
    for number, mark in enumerate(marks):
        if hit[number]:
            scored.append(ScoredMark(mark, Outcome.HIT, int(hit[number])))
        elif distance.shape[1] and reach[number].any():
            scored.append(ScoredMark(mark, Outcome.DUPLICATE, int(distance[number].argmin()) + 1))
        else:
            scored.append(ScoredMark(mark, Outcome.FALSE_POSITIVE, 0))
    return scored


def _distances_mm(marks: Sequence[Mark], labels: Volume) -> np.ndarray:
    """From each mark to each lesion, shape (marks, lesions); 0 inside."""
    geometry, array = labels.geometry, labels.array_kji
    count = int(array.max()) if array.size else 0
    result = np.full((len(marks), count), np.inf)
    if not marks or not count:
        return result
    points = np.array([mark.position_lps_mm for mark in marks])
    nearest_voxel = np.rint(geometry.lps_to_index(points)).astype(int)
    k, j, i = np.nonzero(array)
    values = array[k, j, i]
    places = geometry.index_to_lps(np.stack([i, j, k], axis=1))
    for number, point in enumerate(points):
        squared = ((places - point) ** 2).sum(axis=1)
        nearest = np.full(count + 1, np.inf)
        np.minimum.at(nearest, values, squared)
        result[number] = np.sqrt(nearest[1:])
        index = nearest_voxel[number]
        if np.all(index >= 0) and np.all(index < geometry.size_ijk):
            inside = int(array[index[2], index[1], index[0]])
            if inside:
                result[number, inside - 1] = 0.0
    return result
