"""How good a generator is on people that it was not trained on: class contrast, fine detail, likeness, a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.evaluation.class_table import ClassRow, class_table, compare_class_means
from MedUSISLib.evaluation.spectrum import checkerboard_index, high_frequency_ratio
from MedUSISLib.training.cases import Case
from MedUSISLib.training.generator_step import one_hot
from MedUSISLib.training.slices import cut_out
from MedUSISLib.training.t1_scaling import CLIP


@dataclass(frozen=True)
class ValidationSlices:
    """Fixed slices of held-out people.

    Attributes
    ----------
    labels : ndarray of uint8, shape (N, H, W)
    images : ndarray of float32, shape (N, H, W), in [0, 1.2]
    """

    labels: np.ndarray
    images: np.ndarray


def validation_slices(
    cases: Sequence[Case], crop: tuple[int, int], per_case: int = 16, bottom_mm: float = 150.0
) -> ValidationSlices:
    """Axial slices, evenly spaced from the vertex down to ``bottom_mm`` below it, uncut and undeformed."""
    labels, images = [], []
    for case in cases:
        if case.image_kji is None:
            continue
        slices = case.labels_kji.shape[0]
        first = max(0, slices - int(bottom_mm / case.thickness_mm))
        for k in np.linspace(first + 2, slices - 4, per_case).round().astype(int):
            starts = [(n - wanted) // 2 for n, wanted in zip(case.labels_kji.shape[1:], crop, strict=True)]
            labels.append(cut_out(case.labels_kji[k], starts, crop))
            images.append(cut_out(case.image_kji[k], starts, crop).astype(np.float32))
    if not labels:
        raise ValueError("there is no held-out person with an image to validate on")
    return ValidationSlices(np.stack(labels), np.stack(images))


@dataclass(frozen=True)
class Validation:
    """Figures of one validation, on the scale on which white matter is 0.7.

    Attributes
    ----------
    mean_error, correlation : float
        Of the class means, synthetic against real.
    high_frequency : float
        Power of fine detail, synthetic over real.
    checkerboard : float
    absolute_error : float
        Mean absolute difference inside the head; a pair is needed, so it counts texture that differs as an error.
    rows_real, rows_synthetic : list of ClassRow
    """

    mean_error: float
    correlation: float
    high_frequency: float
    checkerboard: float
    absolute_error: float
    rows_real: list[ClassRow]
    rows_synthetic: list[ClassRow]

    def figures(self) -> dict[str, float]:
        """The numbers, without the tables."""
        return {
            "mean_error": self.mean_error,
            "correlation": self.correlation,
            "high_frequency": self.high_frequency,
            "checkerboard": self.checkerboard,
            "absolute_error": self.absolute_error,
        }


def synthesize_slices(
    network: nn.Module, labels: np.ndarray, noise_channels: int, classes: int, *, seed: int = 0, batch: int = 8
) -> np.ndarray:
    """Synthetic slices with one noise vector for all; ndarray of float32 (N, H, W) in [0, 1.2]."""
    device = next(network.parameters()).device
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(1, noise_channels, generator=rng).clamp(-2, 2).to(device) if noise_channels else None
    results = []
    network.eval()
    with torch.inference_mode():
        for first in range(0, len(labels), batch):
            condition = one_hot(torch.from_numpy(labels[first : first + batch]).long().to(device), classes)
            noise = None if z is None else z.expand(len(condition), -1)
            results.append(network(condition, noise)[:, 0].float().cpu().numpy())
    return (np.concatenate(results) + 1) * (CLIP / 2)


def validate(
    network: nn.Module, slices: ValidationSlices, schema: LabelSchema, noise_channels: int
) -> tuple[Validation, np.ndarray]:
    """Figures and the synthetic slices that they were measured on."""
    fake = synthesize_slices(network, slices.labels, noise_channels, schema.number_of_classes)
    rows_real = class_table(slices.images, slices.labels, schema)
    rows_fake = class_table(fake, slices.labels, schema)
    comparison = compare_class_means(rows_real, rows_fake)
    body = slices.labels > 0
    result = Validation(
        mean_error=float(comparison["mean_error"]),  # type: ignore[arg-type]
        correlation=float(comparison["correlation"] or float("nan")),  # type: ignore[arg-type]
        high_frequency=high_frequency_ratio(fake, slices.images, body, body),
        checkerboard=checkerboard_index(fake),
        absolute_error=float(np.abs(fake - slices.images)[body].mean()),
        rows_real=rows_real,
        rows_synthetic=rows_fake,
    )
    return result, fake


def save_sample_grid(
    path: Path, slices: ValidationSlices, fake: np.ndarray, schema: LabelSchema, count: int = 8, real: bool = True
) -> None:
    """A PNG: labels, synthetic and (where they may be shown) real slices of held-out people below one another."""
    from matplotlib.figure import Figure

    chosen = np.linspace(0, len(fake) - 1, min(count, len(fake))).round().astype(int)
    colors = np.array([one.color for one in schema.classes], np.uint8)
    strips = [("labels", colors[slices.labels[chosen]]), ("SYNTHETIC", _grey(fake[chosen]))]
    if real:
        strips.append(("real", _grey(slices.images[chosen])))
    rows, columns = fake.shape[1:]
    # One picture in one axis: 30 axes of matplotlib take half a second.
    mosaic = np.concatenate([np.concatenate(list(strip), axis=1) for _, strip in strips])
    figure = Figure(figsize=(1.6 * len(chosen), 1.6 * len(strips) * rows / columns), dpi=100)
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


def class_table_text(validation: Validation) -> str:
    """The per-class intensity table as Markdown."""
    lines = ["| class | real | synthetic | difference |", "|---|---|---|---|"]
    for real, fake in zip(validation.rows_real, validation.rows_synthetic, strict=True):
        if real.mean is not None and fake.mean is not None:
            lines.append(f"| {real.name} | {real.mean:.3f} | {fake.mean:.3f} | {fake.mean - real.mean:+.3f} |")
    return "\n".join(lines) + "\n"
