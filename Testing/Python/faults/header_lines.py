"""Faults of headers that are lines of text with a key and values: NRRD, MetaImage."""

from __future__ import annotations

from random import Random

VALUES = (
    "0", "-1", "1", "nan", "inf", "-inf", "1e30", "1e-30", "99999999999999999999", "2147483648", "-2147483648",
    "4294967296", "1000000", "", " ", "x", "True", "False", "none", "(0,0,0)", "/dev/zero", "../other.raw", "LIST",
    "LOCAL", "0x10", "1,5", "\u00fc", "%d", "1 1 1 1 1 1 1 1 1",
)  # fmt: skip
TYPES = (
    "short", "float", "double", "uchar", "block", "MET_FLOAT", "MET_SHORT", "MET_UCHAR", "MET_OTHER", "raw", "gzip",
    "bzip2", "ascii", "hex", "big", "little", "left-posterior-superior", "right-anterior-superior", "scanner-xyz",
)  # fmt: skip
EXTRA = (
    "byte skip: -1", "byte skip: 100000", "line skip: 3", "data file: /dev/zero", "data file: LIST", "units: a b c",
    "spacings: 1 1 1", "axis mins: 0 0 0", "HeaderSize = -1", "HeaderSize = 999999", "ElementNumberOfChannels = 3",
    "ElementSize = 0 0 0", "Position = 1 2 3", "Orientation = 1 0 0 0 1 0 0 0 1", "junk", "key:=value",
)  # fmt: skip


def spoil_lines(random: Random, content: bytes, separator: str) -> tuple[bytes, str]:
    """A line lost, doubled, moved or changed in one of its values; the voxels stay."""
    end = content.find(b"\n\n") if separator == ": " else content.find(b"ElementDataFile")
    end = content.find(b"\n", end) if separator != ": " else end
    end = len(content) if end < 0 else end
    lines = content[:end].decode("latin-1").split("\n")
    at = random.randrange(len(lines))
    done = random.choice(("lost", "doubled", "moved", "extra", "value", "value", "value", "value", "number", "number"))
    if done == "lost":
        del lines[at]
    elif done == "doubled":
        lines.insert(at, lines[at])
    elif done == "moved":
        lines.append(lines.pop(at))
    elif done == "extra":
        lines.insert(at, random.choice(EXTRA))
    else:
        key, found, value = lines[at].partition(separator)
        parts = value.split(" ") if done == "number" else [value]
        parts[random.randrange(len(parts))] = random.choice((*VALUES, *TYPES))
        lines[at] = key + found + " ".join(parts)
        done = f"{key} = {' '.join(parts)[:40]}"
    return "\n".join(lines).encode("latin-1", "replace") + content[end:], f"line {done}"
