"""How well what was marked stands out: contrast-to-noise ratio and lesion-to-background ratio on the trial images.

``CNR = |mean(lesion) - mean(background)| / SD(background)``; ratio ``mean(lesion) / mean(background)``. The lesion is
the component of the mask that a mark hit; a mark without a lesion is a ball. The background is a shell around it, in
the body and without other lesions. All on images in the common form of the study (grey levels between percentiles of
the body): they compare images of one study, not values of a scanner. CT is in HU and has no ratio.

References
----------
Bushberg et al., The Essential Physics of Medical Imaging (3rd ed., 2012), ch. 4.8: CNR.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.study.analysis.attempts import Notes
from MedUSISLib.study.analysis.result_parts import ContrastSummary, PairedContrast
from MedUSISLib.study.key import TRUTH_FOLDER, Key
from MedUSISLib.study.leaks import image_path
from MedUSISLib.study.lesions import Outcome
from MedUSISLib.study.questions import Mark
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.signed_rank import signed_rank_p

GAP_MM = 2.0
"""Between lesion and shell: the border of a lesion is neither."""

SHELL_MM = 8.0
"""Outer distance of the shell; at least two voxels."""

BALL_MM = 4.0
"""Diameter of a mark that has neither a lesion nor a size."""

_FEWEST = 8


@dataclass(frozen=True)
class Place:
    """Something to be measured: a lesion by its label, or a mark."""

    case: str
    outcome: str
    lesion: int = 0
    mark: Mark | None = None


@dataclass(frozen=True)
class Contrast:
    """What was measured at a place of an image."""

    arm: str
    image: str
    place: Place
    cnr: float
    ratio: float | None


def measured_contrasts(
    study: Path, key: Key, readings: Sequence[Reading], notes: Notes, progress: Progress
) -> list[Contrast]:
    """Every lesion and every mark without one, on every image that was shown with it; case by case.

    Parameters
    ----------
    study : Path
    key : Key
    readings : sequence of Reading
        First readings whose marks count.
    notes : Notes
        Hears of images that cannot be read and of places without a background.
    progress : Progress
    """
    found: list[Contrast] = []
    skipped = 0
    cases = list(dict.fromkeys(reading.case for reading in readings))
    for number, case in enumerate(cases):
        progress.checkpoint()
        mine = [reading for reading in readings if reading.case == case]
        try:
            labels = _labels(study, case) if mine[0].scored else None
            done, left = _of_case(study, key, mine, labels)
            found += done
            skipped += left
        except MedUSISError as error:
            notes.add("IMAGE_NOT_MEASURED", f"The contrast of a case is missing: {error.message}.")
        progress.step(number + 1, len(cases))
    if skipped:
        notes.add(
            "NO_BACKGROUND", f"{skipped} places have no contrast: the background is too small or all of one value."
        )
    return found


def summaries(found: Iterable[Contrast]) -> tuple[ContrastSummary, ...]:
    """Medians and quartiles by arm, kind of image and outcome."""
    groups: dict[tuple[str, str, str], list[Contrast]] = {}
    for one in found:
        groups.setdefault((one.arm, one.image, one.place.outcome), []).append(one)
    result = []
    arms = list(dict.fromkeys(arm for arm, _, _ in groups))
    for (arm, image, outcome), members in sorted(groups.items(), key=lambda group: (arms.index(group[0][0]), group[0])):
        cnr = np.quantile([m.cnr for m in members], [0.25, 0.5, 0.75])
        ratios = [m.ratio for m in members if m.ratio is not None]
        ratio = np.quantile(ratios, [0.25, 0.5, 0.75]) if ratios else None
        result.append(
            ContrastSummary.model_validate(
                {
                    "arm": arm,
                    "image": image,
                    "outcome": outcome,
                    "places": len(members),
                    "cnr_median": float(cnr[1]),
                    "cnr_quartiles": (float(cnr[0]), float(cnr[2])),
                    "ratio_median": float(ratio[1]) if ratio is not None else None,
                    "ratio_quartiles": (float(ratio[0]), float(ratio[2])) if ratio is not None else None,
                }
            )
        )
    return tuple(result)


def paired(found: Iterable[Contrast]) -> tuple[PairedContrast, ...]:
    """The same lesions on two kinds of images; lesions of one patient are taken for independent."""
    by_image: dict[str, dict[tuple[str, int], float]] = {}
    for one in found:
        if one.place.lesion:
            by_image.setdefault(one.image, {})[one.place.case, one.place.lesion] = one.cnr
    result = []
    for first, second in combinations(by_image, 2):
        both = sorted(set(by_image[first]) & set(by_image[second]))
        if both:
            differences = np.array([by_image[first][place] - by_image[second][place] for place in both])
            result.append(
                PairedContrast(
                    first=first,
                    second=second,
                    lesions=len(both),
                    cnr_difference_median=float(np.median(differences)),
                    p_value=signed_rank_p(differences),
                )
            )
    return tuple(result)


def _of_case(study: Path, key: Key, readings: Sequence[Reading], labels: Volume | None) -> tuple[list[Contrast], int]:
    found, skipped = [], 0
    for arm in dict.fromkeys(reading.arm for reading in readings):
        mine = [reading for reading in readings if reading.arm == arm]
        places = _places(mine)
        if not places:
            continue
        shown = {name for r in mine for name in key.trial_of[r.trial].stages[r.stage].images}
        for name in sorted(shown, key=lambda name: key.image_of[name].role):
            path = image_path(study, name)
            if path is None:
                continue
            volume = read_volume(path, "an image of a trial")
            for place in places:
                value = contrast_at(volume, labels, place)
                if value is None:
                    skipped += 1
                else:
                    found.append(Contrast(arm, key.image_of[name].role, place, *value))
    return found, skipped


def _places(readings: Sequence[Reading]) -> list[Place]:
    """Lesions found and missed, each once, and every mark that hit none."""
    case = readings[0].case
    hit: set[int] = set()
    marks: list[Place] = []
    for reading in readings:
        if not reading.scored:
            given = (value for name, value in reading.values.items() if isinstance(value, list))
            marks += [Place(case, "mark", mark=Mark.model_validate(m)) for value in given for m in value]
        for scored in reading.marks:
            if scored.outcome is Outcome.HIT:
                hit.add(scored.lesion)
            elif scored.outcome is Outcome.FALSE_POSITIVE:
                marks.append(Place(case, "false-positive", mark=scored.mark))
    lesions = [
        Place(case, "hit" if lesion.label in hit else "missed", lesion=lesion.label) for lesion in readings[0].lesions
    ]
    return lesions + marks


def contrast_at(volume: Volume, labels: Volume | None, place: Place) -> tuple[float, float | None] | None:
    """CNR and ratio at a place; None where the shell holds fewer than eight voxels or all the same value.

    Parameters
    ----------
    volume : Volume
        An image of a trial.
    labels : Volume, optional
        Its single lesions, on the same grid.
    place : Place
    """
    from scipy.ndimage import distance_transform_edt

    spacing = np.array(volume.geometry.spacing_mm[::-1])
    reach = max(SHELL_MM, 2.0 * float(min(spacing)))
    box = _box(volume, labels, place, reach)
    if box is None:
        return None
    image = volume.array_kji[box].astype(float)
    near = labels.array_kji[box] if labels is not None else np.zeros(image.shape, int)
    if place.lesion:
        inside = near == place.lesion
    else:
        inside = _ball(volume, box, place)
    if not inside.any():
        return None
    distance = distance_transform_edt(~inside, sampling=spacing)
    # The lowest value of an image in the common form is what lies outside the body or below the floor.
    body = image > float(volume.array_kji.min())
    shell = (distance > GAP_MM) & (distance <= reach) & body & (near == 0)
    if shell.sum() < _FEWEST:
        return None
    background, noise = float(image[shell].mean()), float(image[shell].std(ddof=1))
    if noise <= 0:
        return None
    lesion = float(image[inside].mean())
    ratio = lesion / background if volume.array_kji.min() >= 0 and background > 0 else None
    return abs(lesion - background) / noise, ratio


def _box(volume: Volume, labels: Volume | None, place: Place, reach: float) -> tuple[slice, ...] | None:
    """The part of the image around a place, with the shell."""
    if place.lesion:
        if labels is None or labels.array_kji.shape != volume.array_kji.shape:
            return None
        where = np.argwhere(labels.array_kji == place.lesion)
        if not len(where):
            return None
        low, high = where.min(axis=0), where.max(axis=0)
        extra = reach
    else:
        assert place.mark is not None
        centre = volume.geometry.lps_to_index(np.array([place.mark.position_lps_mm]))[0][::-1]
        low = high = np.rint(centre).astype(int)
        extra = reach + _radius(place.mark)
    margin = np.ceil(extra / np.array(volume.geometry.spacing_mm[::-1])).astype(int) + 1
    start, stop = np.maximum(low - margin, 0), np.minimum(high + margin + 1, volume.array_kji.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True)) if (start < stop).all() else None


def _ball(volume: Volume, box: tuple[slice, ...], place: Place) -> np.ndarray:
    """Voxels within the mark's radius, and the one under it."""
    assert place.mark is not None
    spacing = np.array(volume.geometry.spacing_mm[::-1])
    centre = volume.geometry.lps_to_index(np.array([place.mark.position_lps_mm]))[0][::-1]
    grids = np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij")
    squared = sum(((g - c) * s) ** 2 for g, c, s in zip(grids, centre, spacing, strict=True))
    nearest = [g == round(float(c)) for g, c in zip(grids, centre, strict=True)]
    return np.asarray((squared <= _radius(place.mark) ** 2) | (nearest[0] & nearest[1] & nearest[2]))


def _radius(mark: Mark) -> float:
    return (mark.size_mm or BALL_MM) / 2


def _labels(study: Path, case: str) -> Volume:
    return read_label_map(study / TRUTH_FOLDER / f"{case}.nii.gz", "the truth of a case")
