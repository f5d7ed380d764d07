"""How images are shown to the discriminator: in patches, synthetic ones with the noise of a real acquisition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.t1_scaling import CLIP


class Grain:
    """The noise of a real acquisition, laid over synthetic images before the discriminator sees them.

    Labels and a noise vector that is constant in space cannot tell a generator where a grain of noise lies. Asked for
    grain all the same, it answers with a regular pattern, a checkerboard in flat tissue. With grain laid over what the
    discriminator sees, it is only asked for what labels can determine: contrast and sharp borders.

    Parameters
    ----------
    by_class : Tensor, shape (C,), or None
        Standard deviation in the unit of the images; None adds nothing.
    """

    def __init__(self, by_class: Tensor | None) -> None:
        self.by_class = by_class

    @classmethod
    def of(cls, deviations: Mapping[str, float], schema: LabelSchema) -> Grain:
        """From the standard deviation of each class on the scale on which white matter is 0.7; none without any."""
        if not deviations:
            return cls(None)
        table = torch.zeros(schema.number_of_classes)
        for name, deviation in deviations.items():
            table[schema.index_of(name)] = deviation * 2 / CLIP
        return cls(table)

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """(B, 1, ...) with white noise by class, each image half to one and a half times as much."""
        if self.by_class is None:
            return images
        strength = torch.rand(len(images), *(1,) * (images.ndim - 1), device=images.device) + 0.5
        deviation = self.by_class.to(images.device)[labels][:, None] * strength
        return (images + deviation * torch.randn_like(images)).clamp(-1, 1)


class PatchSampler:
    """Random patches of a batch of images, or the images themselves.

    A discriminator that sees whole slices has one answer a slice to learn from, and after 350 steps at batch 8 it still
    answered by chance. Two patches a slice cost less and show more texture.

    Parameters
    ----------
    size : int or None
        Side of a patch; None shows whole images.
    rng : torch.Generator
    per_image : int
    """

    def __init__(self, size: int | None, rng: torch.Generator, per_image: int = 2) -> None:
        self.size, self.rng, self.per_image = size, rng, per_image

    def __call__(self, images: Any) -> Tensor:
        """(B, 1, ...) to (per_image * B, 1, size, size) or, in 3D, cubes; an axis shorter than that is kept whole."""
        if self.size is None:
            return images
        patches = []
        for image in images:
            for _ in range(self.per_image):
                starts = [
                    int(torch.randint(0, n - self.size + 1, (), generator=self.rng)) if n > self.size else 0
                    for n in image.shape[1:]
                ]
                patches.append(image[(slice(None), *(slice(start, start + self.size) for start in starts))])
        return torch.stack(patches)
