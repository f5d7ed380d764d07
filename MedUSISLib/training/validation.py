"""How good a generator is on people that it was not trained on: the same figures of every state of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.evaluation.class_order import rank_correlation, swapped_classes
from MedUSISLib.evaluation.class_table import ClassRow, class_table, compare_class_means
from MedUSISLib.evaluation.dice import DiceRow
from MedUSISLib.evaluation.diversity import diversity
from MedUSISLib.evaluation.image_similarity import image_similarity
from MedUSISLib.evaluation.spectrum import checkerboard_index, high_frequency_ratio
from MedUSISLib.training.generator_step import one_hot
from MedUSISLib.training.resegmentation import Resegmentation, mean_dice
from MedUSISLib.training.t1_scaling import CLIP
from MedUSISLib.training.texture_distance import TextureDistance
from MedUSISLib.training.validation_slices import ValidationSlices

Draw = Callable[[nn.Module], np.ndarray]
"""From a network to the synthetic slices of the validation, (N, H, W) in [0, 1.2]."""


@dataclass(frozen=True)
class Validation:
    """Figures of one validation, on the scale on which white matter is 0.7; ``None`` where there is nothing to measure.

    Attributes
    ----------
    mean_error, correlation : float
        Of the class means, synthetic against real.
    high_frequency : float
        Power of fine detail, synthetic over real.
    checkerboard : float
    absolute_error : float
        Mean absolute difference inside the head. Like ``ssim`` and ``psnr`` it compares a slice with the real one that
        its labels are of, so it counts texture that differs as an error.
    ssim, psnr : float
        Inside the head, for a data range of 1.2. Every validation slice is a pair: its labels are of this very image,
        its owner's or made from it by `head-seg` (pseudo-pairs).
    resegmentation_dice : float
        Mean over the classes, see `resegmentation`.
    frechet : float
        Of texture features, see `texture_distance`; ``frechet_between_people`` is the yardstick.
    diversity : float
        1 when the images differ from one another as the real ones do, 0 when they are all the same.
    resegmentation_dice_real : float
        The same Dice of the real slices: more than this is not to be had.
    rows_real, rows_synthetic : list of ClassRow
    dice : list of DiceRow
        Of the re-segmentation.
    dice_real : dict of str to float
        By class, of the real slices.
    rank_correlation : float
        Of the means of the large classes; below 0 classes are swapped.
    swapped : list of (str, str)
        Pairs of large classes whose contrast is inverted.
    unavailable : str
        Why there is no re-segmentation; empty when there is.
    samples : dict of str to int
        What the figures rest on: people, slices, patches (of the Frechet distance).
    checkerboard_real : float
        Checkerboard index of the real slices.
    """

    mean_error: float | None
    correlation: float | None
    high_frequency: float | None
    checkerboard: float | None
    absolute_error: float | None
    ssim: float | None
    psnr: float | None
    resegmentation_dice: float | None
    frechet: float | None
    diversity: float | None
    resegmentation_dice_real: float | None
    frechet_between_people: float | None
    rows_real: list[ClassRow]
    rows_synthetic: list[ClassRow]
    dice: list[DiceRow] = field(default_factory=list)
    dice_real: dict[str, float] = field(default_factory=dict)
    rank_correlation: float | None = None
    swapped: list[tuple[str, str]] = field(default_factory=list)
    unavailable: str = ""
    samples: dict[str, int] = field(default_factory=dict)
    checkerboard_real: float | None = None

    def figures(self) -> dict[str, float]:
        """The numbers that a state is judged by, without those that could not be measured."""
        names = (
            "mean_error",
            "correlation",
            "high_frequency",
            "checkerboard",
            "absolute_error",
            "resegmentation_dice",
            "frechet",
            "ssim",
            "psnr",
            "diversity",
        )
        return self._measured(names)

    def yardsticks(self) -> dict[str, float]:
        """What the real slices reach in the same measure; the same in every validation of a training."""
        return self._measured(("resegmentation_dice_real", "frechet_between_people", "checkerboard_real"))

    def dice_per_class(self) -> dict[str, float]:
        """Dice of the re-segmentation by class name."""
        return {row.name: row.dice for row in self.dice if row.dice is not None}

    def _measured(self, names: tuple[str, ...]) -> dict[str, float]:
        values = {name: getattr(self, name) for name in names}
        return {name: float(value) for name, value in values.items() if value is not None and np.isfinite(value)}


class Judge:
    """Judges every state of one training by the same slices and the same measures.

    What concerns the real slices alone is measured once. One validation of 32 slices of 256 x 192 takes 1.3 seconds of
    one CPU thread besides drawing the slices (Testing/Benchmarks/README.md).

    Parameters
    ----------
    slices : ValidationSlices
        Of held-out people.
    schema : LabelSchema
    device : torch.device
        For `head-seg`.
    others : ValidationSlices, optional
        Real slices of other people, for the yardstick of the Frechet distance.
    draw : callable, optional
        Draws the slices in another way than one by one (a 3D generator draws volumes).
    """

    def __init__(
        self,
        slices: ValidationSlices,
        schema: LabelSchema,
        device: torch.device,
        others: ValidationSlices | None = None,
        draw: Draw | None = None,
    ) -> None:
        self.slices, self.schema, self._draw = slices, schema, draw
        self.rows_real = class_table(slices.images, slices.labels, schema)
        self._checkerboard_real = checkerboard_index(slices.images)
        self.texture = TextureDistance(slices, others)
        self.resegmentation = Resegmentation(schema, device)
        self._dice_real: list[DiceRow] = [] if self.resegmentation.reason else self._segmented(slices.images)

    def check(self, criterion: str) -> None:
        """Refuse a training whose criterion cannot be measured.

        Raises
        ------
        MedUSISError
            ``BAD_SETTING`` with the reason.
        """
        reason = ""
        if criterion == "resegmentation_dice":
            reason = self.resegmentation.reason or ("" if self._dice_real else "the labels are of no known class")
        elif criterion == "frechet" and not self.texture.available:
            reason = "the slices are too small or too empty"
        elif criterion == "diversity" and len(self.slices.labels) < 2:
            reason = "there is a single slice"
        if reason:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"selection.criterion: {criterion} cannot be measured here: {reason}",
                "choose another criterion",
            )

    def __call__(self, network: nn.Module, noise_channels: int) -> tuple[Validation, np.ndarray]:
        """Figures, and the synthetic slices (N, H, W) in [0, 1.2] that they were measured on."""
        slices, body = self.slices, self.slices.body
        if self._draw is not None:
            fake = self._draw(network)
        else:
            fake = synthesize_slices(network, slices.labels, noise_channels, self.schema.number_of_classes)
        rows = class_table(fake, slices.labels, self.schema)
        comparison = compare_class_means(self.rows_real, rows)
        alike = image_similarity(fake, slices.images, body, data_range=CLIP)
        dice = [] if self.resegmentation.reason else self._segmented(fake)
        result = Validation(
            mean_error=comparison["mean_error"],  # type: ignore[arg-type]
            correlation=comparison["correlation"],  # type: ignore[arg-type]
            high_frequency=high_frequency_ratio(fake, slices.images, body, body),
            checkerboard=checkerboard_index(fake),
            absolute_error=alike.mae,
            ssim=alike.ssim,
            psnr=alike.psnr_db,
            resegmentation_dice=mean_dice(dice),
            frechet=self.texture(fake),
            diversity=diversity(fake, slices.images, body),
            resegmentation_dice_real=mean_dice(self._dice_real),
            frechet_between_people=self.texture.between_people,
            rows_real=self.rows_real,
            rows_synthetic=rows,
            dice=dice,
            dice_real={row.name: row.dice for row in self._dice_real if row.dice is not None},
            rank_correlation=rank_correlation(self.rows_real, rows),
            swapped=swapped_classes(self.rows_real, rows),
            unavailable=self.resegmentation.reason,
            samples={
                "people": slices.number_of_people,
                "slices": len(slices.labels),
                "patches": self.texture.patches,
                "other_people": self.texture.other_people,
            },
            checkerboard_real=self._checkerboard_real,
        )
        return result, fake

    def _segmented(self, images: np.ndarray) -> list[DiceRow]:
        found = self.resegmentation.labels(images, self.slices.depth_mm, self.slices.pixel_mm)
        return self.resegmentation.rows(self.slices.labels, found)


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


def class_table_text(validation: Validation) -> str:
    """The per-class intensity table as Markdown."""
    lines = ["| class | real | synthetic | difference |", "|---|---|---|---|"]
    for real, fake in zip(validation.rows_real, validation.rows_synthetic, strict=True):
        if real.mean is not None and fake.mean is not None:
            lines.append(f"| {real.name} | {real.mean:.3f} | {fake.mean:.3f} | {fake.mean - real.mean:+.3f} |")
    return "\n".join(lines) + "\n"
