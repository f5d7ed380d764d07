"""Mean absolute difference, for paired training."""

from __future__ import annotations

from torch import Tensor


def l1_loss(image: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """``mean |image - target|``, in the mask only where one is given (0 where the mask is empty).

    Parameters
    ----------
    image, target : Tensor
        ``[B, 1, ...]`` in [-1, 1].
    mask : Tensor, optional
        ``[B, 1, ...]`` or broadcastable weights >= 0.
    """
    difference = (image.float() - target.float()).abs()
    if mask is None:
        return difference.mean()
    weights = mask.float().expand_as(difference)
    return (difference * weights).sum() / weights.sum().clamp(min=1)
