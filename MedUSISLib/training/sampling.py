"""What training draws, and the random numbers it draws it with: each sample has its own.

A sample is a function of (seed, iteration, position in the batch). A resumed training, several processes that share a
batch, and a batch that is prepared ahead of its time therefore see the same samples, without any state of theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import torch
from torch import Tensor


class Stream(IntEnum):
    """What random numbers are for; draws for one purpose do not move those for another."""

    LABELS = 0
    REAL = 1
    NOISE = 2
    STEP = 3


@dataclass(frozen=True)
class Sample:
    """One slice, or one box of a volume.

    Attributes
    ----------
    labels : Tensor of int64, (\\*spatial)
        Class indices.
    image : Tensor of float32, (1, \\*spatial), in [-1, 1], or None
    view : str
        "axial", "coronal", "sagittal", or "volume" for three axes. The last axis runs from right to left in all but
        sagittal ones.
    lesions : Tensor of bool, (1, \\*spatial), or None
        Where the lesion-targeting loss looks.
    """

    labels: Tensor
    image: Tensor | None
    view: str
    lesions: Tensor | None = None


class SampleSource(Protocol):
    """Anything that training can draw from."""

    def draw(self, rng: torch.Generator) -> Sample:
        """One sample, with all of its randomness taken from one generator."""


def sample_generator(seed: int, iteration: int, position: int, stream: Stream = Stream.LABELS) -> torch.Generator:
    """The random numbers of one sample.

    Parameters
    ----------
    seed : int
        Of the training; after a roll-back `shifted_seed` of it.
    iteration, position : int
        Of the sample in the whole batch of all processes.
    stream : Stream

    Examples
    --------
    >>> one, again, next_one = (sample_generator(3, 10, n) for n in (0, 0, 1))
    >>> float(torch.rand((), generator=one)) == float(torch.rand((), generator=again))
    True
    >>> int(torch.randint(1000, (), generator=sample_generator(3, 10, 1, Stream.REAL)))
    568
    """
    text = f"{seed} {iteration} {position} {int(stream)}".encode()
    # Neighbouring seeds give neighbouring first draws in some generators; a hash has no neighbours.
    mixed = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1
    return torch.Generator().manual_seed(mixed)


def shifted_seed(seed: int, shift: int) -> int:
    """Another seed after each roll-back: the same samples would go wrong in the same way."""
    return seed + 1_000_003 * shift


def rank_positions(count: int, rank: int, world: int) -> range:
    """Positions of a batch that one of several processes works on."""
    return range(rank, count, world)


def noise_vectors(channels: int, seed: int, iteration: int, positions: Iterable[int]) -> Tensor:
    """Noise vectors (B, Z) of these positions of a batch."""
    vectors = [torch.randn(channels, generator=sample_generator(seed, iteration, n, Stream.NOISE)) for n in positions]
    return torch.stack(vectors)


def seed_step(seed: int, iteration: int, rank: int, rng: torch.Generator) -> None:
    """Make what a step draws beside its samples (dropout, grain: torch's own numbers; patches: ``rng``) its own."""
    first = sample_generator(seed, iteration, rank, Stream.STEP)
    torch.manual_seed(int(torch.randint(2**62, (), generator=first)))
    rng.manual_seed(int(torch.randint(2**62, (), generator=first)))
