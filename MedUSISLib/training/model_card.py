"""The model card of a trained generator, filled from its configuration and its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from MedUSISLib.training.configuration import CardConfiguration
from MedUSISLib.training.measurements import PASSES, REVIEW_FACTOR, VolumeMeasurements
from MedUSISLib.training.validation import Validation, class_table_text

CAUTION = "**SYNTHETIC - not for diagnosis.** What this generator draws is a plausible picture, not a measurement."


def figures_text(validation: Validation) -> str:
    """The headline figures as a Markdown table."""
    rows = [
        ("class means: mean absolute difference to the real ones", f"{validation.mean_error:.3f}"),
        ("class means: correlation over the classes", f"{validation.correlation:.3f}"),
        ("power of fine detail, synthetic over real (1 is the same)", f"{validation.high_frequency:.2f}"),
        ("checkerboard index (real slices: 0.9 to 1.7)", f"{validation.checkerboard:.2f}"),
        ("mean absolute difference to the real slice, inside the head", f"{validation.absolute_error:.3f}"),
    ]
    return "| on held-out people, white matter = 0.7 | |\n|---|---|\n" + "".join(f"| {a} | {b} |\n" for a, b in rows)


def _volumes_text(volumes: Sequence[VolumeMeasurements], threshold: float | None) -> str:
    lines = [f"| volume | uncertainty ({PASSES} passes) | stripes | stripes, real |", "|---|---|---|---|"]
    for one in volumes:
        real = "" if one.stripes_real is None else f"{one.stripes_real:.2f}"
        lines.append(f"| {one.person} | {one.uncertainty:.2e} | {one.stripes:.2f} | {real} |")
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
) -> str:
    """README.md of a bundle.

    Parameters
    ----------
    settings : dict
        Iterations, crop, phases and so on, as they were used.
    start : str
        A section on the generator that it started from.
    """
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
## Measured on people that it was not trained on

{figures_text(validation)}
![slices of held-out people: labels, synthetic and, where they may be shown, real ones](samples.png)

Class means on the scale on which white matter is 0.7:

{class_table_text(validation)}
Uncertainty (mean over the body of the variance over dropout passes) and stripes (between-slice over in-slice gradient
inside a class), over whole volumes:

{_volumes_text(volumes, threshold)}
{_noise_text(noise)}
{measurements}
## What it was trained on

{chr(10).join(data)}

{start}## How

{used}"""
