"""What one iteration sees, whole or in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Sizes(NamedTuple):
    """How many samples of each kind there are in a batch.

    Attributes
    ----------
    slices : int
    paired : int
        With an image.
    lesions : int
        With an image and a lesion in it.
    real : int
        Images for the discriminator.
    """

    slices: int
    paired: int
    lesions: int
    real: int


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
        """The same on a device; the copy of a pinned one goes on beside other work."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The same in memory that a GPU copies from by itself."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        parts = (self.labels, self.targets, self.real, self.lesions)
        return Batch(*(None if part is None else change(part) for part in parts))  # type: ignore[arg-type]

    @property
    def sizes(self) -> Sizes:
        """Numbers of its samples."""
        lesions = 0 if self.lesions is None else int(self.lesions.flatten(1).any(1).sum())
        count = (0 if images is None else len(images) for images in (self.targets, self.real))
        paired, real = count
        return Sizes(len(self.labels), paired, lesions, real)

    def split(self, count: int, noise: Tensor | None, whole: Sizes | None = None) -> list[Part]:
        """In so many parts of nearly the same size, each with its share of the paired slices and of the real images.

        Parameters
        ----------
        count : int
            More than there are slices is as many as there are.
        noise : Tensor, shape (B, Z), or None
        whole : Sizes, optional
            Of what the shares are counted; of this batch, unless it is itself a part of a larger one.
        """
        whole = whole or self.sizes
        count = min(count, len(self.labels))
        if count == 1:
            return [Part.of(self, noise, whole)]
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
            parts.append(Part.of(batch, None if noise is None else noise[chosen], whole))
        return [part for part in parts if len(part.batch.labels)]


#: Losses that are the mean over samples with an image; most others are that over all samples.
_OF_PAIRS = ("l1", "ssim", "label_mix", "segmentator_real")
#: Losses that are divided by what the whole batch holds already.
_SUMS = ("class_means",)


@dataclass(frozen=True)
class Part:
    """A part of a batch that goes through the networks at once.

    Attributes
    ----------
    batch : Batch
    noise : Tensor or None
    share, paired_share, lesion_share, real_share : float
        Of all slices, of those with an image or a lesion, and of the real images of the whole batch that are in this
        part: losses are means, and weigh as much.
    """

    batch: Batch
    noise: Tensor | None
    share: float
    paired_share: float
    lesion_share: float
    real_share: float

    @classmethod
    def of(cls, batch: Batch, noise: Tensor | None, whole: Sizes) -> Part:
        """With its shares of the whole."""
        return cls(batch, noise, *(mine / max(all_, 1) for mine, all_ in zip(batch.sizes, whole, strict=True)))

    def share_of(self, loss: str) -> float:
        """How much of the whole batch's loss of this name this part stands for."""
        if loss in _SUMS:
            return 1.0
        if loss == "lesions":
            return self.lesion_share
        return self.paired_share if loss in _OF_PAIRS else self.share
