"""What a dropout pass keeps: masks of bits from a stream of its own for each pass and image.

``torch.nn.Dropout`` draws from one global stream, which ties a pass to the order in which images are computed, and
takes 4.6 ns a value on one core, a third of a pass. Here 16 random bits decide about a value, 0.5 ns in all; the rate
is met to within 1/65536.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_STEPS = 1 << 16


class MaskSource:
    """A stream of masks; the same seed gives the same masks on the same kind of device.

    Parameters
    ----------
    seed : int
        In [0, 2**64).
    device : torch.device
        Masks are drawn there: on an accelerator they are others than on a CPU.

    Examples
    --------
    >>> source = MaskSource(3, torch.device("cpu"))
    >>> source.keep((4, 4, 8), 0.5).shape
    torch.Size([4, 4, 8])
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._bits = np.random.SFC64(seed) if device.type == "cpu" else None
        self._generator = None if device.type == "cpu" else torch.Generator(device).manual_seed(seed)

    def keep(self, shape: Sequence[int], rate: float) -> Tensor:
        """int16 of 0 (dropped, with probability ``rate``) and -1 (kept: all bits set)."""
        count = int(np.prod(shape))
        # of 65536 values the lowest are dropped
        lowest = round(rate * _STEPS) - _STEPS // 2
        if self._bits is not None:
            words = np.random.Generator(self._bits).integers(0, 1 << 64, -(-count // 4), dtype=np.uint64)
            values = torch.from_numpy(words.view(np.int16)[:count])
        else:
            values = torch.empty(count, dtype=torch.int16, device=self._device)
            values.random_(-_STEPS // 2, _STEPS // 2, generator=self._generator)
        if lowest >= _STEPS // 2:
            return torch.zeros(tuple(shape), dtype=torch.int16, device=self._device)
        return values.ge_(lowest).neg_().view(tuple(shape))


class GivenMasks:
    """Masks of a pass that were drawn beforehand, for code that cannot draw (`torch.compile`).

    Parameters
    ----------
    masks : sequence of Tensor
        ``[B, n, m, c]`` for each dropout in turn, as `MaskSource.keep` draws them.
    """

    def __init__(self, masks: Sequence[Tensor]) -> None:
        self._masks = masks
        self._used = 0

    def next(self) -> Tensor:
        """The next one, in the layout of features ``[B, c, n, m]``; True is kept."""
        mask = self._masks[self._used]
        self._used += 1
        return mask.permute(0, 3, 1, 2) != 0


def dropped(x: Tensor, sources: Sequence[MaskSource], rate: float) -> Tensor:
    """``x`` ``[B, c, n, m]``, stored channels last, with zeros where the source of its image drops a value.

    What is kept is not scaled: the convolution behind it has the factor ``1 / (1 - rate)`` in its weights.
    """
    return drop_(x.clone(memory_format=torch.preserve_format), sources, rate)


def drop_(x: Tensor, sources: Sequence[MaskSource], rate: float) -> Tensor:
    """`dropped` in place."""
    values = x.permute(0, 2, 3, 1)
    bits = values.view(torch.int16 if x.dtype.itemsize == 2 else torch.int32)
    for image, source in zip(bits, sources, strict=True):
        image.bitwise_and_(source.keep(image.shape, rate).to(bits.dtype))  # mixed widths take longer
    return x
