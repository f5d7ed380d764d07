"""People that a 3D generator was not trained on: their volumes are drawn as a whole, and judged in axial slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from torch import nn

from MedUSISLib.training.cases import Case
from MedUSISLib.training.slices import cut_out
from MedUSISLib.training.validation_slices import ValidationSlices, slice_numbers, validation_slices
from MedUSISLib.training.volumes import synthesize_volume

#: The plane that the slices are shown in is rounded up to a multiple of this.
_STEP = 32


class HeldOutVolumes:
    """Volumes of held-out people, and the fixed axial slices of them that every state of a training is judged by.

    Parameters
    ----------
    cases : sequence of Case
        On the generator's grid; those without an image are left out.
    window_kji : (int, int, int)
        Of the windows that volumes are drawn in.
    classes : int
    pixel_mm : float
        Side of a pixel of an axial slice.
    precision : {"float32", "bfloat16"}
        That the network draws with.

    Attributes
    ----------
    slices : ValidationSlices
    """

    def __init__(
        self,
        cases: Sequence[Case],
        window_kji: tuple[int, int, int],
        classes: int,
        pixel_mm: float = 1.0,
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> None:
        self._cases = [case for case in cases if case.image_kji is not None]
        self._window, self._classes, self._precision = window_kji, classes, precision
        rows, columns = (max((case.labels_kji.shape[axis] for case in self._cases), default=1) for axis in (1, 2))
        self._plane = _rounded(rows), _rounded(columns)
        self.slices: ValidationSlices = validation_slices(self._cases, self._plane, pixel_mm=pixel_mm)

    def draw(self, network: nn.Module, noise_channels: int) -> np.ndarray:
        """The slices as the network draws them, (N, H, W) float32 in [0, 1.2]; one noise vector for all volumes."""
        drawn = []
        for case in self._cases:
            volume = synthesize_volume(
                network, case.labels_kji, self._window, noise_channels, self._classes, precision=self._precision
            ).mean
            starts = [(n - wanted) // 2 for n, wanted in zip(volume.shape[1:], self._plane, strict=True)]
            drawn += [cut_out(volume[k], starts, self._plane) for k in slice_numbers(case)]
        return np.stack(drawn)


def middle_box(case: Case, size_kji: tuple[int, int, int]) -> Case:
    """The middle of a case: what is measured where whole volumes would take too long."""
    starts = [max(0, (n - wanted) // 2) for n, wanted in zip(case.labels_kji.shape, size_kji, strict=True)]
    part = tuple(slice(start, start + wanted) for start, wanted in zip(starts, size_kji, strict=True))
    image = None if case.image_kji is None else case.image_kji[part]
    return Case(case.person, case.labels_kji[part], image, case.thickness_mm, case.acquired_mm)


def _rounded(size: int) -> int:
    return -(-size // _STEP) * _STEP
