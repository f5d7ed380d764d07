"""Where every random number of a run comes from: all of them follow from the one seed that the user gives."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, *purpose: object) -> int:
    """A seed of its own for each purpose, such as ``derived_seed(0, "dropout", pass_number, slice_number)``.

    Hashed, so that neighbouring seeds, passes and slices share nothing: with ``seed + slice`` the second slice of
    seed 0 would get the random numbers of the first slice of seed 1.

    Returns
    -------
    int
        In [0, 2**63).

    Examples
    --------
    >>> derived_seed(0, "noise", 0) == derived_seed(0, "noise", 0)
    True
    >>> derived_seed(0, "noise", 0) == derived_seed(1, "noise", 0)
    False
    """
    text = repr((int(seed), *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def volume_noise(channels: int, truncation: float, seed: int, sample: int = 0) -> torch.Tensor | None:
    """The noise vector of a volume: one for all its slices and windows, so that nothing flickers between them.

    Parameters
    ----------
    channels : int
        0 for the deterministic variant of a generator.
    truncation : float
        Drawn from N(0, 1) truncated to [-truncation, truncation].
    seed : int
    sample : int
        0 is the noise of the MR itself; 1, 2, ... are those of the noise spread.

    Returns
    -------
    torch.Tensor [1, channels] or None
        On the CPU, whatever the device: the same seed means the same noise everywhere.
    """
    if channels == 0:
        return None
    import torch

    from MedUSISLib.networks.noise import truncated_normal

    generator = torch.Generator(device="cpu").manual_seed(derived_seed(seed, "noise", sample))
    return truncated_normal((1, channels), truncation, generator)
