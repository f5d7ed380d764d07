"""What all pictures of one report share: planes, crop, the place of the cuts, and display windows.

Float maps get windows from percentiles inside the body: over the full range an uncertainty map looks flat.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np

from MedUSISLib.synthesis.report_views import Box, Plane, body_box, centre_of, planes
from MedUSISLib.synthesis.result import MaskConsistency, SynthesisResult

CONSISTENCY_COLOURS = {
    MaskConsistency.AGREE: ("#2a9d8f", "agree"),
    MaskConsistency.TISSUE_MISSING: ("#e5484d", "missing in the MR"),
    MaskConsistency.TISSUE_TOO_MUCH: ("#f5a623", "too much in the MR"),
}
"""Hue and lightness both differ, so that the map is readable for the colour-blind."""

_SAMPLE = 500_000


@dataclass(frozen=True)
class Window:
    """Display range of a map."""

    low: float
    high: float
    colours: str
    label: str

    def picture(self, image: np.ndarray) -> np.ndarray:
        """RGB in [0, 1], [rows, columns, 3]."""
        scaled = (image.astype(np.float32) - self.low) / max(self.high - self.low, 1e-12)
        return np.asarray(matplotlib.colormaps[self.colours](np.clip(np.nan_to_num(scaled), 0, 1)))[..., :3]


class Scene:
    """What all pictures of one result share: planes, crop, centre and windows.

    Parameters
    ----------
    result : SynthesisResult
        Only single slices of its arrays are read, and a subset of voxels for the percentiles.
    """

    def __init__(self, result: SynthesisResult) -> None:
        self.result = result
        self.planes = planes(result.ct.geometry)
        self.box: Box = body_box(result.body.array_kji, result.ct.geometry)
        self.centre = self._centre()
        values = _inside(result.mr.array_kji, result.body.array_kji)
        low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
        high = min(high, self._brain_window_top())
        minimum = result.manifest.intensity.minimum
        unit = result.manifest.intensity.unit
        self.mr = Window(float(min(low, minimum)), _above(high, minimum), "gray", f"intensity ({unit})" if unit else "")
        self.ct = self._ct_window()
        passes = result.request.passes if result.manifest.dropout.rate > 0 else 1
        self.uncertainty: Window | None = None
        if passes > 1:
            self.uncertainty = self._deviation(result.uncertainty.array_kji, f"SD over {passes} passes")
        spread = result.noise_spread
        self.spread: Window | None = None
        if spread is not None:
            label = f"SD over {result.request.noise_samples} noise samples"
            self.spread = self._deviation(spread.array_kji, label)
        colours = np.zeros((256, 3), np.float32)
        for label_class in result.schema.classes:
            colours[label_class.index] = np.asarray(label_class.color) / 255
        self.colours = colours

    def ct_picture(self, plane: Plane, index: int) -> np.ndarray:
        """The CT in its window."""
        return self.ct.picture(plane.cut(self.result.ct.array_kji, index, self.box))

    def label_picture(self, plane: Plane, index: int) -> np.ndarray:
        """Class colours."""
        return self.colours[plane.cut(self.result.labels.array_kji, index, self.box)]

    def mr_picture(self, plane: Plane, index: int) -> np.ndarray:
        """The synthetic MR in its window."""
        return self.mr.picture(plane.cut(self.result.mr.array_kji, index, self.box))

    def uncertainty_picture(self, plane: Plane, index: int) -> np.ndarray:
        """Standard deviation over the passes."""
        assert self.uncertainty is not None
        return self.uncertainty.picture(_root(plane.cut(self.result.uncertainty.array_kji, index, self.box)))

    def spread_picture(self, plane: Plane, index: int) -> np.ndarray:
        """Standard deviation over noise samples."""
        assert self.result.noise_spread is not None and self.spread is not None
        return self.spread.picture(_root(plane.cut(self.result.noise_spread.array_kji, index, self.box)))

    def consistency_picture(self, plane: Plane, index: int) -> np.ndarray:
        """The MR, dimmed, under the colours of the consistency map."""
        code = plane.cut(self.result.mask_consistency.array_kji, index, self.box)
        picture = 0.75 * self.mr_picture(plane, index)
        for value, (colour, _) in CONSISTENCY_COLOURS.items():
            opacity = 0.18 if value == MaskConsistency.AGREE else 0.9
            inside = code == value
            picture[inside] = (1 - opacity) * picture[inside] + opacity * np.asarray(matplotlib.colors.to_rgb(colour))
        return picture

    def extent_mm(self, plane: Plane) -> tuple[float, float]:
        """Height and width of the cropped plane."""
        height, width = (self.box[a].stop - self.box[a].start for a in (plane.rows, plane.columns))
        return height * plane.pixel_mm[0], width * plane.pixel_mm[1]

    def _centre(self) -> tuple[int, int, int]:
        labels, schema = self.result.labels.array_kji, self.result.schema
        for tissues in (("brain",), ("soft", "fat", "bone", "fluid", "brain", "other")):
            wanted = np.zeros(256, bool)
            wanted[[c.index for c in schema.classes if c.tissue in tissues]] = True
            found = centre_of(labels, wanted)
            if found is not None:
                return found
        k, j, i = ((b.start + b.stop - 1) // 2 for b in self.box)
        return k, j, i

    def _brain_window_top(self) -> float:
        """Upper end of a window that shows the brain: over the full range of a T1, fat leaves it half the greys."""
        brain = np.zeros(256, bool)
        brain[[c.index for c in self.result.schema.classes if c.tissue == "brain"]] = True
        values = _inside(self.result.mr.array_kji, self.result.labels.array_kji, brain)
        return 1.25 * float(np.percentile(values, 98)) if values.size > 1000 else float("inf")

    def _ct_window(self) -> Window:
        if self.result.schema.body_region == "head":
            return Window(-100.0, 200.0, "gray", "HU")
        return Window(-160.0, 240.0, "gray", "HU")

    def _deviation(self, variance: np.ndarray, label: str) -> Window:
        values = _root(_inside(variance, self.result.body.array_kji))
        top = float(np.percentile(values, 99)) if values.size else 0.0
        return Window(0.0, top if top > 0 else 1e-3, "inferno", label)


def _inside(values: np.ndarray, mask: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
    """A regular subset of the values inside a mask (or where a label is wanted), at most about half a million."""
    step = max(1, int(np.ceil((values.size / _SAMPLE) ** (1 / 3))))
    part = (slice(None, None, step),) * 3
    inside = mask[part].astype(bool) if wanted is None else wanted[mask[part]]
    chosen = values[part][inside]
    return np.asarray(chosen[np.isfinite(chosen)], np.float32)


def _above(value: float, minimum: float) -> float:
    return float(value) if value > minimum + 1e-6 else minimum + 1.0


def _root(variance: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(np.maximum(variance.astype(np.float32), 0)))
