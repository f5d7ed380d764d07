"""What compressed DICOM unpacks to, weighed before anything is unpacked: a few hundred bytes may claim gigabytes.

Decoders take the memory that a code stream asks for, whatever the header beside it says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from MedUSISLib.imaging.code_streams import UnreasonableStream, shape_of

LARGEST_PIXELS = 4096 * 4096
"""Of one compressed slice; CT and MR have 512 x 512 and now and then 2048 x 2048."""
LARGEST_DEFLATED = 512 * 1024 * 1024
"""Bytes that a file deflated as a whole may unpack to."""
LONGEST_META = 1 << 12
"""Bytes within which the elements of group 2 must end; 500 are usual."""

UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
DEFLATED = "1.2.840.10008.1.2.1.99"
_JPEG = "1.2.840.10008.1.2.4."
_ITEM, _PIECE = b"\xfe\xff\x00\xe0", 1 << 16
_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR", b"OD", b"OF", b"OL", b"OV", b"SV", b"UV")


class PackedTooClosely(ValueError):
    """Compressed data that claim to be more, or something else, than they may."""


def transfer_syntax(beginning: bytes) -> tuple[str, int]:
    """Transfer syntax of a DICOM file, and where its data set begins.

    Parameters
    ----------
    beginning : bytes
        Of the file; `LONGEST_META` of them are always enough.

    Raises
    ------
    PackedTooClosely
        When the elements of group 2 do not end within these bytes, so that nothing can be said.
    """
    at, found = 132, ""
    while beginning[at : at + 2] == b"\x02\x00" and at + 12 <= len(beginning):
        kind = beginning[at + 4 : at + 6]
        if not kind.isupper():  # no VR, against the standard, as readers forgive it
            length, start = struct.unpack_from("<I", beginning, at + 4)[0], at + 8
        elif kind in _LONG:
            length, start = struct.unpack_from("<I", beginning, at + 8)[0], at + 12
        else:
            length, start = struct.unpack_from("<H", beginning, at + 6)[0], at + 8
        if beginning[at + 2 : at + 4] == b"\x10\x00":
            found = beginning[start : start + length].decode("ascii", "replace").strip("\0 ")
        at = start + length
    if len(beginning) >= 1024 and beginning[at : at + 2] in (b"", b"\x02\x00"):
        raise PackedTooClosely("file meta information without an end")
    return found, at


def is_compressed(syntax: str) -> bool:
    """Whether the pixels are packed (and not the whole file)."""
    return syntax not in (*UNCOMPRESSED, DEFLATED)


def require_modest_size(header: Any) -> tuple[int, int, int]:
    """Rows, columns and samples of a compressed image; refuse one that is too large.

    Raises
    ------
    PackedTooClosely
    """
    rows, columns, samples = (int(header.get(name) or 1) for name in ("Rows", "Columns", "SamplesPerPixel"))
    if rows * columns * samples > LARGEST_PIXELS:
        raise PackedTooClosely("a compressed image of more than 4096 x 4096")
    return rows, columns, samples


def require_modest(header: Any, code: bytes) -> None:
    """Refuse a compressed image that is too large, another one than its header says, or a lot of work for nothing.

    Parameters
    ----------
    header : pydicom Dataset
        With its file meta information.
    code : bytes
        Code stream of the image.

    Raises
    ------
    PackedTooClosely
    """
    shape = require_modest_size(header)
    if str(header.file_meta.get("TransferSyntaxUID", "")).startswith(_JPEG):
        try:
            claimed = shape_of(code)
        except UnreasonableStream as error:
            raise PackedTooClosely(str(error)) from None
        if claimed != shape:
            raise PackedTooClosely("compressed pixels of another size than the header's")


def only_frame(stream: BinaryIO) -> bytes:
    """Code stream of the encapsulated pixels of one frame; ``stream`` stands behind their element's length.

    Raises
    ------
    PackedTooClosely
        When it is longer than the image would be that it packs.
    """
    fragments: list[bytes] = []
    while (head := stream.read(8))[:4] == _ITEM and len(head) == 8:
        fragments.append(stream.read(min(struct.unpack_from("<I", head, 4)[0], 8 * LARGEST_PIXELS)))
        if sum(map(len, fragments)) >= 8 * LARGEST_PIXELS:
            raise PackedTooClosely("compressed pixels that are longer than any image")
    return b"".join(fragments[1:])  # the first is the table of offsets


def require_modest_frames(dataset: Any) -> None:
    """As `require_modest` for every frame of an object in memory; one that is not compressed passes.

    Raises
    ------
    PackedTooClosely
    """
    if not is_compressed(str(dataset.file_meta.get("TransferSyntaxUID", ""))) or "PixelData" not in dataset:
        return
    from pydicom.encaps import generate_frames

    for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)):
        require_modest(dataset, frame)


def elements_of(path: Path, keywords: Sequence[str]) -> Any:
    """A few elements of a DICOM file, which is not unpacked when it is deflated to too much.

    Raises
    ------
    PackedTooClosely
    Exception
        Whatever pydicom raises.
    """
    import pydicom

    with path.open("rb") as stream:
        if transfer_syntax(stream.read(LONGEST_META))[0] == DEFLATED:
            stream.seek(0)
            require_modest_file(stream.read())
        stream.seek(0)
        return pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(keywords))


def require_modest_file(content: bytes) -> None:
    """Refuse a DICOM file that is deflated as a whole and unpacks to more than `LARGEST_DEFLATED`; any other passes.

    Raises
    ------
    PackedTooClosely
        When it does, or cannot be unpacked.
    """
    syntax, start = transfer_syntax(content[:LONGEST_META])
    if syntax != DEFLATED:
        return
    unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        for first in range(start, len(content), _PIECE):
            piece = content[first : first + _PIECE]
            while piece and not unpacker.eof and total <= LARGEST_DEFLATED:
                total += len(unpacker.decompress(piece, 1 << 20))
                piece = unpacker.unconsumed_tail
            if unpacker.eof:
                break
    except zlib.error as error:
        raise PackedTooClosely(str(error)) from None
    if total > LARGEST_DEFLATED:
        raise PackedTooClosely("a deflated file that unpacks to more than 512 MB")
