"""What a generator's trunk hands to its tail, so that dropout passes repeat only the tail."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class TrunkState(NamedTuple):
    """Everything before the first dropout; exact, not an approximation.

    Holds about 20 MB a 256x256 slice at full widths in float32, so keep one batch of slices at a time.
    """

    activated: Tensor
    """What enters the first dropout."""
    skip: Tensor
    """The skip branch beside it."""
    modulations: tuple[tuple[Tensor, ...], ...]
    """SPADE's scales and shifts for every later block."""
