"""Running mean and variance: memory does not grow with the number of passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class RunningMoments:
    """Mean and variance of images that come one after the other (Welford 1962).

    The variance is that of equation 9.10, mean(G^2) - mean(G)^2, without its cancellation: with intensities near 1 and
    a spread of 0.001 the difference of the two float32 means has no correct digit left.

    Examples
    --------
    >>> import torch
    >>> moments = RunningMoments()
    >>> for value in (1.0, 2.0, 3.0):
    ...     moments.add(torch.tensor([value]))
    >>> moments.mean.item(), round(moments.variance.item(), 4)
    (2.0, 0.6667)

    References
    ----------
    Welford, Note on a method for calculating corrected sums of squares and products, Technometrics 1962.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: torch.Tensor | None = None
        self._squares: torch.Tensor | None = None

    def add(self, image: torch.Tensor) -> None:
        """Take one more image, of the same shape as the others."""
        value = image.float()
        self.count += 1
        if self._mean is None or self._squares is None:
            self._mean = value.clone()
            self._squares = value.new_zeros(value.shape)
            return
        before = value - self._mean
        self._mean.add_(before, alpha=1 / self.count)
        self._squares.addcmul_(before, value.sub(self._mean))

    @property
    def mean(self) -> torch.Tensor:
        """Mean of the images so far."""
        assert self._mean is not None, "no image yet"
        return self._mean

    @property
    def variance(self) -> torch.Tensor:
        """Population variance of the images so far, at least 0; zeros after one image."""
        assert self._squares is not None, "no image yet"
        return (self._squares / self.count).clamp_(min=0)
