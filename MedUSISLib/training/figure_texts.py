"""What the figures of a validation are called in a model card, and what the real slices have."""

from __future__ import annotations

from collections.abc import Mapping

from MedUSISLib.training.validation import Validation

#: By key of `Validation.figures`: text, format, the value of a perfect image where that is no measurement.
FIGURES: Mapping[str, tuple[str, str, str]] = {
    "mean_error": ("class means: mean absolute difference to the real ones", ".3f", "0"),
    "correlation": ("class means: correlation over the classes", ".3f", "1"),
    "resegmentation_dice": ("Dice when segmented again by head-seg, mean of the classes", ".2f", ""),
    "frechet": ("Frechet distance of texture features", ".2f", ""),
    "high_frequency": ("power of fine detail, synthetic over real", ".2f", "1"),
    "checkerboard": ("checkerboard index", ".2f", ""),
    "absolute_error": ("mean absolute difference to the real slice, inside the head", ".3f", "0"),
    "ssim": ("SSIM with the real slice, inside the head, data range 1.2", ".3f", "1"),
    "psnr": ("PSNR with the real slice, inside the head (dB)", ".1f", ""),
    "diversity": ("difference between slices, synthetic over real", ".2f", "1"),
}


def shown(name: str, value: float | None) -> str:
    """A figure as the card shows it; empty where nothing was measured.

    Examples
    --------
    >>> shown("ssim", 0.81234), shown("psnr", None)
    ('0.812', '')
    """
    return "" if value is None else format(value, FIGURES[name][1])


def of_real_slices(name: str, yardsticks: Mapping[str, float]) -> str:
    """What real slices reach in a figure."""
    if name in ("resegmentation_dice", "checkerboard"):
        return shown(name, yardsticks.get(f"{name}_real"))
    if name == "frechet":
        between = yardsticks.get("frechet_between_people")
        return "" if between is None else f"{between:.2f} between two people"
    return FIGURES[name][2]


def figures_text(validation: Validation) -> str:
    """The headline figures as a Markdown table, and what they rest on."""
    figures, yardsticks, samples = validation.figures(), validation.yardsticks(), validation.samples
    lines = ["| white matter = 0.7 | synthetic | real slices |", "|---|---|---|"]
    for name, (text, _, _) in FIGURES.items():
        if name in figures:
            lines.append(f"| {text} | {shown(name, figures[name])} | {of_real_slices(name, yardsticks)} |")
    people = _count(samples.get("people", 0), "person", "people")
    rests = f"{samples.get('slices', 0)} slices of {people}: with so few, the figures show the order of things."
    if "frechet" in figures:
        rests += (
            f" The Frechet distance is that of {samples.get('patches', 0)} patches of 32 x 32 pixels (ten features of"
            " brightness and of detail at three sizes, no trained network), each person with themselves; beside it"
            " stands the median distance of the real slices of one person from those of another"
            f" ({_count(samples.get('other_people', 0), 'other person', 'other people')}), measured in the same way. It"
            " cannot be compared with distances of other features or other data."
        )
    if validation.unavailable:
        rests += f" Not segmented again: {validation.unavailable}."
    return "\n".join(lines) + f"\n\n{rests}\n"


def classes_text(validation: Validation) -> str:
    """Mean intensity and Dice of each class as a Markdown table."""
    dice = validation.dice_per_class()
    head = "| class | real | synthetic | difference |"
    lines = [
        head + (" Dice | Dice of the real slices |" if dice else ""),
        "|---|---|---|---|" + ("---|---|" * bool(dice)),
    ]
    for real, made in zip(validation.rows_real, validation.rows_synthetic, strict=True):
        if real.mean is None or made.mean is None:
            continue
        line = f"| {real.name} | {real.mean:.3f} | {made.mean:.3f} | {made.mean - real.mean:+.3f} |"
        if dice:
            ours, theirs = dice.get(real.name), validation.dice_real.get(real.name)
            line += f" {'' if ours is None else f'{ours:.2f}'} | {'' if theirs is None else f'{theirs:.2f}'} |"
        lines.append(line)
    if validation.swapped:
        pairs = "; ".join(f"{brighter} is drawn darker than {darker}" for brighter, darker in validation.swapped)
        lines += ["", f"**Classes are swapped**: {pairs}, unlike in the real slices."]
    return "\n".join(lines) + "\n"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
