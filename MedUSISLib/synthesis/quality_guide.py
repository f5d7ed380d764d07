"""What each number of quality.json means, from which value on it should worry, and how it is written.

One list for the flags, for the report's table and for docs/quality.md: they cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_LARGEST = 1e300
"""Beyond it a number comes from a damaged file, and overflows as soon as it is used."""


class Level(StrEnum):
    """How remarkable a value is."""

    OK = "ok"
    LOOK = "look"
    WORRY = "worry"
    UNKNOWN = "unknown"


def number_at(quality: Mapping[str, Any], key: str) -> float | None:
    """The number at a dotted place of a quality report; ``None`` where there is none, or something else."""
    item: Any = quality
    for part in key.split("."):
        if not isinstance(item, Mapping) or part not in item:
            return None
        item = item[part]
    if not isinstance(item, int | float) or isinstance(item, bool) or abs(item) > _LARGEST:
        return None
    return float(item)


@dataclass(frozen=True)
class Measure:
    """One number of quality.json.

    Attributes
    ----------
    key : str
        Dotted path in quality.json.
    title, meaning, worrying : str
        For a reader who knows anatomy but not this program.
    unit : str
        "" (a plain number), "%" (a fraction shown as percent), "mm", "mm2", or "variance" (its root is shown as well).
    look, worry : float or None
        From here on the value deserves a look, or worries.
    more_is_better : bool
        Whether the limits are lower bounds.
    """

    key: str
    title: str
    meaning: str
    worrying: str
    unit: str = ""
    look: float | None = None
    worry: float | None = None
    more_is_better: bool = False

    def value(self, quality: Mapping[str, Any]) -> float | None:
        """The number in a quality report; ``None`` where it could not be measured."""
        return number_at(quality, self.key)

    def level(self, value: float | None, look: float | None = None) -> Level:
        """How remarkable a value is; ``look`` replaces the first limit (one from the bundle's validation)."""
        if value is None:
            return Level.UNKNOWN
        first, second = (self.look if look is None else look), self.worry
        sign = -1.0 if self.more_is_better else 1.0
        if second is not None and sign * value > sign * second:
            return Level.WORRY
        if first is not None and sign * value > sign * first:
            return Level.LOOK
        return Level.OK

    def text(self, value: float | None) -> str:
        """The value as a person reads it."""
        if value is None:
            return "not measured"
        if self.unit == "%":
            return f"{100 * value:.1f} %"
        if self.unit == "variance":
            return f"{value:.2e} (SD {max(value, 0.0) ** 0.5:.3f})"
        if self.unit == "mm":
            return f"{value:.1f} mm"
        if self.unit == "mm2":
            return f"{value:.0f} mm²"
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2e}"


BODY_DICE = Measure(
    "body.dice",
    "Body outline, overlap",
    "Dice overlap of the body found in the CT and the body visible in the synthetic MR; 1 is perfect.",
    "Below 0.95: part of the body was not drawn, or tissue was drawn where the CT has none. See the consistency map.",
    look=0.95,
    worry=0.90,
    more_is_better=True,
)
BODY_HD95 = Measure(
    "body.hd95_mm",
    "Body outline, distance",
    "95 % of the two outlines lie nearer to each other than this (HD95).",
    "Above 5 mm: a local defect, for example a missing ear, nose or table edge that was taken for skin.",
    unit="mm",
    look=5.0,
    worry=10.0,
)
MASK_DICE = Measure(
    "mask_consistency.dice",
    "Mask consistency",
    "Dice overlap of the outline of the labels that the generator was given and of what it drew (thesis, eq. 3.7).",
    "Below 0.95: the generator did not follow its labels.",
    look=0.95,
    worry=0.90,
    more_is_better=True,
)
MISSING = Measure(
    "mask_consistency.missing_fraction",
    "Tissue missing",
    "Part of the labelled body where the MR shows nothing.",
    "Above 3 %: look where; air-filled cavities that are open to the outside are harmless.",
    unit="%",
    look=0.03,
    worry=0.10,
)
EXCESS = Measure(
    "mask_consistency.excess_fraction",
    "Tissue too much",
    "Tissue that the MR shows outside the labelled body, as part of that body.",
    "Above 3 %: invented tissue or a haze around the body.",
    unit="%",
    look=0.03,
    worry=0.10,
)
LARGEST_MISSING = Measure(
    "mask_consistency.largest_missing_mm2",
    "Largest gap in one slice",
    "Area of the largest compact patch where the labels have tissue and the MR shows none.",
    "Above 150 mm²: a local defect that the overlap of the whole volume does not show. See the consistency map.",
    unit="mm2",
    look=150.0,
    worry=1000.0,
)
LARGEST_EXCESS = Measure(
    "mask_consistency.largest_excess_mm2",
    "Largest surplus in one slice",
    "Area of the largest compact patch where the MR shows tissue outside the labels.",
    "Above 150 mm²: tissue was invented there, or the labels have a hole.",
    unit="mm2",
    look=150.0,
    worry=1000.0,
)
RESEGMENTATION = Measure(
    "resegmentation.mean_dice",
    "Anatomy found again",
    "A separately trained network segments the synthetic MR; mean Dice of its classes with the labels.",
    "Below 0.60: structures are not recognisable. Small and thin classes (vessels, skin) are low even in real MR.",
    look=0.60,
    worry=0.40,
    more_is_better=True,
)
UNCERTAINTY = Measure(
    "uncertainty.global",
    "Global uncertainty",
    "Mean variance over the dropout passes inside the body, in the squared intensity unit.",
    "Above the generator's own validation bound: the input is unlike what it was trained on. Review before use.",
    unit="variance",
)
STRIPES = Measure(
    "stripes.index",
    "Stripes between slices",
    "Change from slice to slice over change within slices, same tissue only; about 1 where there are no stripes.",
    "Above 1.5 at cubic voxels (a little more for thick slices): flicker. Try three-view mode.",
    look=1.5,
    worry=2.5,
)
FLICKER = Measure(
    "stripes.flicker",
    "Brightness jumps of slices",
    "How much whole slices are brighter or darker than their neighbours, same tissue only, in intensity units.",
    "Above 0.012 at cubic voxels (more for thick slices): slices do not fit each other. Try three-view mode.",
    look=0.012,
    worry=0.05,
)
SEAMS = Measure(
    "seam_index",
    "Seams between windows",
    "Jump of the image where windows end over the jump beside it, same tissue only; 1 where there are no seams.",
    "Above 1.5: the windows that the volume was put together from can be seen. Look for straight lines in flat tissue.",
    look=1.5,
    worry=3.0,
)
UNLABELLED = Measure(
    "unlabelled_body_fraction",
    "Body without a label",
    "Part of the CT's body that the segmentation did not label.",
    "Above 5 %: what is drawn there is a guess or empty.",
    unit="%",
    look=0.05,
    worry=0.20,
)
CLASS_MEANS = Measure(
    "intensity.comparison.mean_error",
    "Contrast, mean error",
    "Mean difference of each class's intensity from real MR of the validation.",
    "Above 0.05: the contrast between tissues is not that of the sequence.",
    look=0.05,
    worry=0.15,
)
CLASS_CORRELATION = Measure(
    "intensity.comparison.correlation",
    "Contrast, order of tissues",
    "Correlation of the class means with those of real MR.",
    "Below 0.97: tissues may be swapped (scalp and bone, say), which looks convincing in a picture.",
    look=0.97,
    worry=0.85,
    more_is_better=True,
)

MEASURES: tuple[Measure, ...] = (
    BODY_DICE,
    BODY_HD95,
    MASK_DICE,
    MISSING,
    EXCESS,
    LARGEST_MISSING,
    LARGEST_EXCESS,
    RESEGMENTATION,
    CLASS_MEANS,
    CLASS_CORRELATION,
    UNCERTAINTY,
    STRIPES,
    FLICKER,
    SEAMS,
    UNLABELLED,
)
"""In the order of the report's table."""


def measures_of(quality: Mapping[str, Any]) -> list[Measure]:
    """The measures that a report shows: there is no row for seams where there are no windows."""
    return [measure for measure in MEASURES if measure is not SEAMS or measure.value(quality) is not None]


def stripe_limit(measure: Measure, step_ratio: float) -> float | None:
    """First limit of a stripe measure, by the ratio of slice distance to pixel size.

    Anatomy changes more across thick slices even within one class: a real T1 has a stripe index of 1.1 at 1 mm and of
    1.8 at 5 mm, and three times the flicker.
    """
    if measure.look is None:
        return None
    growth = 0.1 if measure is STRIPES else 0.4
    return measure.look * (1 + growth * max(step_ratio - 1.0, 0.0))
