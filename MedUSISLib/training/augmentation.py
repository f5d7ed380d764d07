"""Training samples varied at random: flipped, turned and scaled with their labels, and in their intensities."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.augmentation_settings import AugmentationSettings
from MedUSISLib.training.sampling import Sample
from MedUSISLib.training.t1_scaling import CLIP, WHITE_MATTER

#: Nodes of the coarse grid that a bias field is enlarged from.
_BIAS_NODES = 4


class Augmenter:
    """Varies slices and boxes of volumes, one at a time.

    All draws come from the sample's own random numbers, in a fixed order. So a sample does not depend on its neighbours
    in the batch, and switching one variation off leaves the others as they were.

    Parameters
    ----------
    settings : AugmentationSettings
    schema : LabelSchema
        Its classes ``left_x`` and ``right_x`` (or ``x_left`` and ``x_right``) change places when a sample is flipped.
    deforms : bool
        Without it nothing is interpolated: for the real images that the discriminator is shown, whose texture
        interpolation would take away.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> augmenter = Augmenter(AugmentationSettings(flip=1, deform=0), load_schema("head"))
    >>> sample = Sample(torch.tensor([[0, 1], [2, 3]]), None, "axial")
    >>> augmenter(sample, torch.Generator().manual_seed(0)).labels.tolist()
    [[1, 0], [3, 2]]
    """

    def __init__(self, settings: AugmentationSettings, schema: LabelSchema, deforms: bool = True) -> None:
        self.settings, self.deforms = settings, deforms
        self.swapped = mirrored_classes(schema)

    def __call__(self, sample: Sample, rng: torch.Generator) -> Sample:
        """A varied copy.

        Parameters
        ----------
        sample : Sample
            With two or three spatial axes.
        rng : torch.Generator
        """
        settings = self.settings
        flip, deform = torch.rand(2, generator=rng).tolist()
        places = torch.rand(9, generator=rng) * 2 - 1
        gamma = float(torch.rand((), generator=rng) * 2 - 1)
        nodes = torch.randn(1, 1, *[_BIAS_NODES] * sample.labels.ndim, generator=rng)
        if flip < settings.flip and sample.view != "sagittal":
            sample = _each(sample, lambda labels: self.swapped[labels].flip(-1), lambda image: image.flip(-1))
        if self.deforms and deform < settings.deform:
            sample = self._deformed(sample, places.tolist())
        if sample.image is not None and (settings.gamma or settings.bias):
            sample = replace(sample, image=self._other_intensities(sample.image, gamma, nodes))
        return sample

    def _deformed(self, sample: Sample, places: list[float]) -> Sample:
        """The same affine on labels, nearest, and image, linear."""
        shape = sample.labels.shape
        grid = F.affine_grid(self._affine(places, tuple(shape)), [1, 1, *shape], align_corners=False)

        def nearest(labels: Tensor) -> Tensor:
            moved = F.grid_sample(labels[None, None].float(), grid, mode="nearest", align_corners=False)
            return moved[0, 0].to(labels.dtype)

        def linear(image: Tensor) -> Tensor:
            # The outside is air: shifted so that the zero padding of grid_sample means -1.
            return F.grid_sample(image[None] + 1, grid, mode="bilinear", align_corners=False)[0] - 1

        return _each(sample, nearest, linear)

    def _affine(self, places: list[float], shape: tuple[int, ...]) -> Tensor:
        """Turn, scaling and shift, in the unit of ``affine_grid``: half the sample, x first. (1, n, n + 1)."""
        settings, n = self.settings, len(shape)
        turns, scales, shifts = places[:3], places[3:6], places[6:]
        turn = torch.eye(n, dtype=torch.float64)
        # In a slice about its normal; in a box about all three axes.
        for first, second, part in [(0, 1, turns[0]), (0, 2, turns[1]), (1, 2, turns[2])][: 1 if n == 2 else 3]:
            angle = part * settings.turn_deg * math.pi / 180
            one = torch.eye(n, dtype=torch.float64)
            one[first, first] = one[second, second] = math.cos(angle)
            one[first, second], one[second, first] = -math.sin(angle), math.sin(angle)
            turn = turn @ one
        half = torch.tensor(shape[::-1], dtype=torch.float64)
        scale = 1 + settings.scale * torch.tensor(scales[:n], dtype=torch.float64)
        matrix = turn * half / half[:, None] * scale
        shift = settings.shift * torch.tensor(shifts[:n], dtype=torch.float64)
        return torch.cat([matrix, shift[:, None]], 1).float()[None]

    def _other_intensities(self, image: Tensor, gamma: float, nodes: Tensor) -> Tensor:
        settings = self.settings
        value = (image + 1) * (CLIP / 2)
        exponent = (1 + settings.gamma) ** gamma
        value = WHITE_MATTER * (value.clamp(min=0) / WHITE_MATTER) ** exponent
        smooth = "bicubic" if image.ndim == 3 else "trilinear"
        field = F.interpolate(nodes, size=image.shape[1:], mode=smooth, align_corners=True)[0]
        value = value * torch.exp(settings.bias * field / field.abs().max().clamp(min=1e-6))
        return value.clamp(0, CLIP) * (2 / CLIP) - 1


def _each(sample: Sample, of_labels: Callable[[Tensor], Tensor], of_image: Callable[[Tensor], Tensor]) -> Sample:
    """The sample with its parts moved alike; lesions go as labels do, but are no classes that could be swapped."""
    lesions = None
    if sample.lesions is not None:
        lesions = of_image(sample.lesions.float() * 2 - 1) > 0
    return Sample(
        of_labels(sample.labels), None if sample.image is None else of_image(sample.image), sample.view, lesions
    )


def mirrored_classes(schema: LabelSchema) -> Tensor:
    """Index of the class on the other side for each class of a schema; its own where there is none."""
    table = list(range(schema.number_of_classes))
    for index, name in enumerate(schema.names):
        words = name.split("_")
        for one, other in (("left", "right"), ("right", "left")):
            if one in words:
                mirrored = "_".join(other if word == one else word for word in words)
                if mirrored in schema.names:
                    table[index] = schema.names.index(mirrored)
    return torch.tensor(table)
