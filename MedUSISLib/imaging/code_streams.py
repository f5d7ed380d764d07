"""What a JPEG, JPEG-LS or JPEG 2000 code stream asks of its decoder: size, and the work that few bytes can make.

A stream of 155 bytes made the usual decoder of JPEG 2000 take 9.6 GB and more than a minute: an image of 4096 x 4096 in
precincts of one pixel. Progressive JPEG goes through the whole image once for each of its scans.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Start of frame of JPEG in all its ways (ITU-T T.81 table B.1) and of JPEG-LS (T.87 C.1.1).
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_SCAN = b"\xff\xda"
_SIZ, _COD, _COC, _SOT, _SOD = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93

MOST_SCANS = 64
"""Ten are usual in progressive JPEG, one elsewhere."""
MOST_TILES, MOST_PRECINCTS, MOST_PACKETS = 1024, 1 << 16, 1 << 22
"""Of JPEG 2000; tiles and precincts of 64 x 64 in an image of 4096 x 4096 make a twelfth of these precincts."""


class UnreasonableStream(ValueError):
    """A code stream that is none, or asks for more than an image can need."""


def shape_of(code: bytes) -> tuple[int, int, int]:
    """Rows, columns and components of a code stream, which is also looked through for what it costs.

    Parameters
    ----------
    code : bytes
        All of it.

    Raises
    ------
    UnreasonableStream

    Examples
    --------
    >>> shape_of(bytes.fromhex("ffd8 fff7000b 08 0100 0200 01 011100"))
    (256, 512, 1)
    """
    try:
        return _jpeg(code) if code[:2] == b"\xff\xd8" else _jpeg_2000(_without_boxes(code))
    except (struct.error, ValueError, IndexError, ZeroDivisionError) as error:
        raise UnreasonableStream(str(error)) from None


def _jpeg(code: bytes) -> tuple[int, int, int]:
    """Of the first start of frame behind the segments before it."""
    at = 2
    while True:
        start, marker, length = struct.unpack_from(">BBH", code, at)
        if start != 0xFF:
            raise ValueError("no marker")
        if marker in _FRAME_MARKERS:
            break
        at += 1 if marker == 0xFF else 2 if marker in _WITHOUT_LENGTH else 2 + length
    if code.count(_SCAN, at) > MOST_SCANS:  # no such bytes within a scan
        raise ValueError("too many scans")
    rows, columns, components = struct.unpack_from(">HHB", code, at + 5)
    return rows, columns, components


def _without_boxes(code: bytes) -> bytes:
    """The code stream of a JP2 file (ITU-T T.800 annex I), which some wrote into DICOM."""
    while code[:2] != b"\xff\x4f":
        length, kind = struct.unpack_from(">I4s", code)
        if kind != b"jp2c" and length < 8:
            raise ValueError("no code stream")
        code = code[8 if kind == b"jp2c" else length :]
    return code


def _jpeg_2000(code: bytes) -> tuple[int, int, int]:
    (first,) = struct.unpack_from(">H", code, 2)
    if first != _SIZ:
        raise ValueError("no size")
    width, height, left, top, tile_width, tile_height = struct.unpack_from(">6I", code, 8)
    (components,) = struct.unpack_from(">H", code, 40)
    tiles = -(-width // tile_width) * -(-height // tile_height)
    if tiles > MOST_TILES:
        raise ValueError("too many tiles")
    rows, columns = height - top, width - left
    for marker, at in _segments(code):
        if marker == _COD:
            style, _, layers = struct.unpack_from(">BBH", code, at + 4)
            _require_few_packets(code, at + 9, bool(style & 1), layers, tiles, (rows, columns))
        elif marker == _COC:
            number = 1 if components < 257 else 2
            _require_few_packets(code, at + 5 + number, bool(code[at + 4 + number] & 1), 1, tiles, (rows, columns))
    return rows, columns, components


def _segments(code: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment of the main header and of the headers of tile-parts (ITU-T T.800 annex A)."""
    at, tile, length_of_tile = 2, 0, 0
    while at + 4 <= len(code):
        marker, length = struct.unpack_from(">HH", code, at)
        if marker < 0xFF00:
            if tile:  # the data of the last tile-part end with the end marker, or the stream
                return
            raise ValueError("no marker")
        if marker == _SOT:
            tile, (length_of_tile,) = at, struct.unpack_from(">I", code, at + 6)
        if marker == _SOD:
            if length_of_tile < 14:  # to the end of the stream
                return
            at = tile + length_of_tile
            continue
        if marker == 0xFFD9:
            return
        yield marker, at
        at += 2 + length


def _require_few_packets(
    code: bytes, at: int, has_precincts: bool, layers: int, tiles: int, shape: tuple[int, int]
) -> None:
    """Count the precincts of all resolutions (ITU-T T.800 A.6.1, B.6); ``at`` is where the number of levels stands."""
    levels = code[at]
    if levels > 32:
        raise ValueError("too many levels")
    precincts = 0
    for resolution in range(levels + 1):
        sizes = code[at + 5 + resolution] if has_precincts else 0xFF
        steps = (sizes >> 4, sizes & 15)  # of rows, of columns
        smaller = levels - resolution
        rows, columns = (-(-size >> smaller + step) + 1 for size, step in zip(shape, steps, strict=True))
        precincts += rows * columns + tiles
    if precincts > MOST_PRECINCTS or precincts * layers > MOST_PACKETS:
        raise ValueError("too many precincts")
