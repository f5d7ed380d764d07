"""Training slices varied at random: flipped, turned and scaled with their labels, and in their intensities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.augmentation_settings import AugmentationSettings
from MedUSISLib.training.t1_scaling import CLIP, WHITE_MATTER

#: Nodes of the coarse grid that a bias field is enlarged from.
_BIAS_NODES = 4


class Augmenter:
    """Varies each slice for itself.

    Every slice has a seed of its own, drawn from the loop's random numbers, and takes all its draws from it in a fixed
    order. So a resumed training sees the same slices, a slice does not depend on its neighbours in the batch, and
    switching one variation off leaves the others as they were.

    Parameters
    ----------
    settings : AugmentationSettings
    schema : LabelSchema
        Its classes ``left_x`` and ``right_x`` (or ``x_left`` and ``x_right``) change places when a slice is flipped.
    deforms : bool
        Without it nothing is interpolated: for the real images that the discriminator is shown, whose texture
        interpolation would take away.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> augmenter = Augmenter(AugmentationSettings(flip=1, deform=0), load_schema("head"))
    >>> labels = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
    >>> augmenter(labels, None, ["axial"], torch.Generator().manual_seed(0))[0].tolist()
    [[[1, 0], [3, 2]]]
    """

    def __init__(self, settings: AugmentationSettings, schema: LabelSchema, deforms: bool = True) -> None:
        self.settings, self.deforms = settings, deforms
        self.swapped = mirrored_classes(schema)

    def __call__(
        self, labels: Tensor, images: Tensor | None, views: Sequence[str], rng: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Varied copies.

        Parameters
        ----------
        labels : Tensor of integers, shape (B, H, W)
        images : Tensor, shape (B, 1, H, W), in [-1, 1], or None
        views : sequence of str
            "axial", "coronal" or "sagittal" of each slice.
        rng : torch.Generator
            Gives a seed to each slice.
        """
        seeds = torch.randint(0, 2**62, (len(labels),), generator=rng)
        results = [
            self._one(labels[n], None if images is None else images[n], views[n], int(seeds[n]))
            for n in range(len(labels))
        ]
        pictures = [image for _, image in results if image is not None]
        return torch.stack([one for one, _ in results]), torch.stack(pictures) if images is not None else None

    def _one(self, labels: Tensor, image: Tensor | None, view: str, seed: int) -> tuple[Tensor, Tensor | None]:
        settings, own = self.settings, torch.Generator().manual_seed(seed)
        flip, deform = torch.rand(2, generator=own).tolist()
        places = torch.rand(5, generator=own) * 2 - 1
        gamma = float(torch.rand((), generator=own) * 2 - 1)
        nodes = torch.randn(1, 1, _BIAS_NODES, _BIAS_NODES, generator=own)
        if flip < settings.flip and view != "sagittal":
            labels = self.swapped[labels.long()].to(labels.dtype).flip(-1)
            image = None if image is None else image.flip(-1)
        if self.deforms and deform < settings.deform:
            labels, image = self._deformed(labels, image, places)
        if image is not None and (settings.gamma or settings.bias):
            image = self._other_intensities(image, gamma, nodes)
        return labels, image

    def _deformed(self, labels: Tensor, image: Tensor | None, places: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same affine on labels, nearest, and image, bilinear."""
        settings = self.settings
        height, width = labels.shape
        turn, sx, sy, dx, dy = places.tolist()
        angle, aspect = turn * settings.turn_deg * math.pi / 180, height / width
        sx, sy = 1 + sx * settings.scale, 1 + sy * settings.scale
        cos, sin = math.cos(angle), math.sin(angle)
        theta = torch.tensor(
            [
                [cos * sx, -sin * sy * aspect, dx * settings.shift],
                [sin * sx / aspect, cos * sy, dy * settings.shift],
            ]
        )[None]
        grid = F.affine_grid(theta, [1, 1, height, width], align_corners=False)
        moved = F.grid_sample(labels[None, None].float(), grid, mode="nearest", align_corners=False)[0, 0]
        if image is not None:
            # The outside is air: shifted so that the zero padding of grid_sample means -1.
            image = F.grid_sample(image[None] + 1, grid, mode="bilinear", align_corners=False)[0] - 1
        return moved.to(labels.dtype), image

    def _other_intensities(self, image: Tensor, gamma: float, nodes: Tensor) -> Tensor:
        settings = self.settings
        value = (image + 1) * (CLIP / 2)
        exponent = (1 + settings.gamma) ** gamma
        value = WHITE_MATTER * (value.clamp(min=0) / WHITE_MATTER) ** exponent
        field = F.interpolate(nodes, size=image.shape[-2:], mode="bicubic", align_corners=True)[0]
        value = value * torch.exp(settings.bias * field / field.abs().max().clamp(min=1e-6))
        return value.clamp(0, CLIP) * (2 / CLIP) - 1


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
