"""Extreme values in the fields of a NIfTI header."""

from __future__ import annotations

import struct
from random import Random

_WHOLE = {
    "h": (0, -1, 1, 2, 7, 8, 16, 348, 512, 32767, -32768),
    "q": (0, -1, 1, 2, 2**31, 2**40, 2**63 - 1, -(2**63)),
    "i": (0, -1, 1, 2, 348, 540, 2**31 - 1, -(2**31)),
    "B": (0, 1, 2, 3, 8, 255),
}
_REAL = (
    float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 1.0, 2.0, 1e-30, 1e30, 3e38, 1e-5, 1e4, 0.1, 352.0,
    351.0, 348.0, 1e9,
)  # fmt: skip

# (place, type, how many) of what says kind, size, place and scale
_FIELDS_1 = (
    (0, "i", 1), (40, "h", 8), (70, "h", 2), (76, "f", 8), (108, "f", 1), (112, "f", 2), (123, "B", 1), (252, "h", 2),
    (256, "f", 6), (280, "f", 12), (344, "B", 4),
)  # fmt: skip
_FIELDS_2 = (
    (0, "i", 1), (4, "B", 8), (12, "h", 2), (16, "q", 8), (104, "d", 8), (168, "q", 1), (176, "d", 2), (344, "i", 2),
    (352, "d", 6), (400, "d", 12), (500, "i", 1),
)  # fmt: skip


def spoil_header(random: Random, content: bytes) -> tuple[bytes, str]:
    """One to three fields of the header, or all spacings or all axes, set to an extreme value."""
    order = "<" if struct.unpack("<i", content[:4])[0] in (348, 540) else ">"
    fields = _FIELDS_1 if struct.unpack(order + "i", content[:4])[0] == 348 else _FIELDS_2
    done = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        place, code, count = random.choice(fields)
        index = random.randrange(count)
        values = _REAL if code in "fd" else _WHOLE[code]
        value = random.choice(values)
        if code == "f" and abs(value) > 3.4e38 and value == value and abs(value) != float("inf"):
            value = 3e38
        chosen = range(count) if count in (8, 12) and code in "fd" and random.random() < 0.1 else (index,)
        for one in chosen:
            at = place + one * struct.calcsize(code)
            packed = struct.pack(order + code, value)
            content = content[:at] + packed + content[at + len(packed) :]
            done.append(f"byte {at} = {value}")
    return content, "header: " + ", ".join(done[:3])
