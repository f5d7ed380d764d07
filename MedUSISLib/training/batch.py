"""What one iteration sees, whole or in parts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


class Batch:
    """What one iteration sees.

    Attributes
    ----------
    labels : Tensor of int64, (B, H, W) or (B, D, H, W)
        What the generator is given.
    targets : Tensor or None, (P, 1, ...)
        Real images of the first P labels, in [-1, 1].
    real : Tensor or None, (R, 1, ...)
        Real images for the discriminator, of whatever labels.
    lesions : Tensor of bool or None, (P, 1, ...)
        Where the targets have lesions.
    """

    def __init__(
        self, labels: Tensor, targets: Tensor | None, real: Tensor | None, lesions: Tensor | None = None
    ) -> None:
        self.labels, self.targets, self.real, self.lesions = labels, targets, real, lesions

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = (None if t is None else t.to(device) for t in (self.labels, self.targets, self.real, self.lesions))
        return Batch(*moved)  # type: ignore[arg-type]

    def split(self, count: int, noise: Tensor | None) -> list[Part]:
        """In so many parts of nearly the same size, each with its share of the paired slices and of the real images.

        Parameters
        ----------
        count : int
            More than there are slices is as many as there are.
        noise : Tensor, shape (B, Z), or None
        """
        count = min(count, len(self.labels))
        if count == 1:
            return [Part(self, noise, 1.0, 1.0)]
        number = 0 if self.targets is None else len(self.targets)
        order = torch.arange(len(self.labels), device=self.labels.device)
        # The larger parts of the one are put to the smaller parts of the other.
        paired, others = order[:number].tensor_split(count), order[number:].tensor_split(count)[::-1]
        real = [None] * count if self.real is None else list(self.real.tensor_split(count))
        parts = []
        for mine, other, images in zip(paired, others, real, strict=True):
            chosen = torch.cat([mine, other])
            targets = None if self.targets is None else self.targets[mine]
            lesions = None if self.lesions is None else self.lesions[mine]
            batch = Batch(self.labels[chosen], targets, images, lesions)
            share = len(chosen) / len(self.labels)
            parts.append(Part(batch, None if noise is None else noise[chosen], share, len(mine) / max(number, 1)))
        return [part for part in parts if len(part.batch.labels)]


@dataclass(frozen=True)
class Part:
    """A part of a batch that goes through the networks at once.

    Attributes
    ----------
    batch : Batch
    noise : Tensor or None
    share, paired_share : float
        Of all slices, and of those with an image, that are in this part: losses are means, and weigh as much.
    """

    batch: Batch
    noise: Tensor | None
    share: float
    paired_share: float

    def share_of(self, loss: str) -> float:
        """How much of the whole batch's loss of this name this part stands for."""
        return self.paired_share if loss in ("l1", "class_means", "ssim") else self.share
