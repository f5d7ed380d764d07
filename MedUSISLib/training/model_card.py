"""The model card of a trained generator, filled from its configuration and its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from MedUSISLib.training.before_and_after import BeforeAndAfter
from MedUSISLib.training.configuration import CardConfiguration
from MedUSISLib.training.figure_texts import classes_text, figures_text
from MedUSISLib.training.measurements import PASSES, REVIEW_FACTOR, VolumeMeasurements
from MedUSISLib.training.validation import Validation

#: Of every generator; said where its owner has stated none.
USUAL_LIMITS = (
    "It must not be used for diagnosis, treatment planning, dose calculation, measurement, or as the target of a"
    " registration that any of these depend on.",
    "It draws what the labels say. A lesion, bleeding or malformation that the segmentation does not name is not in the"
    " picture, however large it is in the patient.",
)

CAUTION = "**SYNTHETIC - not for diagnosis.** What this generator draws is a plausible picture, not a measurement."


_BY_HEAD_SEG = (
    "The labels of these slices were made by head-seg from the real images: its Dice says whether it finds the same in"
    " the synthetic slice, and SSIM and PSNR compare a slice with the image that its labels were found in.\n"
)
_PAIRS = {"pseudo": _BY_HEAD_SEG, "unpaired": _BY_HEAD_SEG}


def _volumes_text(volumes: Sequence[VolumeMeasurements], threshold: float | None) -> str:
    columns = ["volume", f"uncertainty ({PASSES} passes)", "stripes", "stripes, real"]
    windows = any(one.seams is not None for one in volumes)
    columns += ["seams between windows (1 is none)"] * windows
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for one in volumes:
        real = "" if one.stripes_real is None else f"{one.stripes_real:.2f}"
        seams = "" if one.seams is None else f"{one.seams:.2f}"
        row = [one.person, f"{one.uncertainty:.2e}", f"{one.stripes:.2f}", real, *[seams] * windows]
        lines.append(f"| {' | '.join(row)} |")
    if threshold is not None:
        lines.append("")
        lines.append(f"Review flag above {threshold:.2e}: {REVIEW_FACTOR} times the largest of these.")
    return "\n".join(lines) + "\n"


def _noise_text(noise: dict[str, Any]) -> str:
    if not noise:
        return "This generator is deterministic: it takes no noise.\n"
    verdict = "visibly different images" if noise["visible"] else "images that hardly differ: the noise does little"
    shift = noise["largest_class_shift"]
    moved = f"; the class mean that moves most is {noise['shifted_class']} by {shift:.3f}" if shift else ""
    return (
        f"Different noise gives {verdict} (standard deviation over {noise['samples']} samples {noise['spread']:.4f},"
        f" {100 * noise['relative_spread']:.1f} % of the range{moved}).\n"
    )


def model_card(
    name: str,
    card: CardConfiguration,
    validation: Validation,
    volumes: Sequence[VolumeMeasurements],
    noise: dict[str, Any],
    threshold: float | None,
    settings: dict[str, Any],
    start: str = "",
    change: BeforeAndAfter | None = None,
    held_out: bool = True,
) -> str:
    """README.md of a bundle.

    Parameters
    ----------
    settings : dict
        Iterations, crop, phases and so on, as they were used.
    start : str
        A section on the generator that it started from.
    change : BeforeAndAfter, optional
        Of a fine-tuning.
    held_out : bool
        False when there was nobody but the training people to measure on.
    """
    whom = "people that it was not trained on" if held_out else "the very people that it was trained on"
    pairs = _PAIRS[str(settings.get("pairing"))] if settings.get("pairing") in _PAIRS else ""
    caveat = "" if held_out else "\n**Nobody was held out: these figures say nothing about other people.**\n"
    data = ["| data | subjects | licence | used for |", "|---|---|---|---|"]
    for row in card.training_data:
        data.append(f"| {row.name} {row.source} | {row.subjects or ''} | {row.licence} | {row.use} |")
    limits = "".join(f"* {limit}\n" for limit in card.known_limits)
    measurements = "".join(f"{sentence}\n" for sentence in card.measurements)
    used = "".join(f"* {key}: {value}\n" for key, value in settings.items())
    return f"""# {card.title or name}

{CAUTION}

Version {card.version}, licence {card.licence}. {card.modality}, {card.body_region}.

## What it is for

{card.intended_use}

## What it must not be used for, and what it cannot do

{limits}
## Measured on {whom}
{caveat}
{figures_text(validation)}{pairs}
![slices of held-out people: labels, synthetic and, where they may be shown, real ones](samples.png)

Class means on the scale on which white matter is 0.7:

{classes_text(validation)}
Uncertainty (mean over the body of the variance over dropout passes) and stripes (between-slice over in-slice gradient
inside a class), over whole volumes:

{_volumes_text(volumes, threshold)}
{_noise_text(noise)}
{measurements}
{"" if change is None else change.text()}## What it was trained on

{chr(10).join(data)}

{start}## How

{used}"""
