"""Elements of DICOM files changed as bytes, past every check of the libraries that write them."""

from __future__ import annotations

import struct
from random import Random

from pydicom.datadict import tag_for_keyword

_TEXTS: dict[bytes, tuple[bytes, ...]] = {
    b"DS": (b"nan", b"inf", b"-1", b"0", b"1e400", b"1e30", b"-1e30", b"1e-30", b"", b"abc", b"1\\2", b"1\\1\\1\\1",
            b"1,5", b"99999999999999999999", b"\xff\xfe"),
    b"IS": (b"-1", b"0", b"99999999999999999999", b"", b"abc", b"1.5", b"1\\2", b"2147483648", b"nan"),
    b"UI": (b"1.2.3", b"", b"not a uid", b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.90",
            b"1\\2", b"\xff" * 8),
    b"CS": (b"", b"CT", b"MR", b"SEG", b"LOCALIZER", b"POINT", b"OTHER\\OTHER", b"\xff\xfe", b"RGB", b"COLOR PALETTE",
            b"FRACTIONAL", b"LABELMAP"),
    b"US": (b"\0\0", b"\1\0", b"\2\0", b"\x07\0", b"\xff\xff", b"\0\x80", b"\x20\0", b"", b"\1"),
    b"UL": (b"\0\0\0\0", b"\xff\xff\xff\xff", b""),
    b"FD": (struct.pack("<d", float("nan")), struct.pack("<d", float("inf")), struct.pack("<d", 0.0), b""),
}  # fmt: skip
_OTHER = (b"", b"x", b"\0" * 8, b"\xff" * 8, b"\n\r\x1b[31m", "\u202eü".encode())


def spoil_element(random: Random, content: bytes, keywords: tuple[str, ...], keep_length: bool) -> tuple[bytes, str]:
    """One element of the named ones, somewhere in the file, lost, emptied, of another type or with another value.

    Parameters
    ----------
    content : bytes
        Explicit VR little endian.
    keywords : tuple of str
        Elements to choose from.
    keep_length : bool
        Whether values keep their length: needed for items of sequences whose length stands before them.
    """
    random_order = random.sample(keywords, len(keywords))
    for keyword in random_order:
        places = _places(content, keyword)
        if places:
            break
    else:
        return content[: len(content) // 2], "cut off"
    start, kind, value_at, length = random.choice(places)
    value = content[value_at : value_at + length]
    done = random.choice(("value", "value", "value", "number", "kind", "length"))
    if done == "kind":
        return content[: start + 4] + random.choice((b"UN", b"OB", b"SQ", b"XX", b"LO")) + content[start + 6 :], (
            f"{keyword}: kind"
        )
    if done == "length":
        wide = value_at - start == 12
        number = random.choice((0, 1, length + 2, 65534, 2**32 - 1, 2**31)) if wide else random.choice((0, 1, 65534))
        packed = struct.pack("<I" if wide else "<H", number)
        return content[: value_at - len(packed)] + packed + content[value_at:], f"{keyword}: length {number}"
    new = random.choice(_TEXTS.get(kind, _OTHER))
    if done == "number" and b"\\" in value:
        parts = value.rstrip(b" \0").split(b"\\")
        parts[random.randrange(len(parts))] = new
        new = b"\\".join(parts)
    if keep_length or value_at - start == 12:
        new = new[:length].ljust(length, b" " if kind in (b"DS", b"IS", b"CS", b"LO", b"SH") else b"\0")
        return content[:value_at] + new + content[value_at + length :], f"{keyword} = {new[:40]!r}"
    new += b" " * (len(new) % 2)
    packed = struct.pack("<H", len(new))
    return content[: value_at - 2] + packed + new + content[value_at + length :], f"{keyword} = {new[:40]!r}"


def _places(content: bytes, keyword: str) -> list[tuple[int, bytes, int, int]]:
    """Start, VR, place and length of the value of each element of this tag."""
    tag = int(tag_for_keyword(keyword) or 0)
    wanted = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    found, at = [], content.find(wanted)
    while at >= 0:
        kind = content[at + 4 : at + 6]
        if kind.isalpha() and kind.isupper():
            if kind in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"OD", b"UC", b"UR"):
                length = struct.unpack("<I", content[at + 8 : at + 12])[0]
                found.append((at, kind, at + 12, min(length, len(content) - at - 12)))
            else:
                found.append((at, kind, at + 8, struct.unpack("<H", content[at + 6 : at + 8])[0]))
        at = content.find(wanted, at + 1)
    return found
