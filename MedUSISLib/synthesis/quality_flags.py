"""From numbers to sentences: what a person should look at, in plain language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from MedUSISLib.synthesis.quality_guide import (
    FLICKER,
    MASK_DICE,
    MEASURES,
    STRIPES,
    UNCERTAINTY,
    Level,
    number_at,
    stripe_limit,
)

POOR_CLASS_DICE = 0.5
POOR_CLASS_ML = 10.0


@dataclass(frozen=True)
class Flag:
    """One sentence about a result; ``key`` is the measure in quality.json that raised it."""

    level: Level
    key: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Plain strings, for JSON."""
        return {"level": self.level.value, "key": self.key, "message": self.message}


def quality_flags(quality: Mapping[str, Any]) -> list[Flag]:
    """All remarkable things in a quality report, the worrying ones first; empty when nothing is remarkable."""
    flags = [*_limits(quality), *_uncertainty(quality), *_classes(quality), *_notes(quality)]
    order = {Level.WORRY: 0, Level.LOOK: 1, Level.UNKNOWN: 2, Level.OK: 3}
    return sorted(flags, key=lambda flag: order[flag.level])


def verdict(flags: Sequence[Mapping[str, Any]]) -> Level:
    """The worst level among the flags; notes that something was not measured do not count."""
    levels = {flag["level"] for flag in flags}
    for level in (Level.WORRY, Level.LOOK):
        if level.value in levels:
            return level
    return Level.OK


def limit_of(key: str, quality: Mapping[str, Any]) -> float | None:
    """The limit that this result is held to where it is not the general one: from the bundle or the slice distance."""
    for measure in (STRIPES, FLICKER):
        if key == measure.key:
            ratio = number_at(quality, "stripes.slice_distance_over_pixel")
            return stripe_limit(measure, ratio) if ratio else None
    if key == MASK_DICE.key:
        return number_at(quality, "mask_consistency.threshold") or None
    if key == UNCERTAINTY.key:
        return number_at(quality, "uncertainty.threshold") or None
    return None


def _limits(quality: Mapping[str, Any]) -> list[Flag]:
    flags = []
    for measure in MEASURES:
        if measure is UNCERTAINTY:
            continue
        value = measure.value(quality)
        level = measure.level(value, limit_of(measure.key, quality))
        if level in (Level.LOOK, Level.WORRY):
            flags.append(Flag(level, measure.key, f"{measure.title}: {measure.text(value)}. {measure.worrying}"))
    return flags


def _uncertainty(quality: Mapping[str, Any]) -> list[Flag]:
    part = quality["uncertainty"]
    key = UNCERTAINTY.key
    if part["passes"] < 2:
        message = "One pass was made, so there is no uncertainty: ask for 8 passes, of a generator with dropout."
        return [Flag(Level.UNKNOWN, key, message)]
    if part["review"]:
        message = f"Global uncertainty {UNCERTAINTY.text(part['global'])} is above the generator's validation bound"
        if part["threshold"] is not None:
            message += f" of {UNCERTAINTY.text(part['threshold'])}"
        return [Flag(Level.WORRY, key, message + ". The input is unusual: review this volume before any use.")]
    if part["threshold"] is None:
        return [Flag(Level.UNKNOWN, key, "The generator has no validation bound, so nobody can say what is unusual.")]
    wanted = part["threshold_passes"]
    if wanted and wanted > 2 * part["passes"]:
        text = f"The validation bound was measured with {wanted} passes, this volume with {part['passes']}."
        return [Flag(Level.UNKNOWN, key, text + " Few passes underestimate the variance.")]
    return []


def _classes(quality: Mapping[str, Any]) -> list[Flag]:
    part = quality["resegmentation"]
    if not part["available"]:
        return [Flag(Level.UNKNOWN, "resegmentation", f"No Dice per class: {part['reason']}.")]
    poor = [
        f"{row['title']} ({row['dice']:.2f})"
        for row in part["classes"]
        if row["dice"] is not None and row["dice"] < POOR_CLASS_DICE and row["volume_ml"] >= POOR_CLASS_ML
    ]
    if not poor:
        return []
    return [
        Flag(
            Level.LOOK,
            "resegmentation.classes",
            f"Found again badly in the MR (Dice below {POOR_CLASS_DICE}): {', '.join(poor)}.",
        )
    ]


def _notes(quality: Mapping[str, Any]) -> list[Flag]:
    flags = []
    segmentation = quality["segmentation"]
    if segmentation.get("was_resampled"):
        message = "The segmentation was in another grid and was resampled onto the CT (nearest neighbour)."
        flags.append(Flag(Level.UNKNOWN, "segmentation.was_resampled", message))
    if not quality["intensity"]["classes"] or all(row["std"] == 0 for row in quality["intensity"]["classes"]):
        flags.append(Flag(Level.WORRY, "intensity.classes", "The MR is constant: the generator drew nothing."))
    if quality["stripes"]["index"] is None:
        flags.append(Flag(Level.UNKNOWN, "stripes.index", "No stripe index: it needs at least two slices."))
    return flags
