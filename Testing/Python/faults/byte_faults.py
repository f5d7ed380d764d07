"""Damage to any file, whatever it holds: flipped, lost, doubled and foreign bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

EXTREMES: tuple[bytes, ...] = tuple(
    struct.pack(order + code, value)
    for order in "<>"
    for code, values in {
        "h": (-1, -32768, 32767),
        "i": (-1, -(2**31), 2**31 - 1),
        "q": (-1, -(2**63), 2**63 - 1),
        "f": (float("nan"), float("inf"), float("-inf"), 3e38, 1e-38, 0.0, -0.0),
        "d": (float("nan"), float("inf"), 1e308, 5e-324),
    }.items()
    for value in values
)
"""Numbers at the ends of what a header field can hold."""


def spoil_bytes(random: Random, content: bytes, early: int = 600) -> tuple[bytes, str]:
    """Damaged content and what was done; half of the damage falls into the first ``early`` bytes, the header."""
    done = random.choice(_DAMAGE)
    return done(random, content, early), done.__name__.strip("_").replace("_", " ")


def spoil_file(random: Random, path: Path, early: int = 600) -> str:
    """The same for a file."""
    content, done = spoil_bytes(random, path.read_bytes(), early)
    path.write_bytes(content)
    return done


def _place(random: Random, content: bytes, early: int) -> int:
    return random.randrange(min(early, len(content)) if random.random() < 0.5 else len(content)) if content else 0


def _bits_flipped(random: Random, content: bytes, early: int) -> bytes:
    spoiled = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8)) if content else 0):
        spoiled[_place(random, content, early)] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def _bytes_replaced(random: Random, content: bytes, early: int) -> bytes:
    spoiled = bytearray(content)
    for _ in range(random.choice((1, 1, 3)) if content else 0):
        spoiled[_place(random, content, early)] = random.choice((0, 255, 127, 128, 10, 32, 48, 57, 45))
    return bytes(spoiled)


def _extreme_number(random: Random, content: bytes, early: int) -> bytes:
    at, number = _place(random, content, early), random.choice(EXTREMES)
    return content[:at] + number + content[at + len(number) :]


def _cut_off(random: Random, content: bytes, early: int) -> bytes:
    return content[: random.choice((0, 1, 4, 100, 347, 352, len(content) - 1, _place(random, content, early)))]


def _part_lost(random: Random, content: bytes, early: int) -> bytes:
    at = _place(random, content, early)
    return content[:at] + content[at + random.choice((1, 2, 16, 400)) :]


def _part_inserted(random: Random, content: bytes, early: int) -> bytes:
    at = _place(random, content, early)
    foreign = random.choice((bytes(16), b"\xff" * 16, b"\n", b"\r\n", random.randbytes(40)))
    return content[:at] + foreign + content[at:]


def _part_doubled(random: Random, content: bytes, early: int) -> bytes:
    at = _place(random, content, early)
    part = content[at : at + random.choice((1, 16, 200))]
    return content[:at] + part + content[at:]


def _part_zeroed(random: Random, content: bytes, early: int) -> bytes:
    at, count = _place(random, content, early), random.choice((4, 64, 1000))
    return content[:at] + bytes(len(content[at : at + count])) + content[at + count :]


def _something_appended(random: Random, content: bytes, early: int) -> bytes:
    return content + random.choice((b"\0", random.randbytes(50), content, b"\n" * 9))


_DAMAGE: tuple[Callable[[Random, bytes, int], bytes], ...] = (
    _bits_flipped, _bits_flipped, _bytes_replaced, _extreme_number, _extreme_number, _cut_off, _part_lost,
    _part_inserted, _part_doubled, _part_zeroed, _something_appended,
)  # fmt: skip
