"""Training boxes drawn from prepared volumes: of whom, around which class, cut out where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.training.cases import Case
from MedUSISLib.training.sampling import Sample
from MedUSISLib.training.slices import cut_out
from MedUSISLib.training.t1_scaling import CLIP

#: Places remembered of each class of a volume; a box is drawn around one of them.
_PLACES = 4096
#: Every so-manieth voxel along each axis is looked at: a class too small to be met is not asked for by itself.
_STEP = 2
#: Share of the boxes that are drawn around any tissue, by volume; the others around a class, each as often as another.
_BY_VOLUME = 0.5
#: How far a box may hang out of its volume, as a share of its side: what lies there is background, as around a head.
_OVERHANG = 0.25


class BoxSource:
    """Draws boxes of labels, and of their images where there are any, balanced by person and by class.

    A person is drawn first, so that two examinations of one person weigh as much as one of another; then one of the
    volumes; then a place in it, which comes to lie anywhere in the box.

    Parameters
    ----------
    cases : sequence of Case
        On one isotropic (or at least common) grid.
    crop : (int, int, int)
        Slices, rows and columns of a box.
    classes : int
    bottom_mm : float
        Places further below the top of a volume are not drawn.
    person_weights : mapping of str to float, optional
        How often each person is drawn, relative to the others; 1 where none is given.

    Examples
    --------
    >>> from MedUSISLib.training.sampling import sample_generator
    >>> case = Case("a", np.ones((20, 40, 40), np.uint8), None, 1.0)
    >>> sample = BoxSource([case], (16, 32, 32), 2).draw(sample_generator(0, 0, 0))
    >>> sample.view, tuple(sample.labels.shape)
    ('volume', (16, 32, 32))
    """

    def __init__(
        self,
        cases: Sequence[Case],
        crop: tuple[int, int, int],
        classes: int,
        bottom_mm: float = 200.0,
        person_weights: Mapping[str, float] | None = None,
    ) -> None:
        if not cases:
            raise ValueError("no cases to draw boxes from")
        self.cases, self.crop = list(cases), crop
        self._places = [
            _places_by_class(case.labels_kji, classes, int(bottom_mm / case.thickness_mm), seed)
            for seed, case in enumerate(self.cases)
        ]
        self._cases_of: dict[str, list[int]] = {}
        for number, case in enumerate(self.cases):
            if self._places[number]:
                self._cases_of.setdefault(case.person, []).append(number)
        if not self._cases_of:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"none of the {len(self.cases)} images or label maps holds any tissue",
                "look at data.bottom_mm, and whether the labels are right",
            )
        self.person_weights = torch.tensor([float((person_weights or {}).get(name, 1.0)) for name in self._cases_of])

    def draw(self, rng: torch.Generator) -> Sample:
        """One box around a place of some class."""
        person = list(self._cases_of)[int(torch.multinomial(self.person_weights, 1, generator=rng))]
        numbers = self._cases_of[person]
        number = numbers[int(torch.randint(len(numbers), (), generator=rng))]
        case, places = self.cases[number], list(self._places[number].values())
        counts = torch.tensor([float(count) for count, _ in places])
        weights = counts if float(torch.rand((), generator=rng)) < _BY_VOLUME else torch.ones_like(counts)
        chosen = places[int(torch.multinomial(weights, 1, generator=rng))][1]
        place = chosen[int(torch.randint(len(chosen), (), generator=rng))]
        starts = [
            _start(int(at), size, wanted, rng)
            for at, size, wanted in zip(place, case.labels_kji.shape, self.crop, strict=True)
        ]

        def cut(array_kji: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(cut_out(array_kji, starts, self.crop))

        image = None if case.image_kji is None else cut(case.image_kji).float()[None] * (2 / CLIP) - 1
        lesions = None if case.lesions_kji is None else cut(case.lesions_kji)[None] > 0
        return Sample(cut(case.labels_kji).long(), image, "volume", lesions)


def _places_by_class(
    labels_kji: np.ndarray, classes: int, highest: int, seed: int
) -> dict[int, tuple[int, np.ndarray]]:
    """Number of voxels of each class but background, and some of their places (N, 3); absent classes are left out."""
    first = max(0, labels_kji.shape[0] - highest)
    seen = labels_kji[first::_STEP, ::_STEP, ::_STEP]
    rng = np.random.default_rng(seed)
    flat = seen.reshape(-1)
    counts = np.bincount(flat, minlength=classes)
    result = {}
    for index in range(1, classes):
        if counts[index]:
            found = np.flatnonzero(flat == index)
            found = rng.choice(found, _PLACES, replace=False) if len(found) > _PLACES else found
            places = np.stack(np.unravel_index(found, seen.shape), axis=1) * _STEP
            places[:, 0] += first
            result[index] = int(counts[index]), places.astype(np.int32)
    return result


def _start(place: int, size: int, wanted: int, rng: torch.Generator) -> int:
    """First index of a box along one axis: the place anywhere in it, the box not far outside of the volume."""
    start = place - int(torch.randint(wanted, (), generator=rng))
    low, high = sorted((0, size - wanted))
    overhang = int(wanted * _OVERHANG)
    return min(max(start, low - overhang), high + overhang)
