"""A picture of a validation: labels, synthetic and real slices below one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.validation_slices import ValidationSlices


def sample_mosaic(
    slices: ValidationSlices, fake: np.ndarray, schema: LabelSchema, count: int = 8, real: bool = True
) -> list[tuple[str, np.ndarray]]:
    """Strips of slices side by side, each with its title: uint8 (H, count * W, 3).

    Parameters
    ----------
    slices : ValidationSlices
    fake : ndarray [N, H, W]
        Intensities, shown up to 1.1.
    schema : LabelSchema
        For the colours.
    real : bool
        Whether the real slices may be shown.
    """
    chosen = np.linspace(0, len(fake) - 1, min(count, len(fake))).round().astype(int)
    colors = np.zeros((max(one.index for one in schema.classes) + 1, 3), np.uint8)
    for one in schema.classes:
        colors[one.index] = one.color
    strips = [("labels", colors[slices.labels[chosen]]), ("SYNTHETIC", _grey(fake[chosen]))]
    if real:
        strips.append(("real", _grey(slices.images[chosen])))
    return [(title, np.concatenate(list(strip), axis=1)) for title, strip in strips]


def save_sample_grid(
    path: Path, slices: ValidationSlices, fake: np.ndarray, schema: LabelSchema, count: int = 8, real: bool = True
) -> None:
    """A PNG: labels, synthetic and (where they may be shown) real slices of held-out people below one another."""
    from matplotlib.figure import Figure

    strips = sample_mosaic(slices, fake, schema, count, real)
    rows, columns = fake.shape[1:]
    shown = strips[0][1].shape[1] // columns
    # One picture in one axis: 30 axes of matplotlib take half a second.
    mosaic = np.concatenate([strip for _, strip in strips])
    figure = Figure(figsize=(1.6 * shown, 1.6 * len(strips) * rows / columns), dpi=100)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.imshow(mosaic, aspect="auto")
    axis.axis("off")
    for number, (title, _) in enumerate(strips):
        place = (4, (number + 0.06) * rows)
        axis.text(*place, title, color="yellow", fontsize=8, bbox={"facecolor": "black", "edgecolor": "none", "pad": 1})
    temporary = path.with_suffix(".tmp.png")
    figure.savefig(temporary)
    temporary.replace(path)


def _grey(images: np.ndarray) -> np.ndarray:
    """Intensities up to 1.1 as (..., 3) bytes."""
    return np.repeat((np.nan_to_num(images).clip(0, 1.1) * (255 / 1.1)).astype(np.uint8)[..., None], 3, axis=-1)
