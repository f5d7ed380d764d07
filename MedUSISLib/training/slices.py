"""Training slices drawn from prepared cases: which one, from which view, cut out where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.training.cases import Case
from MedUSISLib.training.sampling import Sample
from MedUSISLib.training.t1_scaling import CLIP

#: Coronal and sagittal slices are taken only from volumes with slices thinner than this.
_THIN_MM = 1.6
#: A class counts as present in a slice from this many pixels on.
_PRESENT_PIXELS = 20
#: Slices with less of a head are not drawn.
_LEAST_PIXELS = 500
_ARRAY_AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}
_VIEW_OF_AXIS = {axis: view for view, axis in _ARRAY_AXIS.items()}


@dataclass(frozen=True)
class _Address:
    case: int
    axis: int
    index: int


class SliceSource:
    """Draws label slices, and their images where there are any, balanced by person and by class.

    A person is drawn first, so that two examinations of one person weigh as much as one of another; then a slice,
    with a weight that grows with the rarity of the classes in it.

    Parameters
    ----------
    cases : sequence of Case
    crop : (int, int)
        Rows and columns of what is returned.
    views : mapping of str to float
        Shares of "axial", "coronal", "sagittal".
    classes : int
    bottom_mm : float
        Axial slices further below the top of the case are not used.
    person_weights : mapping of str to float, optional
        How often each person is drawn, relative to the others; 1 where none is given.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when no slice can be drawn.

    Examples
    --------
    >>> from MedUSISLib.training.sampling import sample_generator
    >>> case = Case("a", np.ones((8, 40, 40), np.uint8), None, 1.0)
    >>> sample = SliceSource([case], (32, 32), {"axial": 1.0}, 2).draw(sample_generator(0, 0, 0))
    >>> sample.view, tuple(sample.labels.shape)
    ('axial', (32, 32))
    """

    def __init__(
        self,
        cases: Sequence[Case],
        crop: tuple[int, int],
        views: Mapping[str, float],
        classes: int,
        bottom_mm: float = 200.0,
        person_weights: Mapping[str, float] | None = None,
    ) -> None:
        if not cases:
            raise ValueError("no cases to draw slices from")
        self.cases, self.crop = list(cases), crop
        self.views = [(view, share) for view, share in views.items() if share > 0]
        self.persons: dict[str, dict[str, tuple[list[_Address], torch.Tensor]]] = {}
        tables: dict[tuple[str, str], list[tuple[_Address, np.ndarray]]] = {}
        for number, case in enumerate(self.cases):
            for view, _ in self.views:
                axis = _ARRAY_AXIS[view]
                if axis and case.thickness_mm > _THIN_MM:
                    continue
                first = max(0, case.labels_kji.shape[0] - int(bottom_mm / case.thickness_mm)) if axis == 0 else 0
                for index in range(first, case.labels_kji.shape[axis]):
                    counts = np.bincount(case.labels_kji.take(index, axis).reshape(-1), minlength=classes)
                    if counts[1:].sum() > _LEAST_PIXELS:
                        row = (_Address(number, axis, index), counts > _PRESENT_PIXELS)
                        tables.setdefault((case.person, view), []).append(row)
        present = np.array([flags for rows in tables.values() for _, flags in rows])
        rarity = 1.0 / np.maximum(present.sum(0), 1)
        for (person, view), rows in tables.items():
            weights = torch.tensor([float(0.5 / len(present) * classes + (rarity * flags).sum()) for _, flags in rows])
            self.persons.setdefault(person, {})[view] = ([address for address, _ in rows], weights)
        if not self.persons:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"no slice of the {len(self.cases)} images or label maps shows {_LEAST_PIXELS} labelled pixels in the"
                f" views {', '.join(view for view, _ in self.views)}",
                f"views other than axial need slices thinner than {_THIN_MM} mm; look at data.views, data.bottom_mm and"
                " whether the labels are right",
            )
        self.person_weights = torch.tensor([float((person_weights or {}).get(name, 1.0)) for name in self.persons])

    def _address(self, rng: torch.Generator) -> _Address:
        names = list(self.persons)
        by_view = self.persons[names[int(torch.multinomial(self.person_weights, 1, generator=rng))]]
        shares = torch.tensor([share if view in by_view else 0.0 for view, share in self.views])
        view = self.views[int(torch.multinomial(shares, 1, generator=rng))][0]
        addresses, weights = by_view[view]
        return addresses[int(torch.multinomial(weights, 1, generator=rng))]

    def draw(self, rng: torch.Generator) -> Sample:
        """One slice cut out near the middle of its head, at the crop's size."""
        address = self._address(rng)
        case = self.cases[address.case]
        starts = []
        for size, wanted in zip(case.slice_shape(address.axis), self.crop, strict=True):
            spare = size - wanted
            jitter = int(torch.randint(-10, 11, (), generator=rng))
            low, high = min(0, spare) - 6, max(0, spare) + 6
            # What is too large is cut anywhere, what is small is put near the middle.
            place = int(torch.randint(low, high + 1, (), generator=rng)) if spare > 0 else spare // 2 + jitter
            starts.append(place)

        def cut(array_kji: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(cut_out(array_kji.take(address.index, address.axis), starts, self.crop))

        image = None if case.image_kji is None else cut(case.image_kji).float()[None] * (2 / CLIP) - 1
        lesions = None if case.lesions_kji is None else cut(case.lesions_kji)[None] > 0
        return Sample(cut(case.labels_kji).long(), image, _VIEW_OF_AXIS[address.axis], lesions)


def cut_out(array: np.ndarray, starts: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """A window of an array of any dimension, zero where it lies outside."""
    result = np.zeros(size, array.dtype)
    source, target = [], []
    for start, n, wanted in zip(starts, array.shape, size, strict=True):
        low, high = max(start, 0), min(start + wanted, n)
        source.append(slice(low, max(low, high)))
        target.append(slice(low - start, max(low, high) - start))
    result[tuple(target)] = array[tuple(source)]
    return result
