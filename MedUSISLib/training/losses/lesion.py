"""Lesion-targeting loss ``|M * T - M * G|_1 / sum(M)`` (book chapter 9): small lesions count as much as large ones."""

from __future__ import annotations

from torch import Tensor


def lesion_loss(image: Tensor, target: Tensor, lesion: Tensor) -> Tensor:
    """Mean absolute difference inside the lesions, per sample, averaged over the samples that have one.

    Parameters
    ----------
    image, target : Tensor
        ``[B, 1, ...]`` in [-1, 1].
    lesion : Tensor
        ``[B, 1, ...]`` mask in [0, 1].

    Returns
    -------
    Tensor
        Scalar; 0 (with a graph) when no sample has a lesion.
    """
    mask = lesion.float()
    difference = (mask * (target.float() - image.float())).abs().flatten(1).sum(1)
    size = mask.flatten(1).sum(1)
    return (difference / size.clamp(min=1e-6)).sum() / (size > 0).sum().clamp(min=1)
