"""L_seg: class-balanced cross-entropy on C + 1 outputs. Background is a class like any other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FLOOR_PIXELS = 200.0
CAP = 30.0


@torch.no_grad()
def class_weights(
    labels: Tensor, number_of_outputs: int, floor_pixels: float = FLOOR_PIXELS, cap: float = CAP, ignore: int = -100
) -> Tensor:
    """Weights inverse to the pixel frequency of the batch: ``N / (present classes * pixels of the class)``.

    Without floor and cap every class that is present would weigh the same in sum, and the mean weight of a pixel
    would be 1. The floor and the cap keep a class of a few stray pixels from ruling a step.

    Parameters
    ----------
    labels : Tensor
        Class indices, any shape, integer.
    number_of_outputs : int
        Length of the result, normally C + 1.
    floor_pixels : float
        A class counts as at least this many pixels (of the whole batch).
    cap : float
        Largest weight.
    ignore : int
        Index that is not counted.

    Returns
    -------
    Tensor
        ``[number_of_outputs]`` float32; 0 for classes that are absent.
    """
    return weights_of_pixels(pixels_of_classes(labels, number_of_outputs, ignore), floor_pixels, cap)


@torch.no_grad()
def pixels_of_classes(labels: Tensor, number_of_outputs: int, ignore: int = -100) -> Tensor:
    """How many pixels each class has, ``[number_of_outputs]`` float32; see `class_weights`."""
    flat = labels.flatten()
    pixels = torch.bincount(flat[flat != ignore].long(), minlength=number_of_outputs).float()
    if pixels.numel() > number_of_outputs:
        raise ValueError(f"label {pixels.numel() - 1} in the batch, but only {number_of_outputs} outputs")
    return pixels


@torch.no_grad()
def weights_of_pixels(pixels: Tensor, floor_pixels: float = FLOOR_PIXELS, cap: float = CAP) -> Tensor:
    """`class_weights` from the number of pixels of each class, which may be counted over several batches."""
    present = pixels > 0
    weights = pixels.sum() / (present.sum().clamp(min=1) * pixels.clamp(min=floor_pixels))
    return torch.where(present, weights.clamp(max=cap), torch.zeros_like(weights))


def segmentation_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    floor_pixels: float = FLOOR_PIXELS,
    cap: float = CAP,
    ignore: int = -100,
) -> Tensor:
    """Mean over all pixels, background included, of ``weight[class] * cross-entropy``.

    Parameters
    ----------
    logits : Tensor
        ``[B, C + 1, ...]``; the last output is "synthetic".
    labels : Tensor
        ``[B, ...]`` class indices; use `synthetic_target` for OASIS's verdict on fakes.
    weights : Tensor, optional
        ``[C + 1]``; computed from this batch when not given.
    floor_pixels, cap, ignore
        As in `class_weights`.

    Notes
    -----
    One backward serves generator and segmentator when both minimise it on the same fakes.
    """
    if logits.shape[0] != labels.shape[0] or logits.shape[2:] != labels.shape[1:]:
        raise ValueError(f"logits {tuple(logits.shape)} do not fit labels {tuple(labels.shape)}")
    labels = labels.long()
    if weights is None:
        weights = class_weights(labels, logits.shape[1], floor_pixels, cap, ignore)
    losses = F.cross_entropy(logits.float(), labels, weights.to(logits.device), ignore_index=ignore, reduction="none")
    return losses.sum() / (labels != ignore).sum().clamp(min=1)


def synthetic_target(labels: Tensor, number_of_classes: int) -> Tensor:
    """The class "synthetic" everywhere, in the shape of the labels."""
    return torch.full_like(labels, number_of_classes, dtype=torch.long)
