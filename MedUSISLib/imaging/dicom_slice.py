"""One slice of a DICOM series: a file, or a frame of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.imaging.unchanged import Stamp


@dataclass(frozen=True)
class Slice:
    """A slice that is not read yet.

    Attributes
    ----------
    path : Path
    header : pydicom Dataset
        Size, place and scale, looked at by ``slice_headers`` or ``frame_headers``.
    stamp : Stamp
        Of the file when its header was read.
    frame : int or None
        Which frame of the file, from 0; None for a file that is one slice.
    """

    path: Path
    header: Any
    stamp: Stamp
    frame: int | None = None

    @property
    def position(self) -> np.ndarray:
        """Centre of the first pixel, LPS mm."""
        return np.asarray(self.header.ImagePositionPatient, dtype=float)

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept."""
        slope, intercept = (self.header.get(tag) for tag in ("RescaleSlope", "RescaleIntercept"))
        return float(slope or 1.0), float(intercept or 0.0)
