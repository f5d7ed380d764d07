"""Headers of DICOM slices, with every value looked at once: numbers that are some, pixels as many as they have to be.

pydicom decodes a value when it is asked for and then complains, of a damaged one, in every way there is.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from MedUSISLib.imaging.packed_pixels import (
    DEFLATED,
    LONGEST_META,
    UNCOMPRESSED,
    PackedTooClosely,
    only_frame,
    require_modest,
    require_modest_size,
    transfer_syntax,
)

_TAGS = [
    "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "SOPInstanceUID", "Modality",
    "ImageType", "SeriesNumber", "InstanceNumber", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames",
    "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SpacingBetweenSlices",
    "RescaleSlope", "RescaleIntercept", "BitsAllocated",
]  # fmt: skip
# How many numbers a value is; without them a slice has no place or no values.
_NEEDED = {
    "Rows": 1, "Columns": 1, "PixelSpacing": 2, "ImagePositionPatient": 3, "ImageOrientationPatient": 6,
    "RescaleSlope": 1, "RescaleIntercept": 1, "SamplesPerPixel": 1, "NumberOfFrames": 1, "BitsAllocated": 1,
}  # fmt: skip
_WHOLE = ("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "BitsAllocated")
# What can be done without, and is then taken for missing.
_OPTIONAL = ("SeriesNumber", "InstanceNumber", "SliceThickness", "SpacingBetweenSlices")
_TEXTS = (
    "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "SOPInstanceUID", "Modality",
)  # fmt: skip
_NO_IMAGES = ("SEG", "RTSTRUCT", "RTDOSE", "SR", "PR")
# All of the standard's transfer syntaxes that are in use, but the implicit one.
_EXPLICIT = "1.2.840.10008.1.2."
_PIXELS, _PIXELS_BIG = b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"
_IMAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.128",  # PET
)


_ENHANCED = (
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
)


class DamagedSlice(ValueError):
    """A DICOM file whose header cannot be trusted."""


def slice_header(path: Path) -> Any | None:
    """The header of a slice (a pydicom Dataset); None for what is no image: localizers, reports, segmentations.

    To be called within ``dicom_values.values_taken_as_they_are``.

    Raises
    ------
    DamagedSlice
        When a value that says size, place or scale is no number, or the pixels are not as many as rows and columns.
    """
    try:
        return _checked(path)
    except DamagedSlice:
        raise
    except (Exception, MemoryError) as error:  # every way there is; a header claims any number of bytes
        raise DamagedSlice(str(type(error))) from None


def is_enhanced(header: Any) -> bool:
    """Whether the slices of a file are its frames, and say in functional groups where they lie."""
    return str(header.get("SOPClassUID", "")) in _ENHANCED


def is_deflated(beginning: bytes) -> bool:
    """True for a file that is unpacked as a whole, however large it is then; no scanner writes one.

    True, too, where these bytes do not tell: nothing may be unpacked then.
    """
    try:
        return transfer_syntax(beginning)[0] == DEFLATED or DEFLATED.encode() in beginning[:1024]
    except PackedTooClosely:
        return True


def _checked(path: Path) -> Any | None:
    import pydicom

    with path.open("rb") as stream:
        if is_deflated(stream.read(LONGEST_META)):
            raise DamagedSlice("deflated")
        stream.seek(0)
        header: Any = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS)
        return _looked_at(header, stream)


def _looked_at(header: Any, stream: BinaryIO) -> Any | None:
    """The header when every value of it is sound; ``stream`` stands before the pixels."""
    if str(header.get("Modality", "")) in _NO_IMAGES:
        return None
    if not header.get("Rows"):
        kind = str(header.file_meta.get("MediaStorageSOPClassUID", "") or header.get("SOPClassUID", ""))
        if not kind or kind in _IMAGE_CLASSES:
            raise DamagedSlice("an image without rows, or nothing at all")
        return None
    if not header.get("Columns"):
        raise DamagedSlice("an image without columns")
    if "LOCALIZER" in [str(part).upper() for part in _listed(header.get("ImageType"))]:
        return None
    check_numbers(header)
    for name in _TEXTS:
        if name in header and not isinstance(header[name].value, (str, type(None))):
            raise DamagedSlice(name)
    return header if _has_pixels(header, stream) else None


def check_numbers(header: Any) -> None:
    """Refuse sizes, places and scales that are no numbers, or not as many as they have to be.

    Raises
    ------
    DamagedSlice
    """
    for name in _OPTIONAL:
        if name in header and not _numbers(header, name, 1):
            del header[name]
    for name, count in _NEEDED.items():
        if _is_given(header, name) and not _numbers(header, name, count):
            raise DamagedSlice(name)


def _has_pixels(header: Any, stream: BinaryIO) -> bool:
    """Whether grey values follow the header: as many bytes as rows and columns make, or packed ones of that size."""
    after = stream.read(12)
    syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
    order = ">" if syntax == UNCOMPRESSED[2] else "<"
    if after[:4] != (_PIXELS if order == "<" else _PIXELS_BIG):
        if str(header.file_meta.get("MediaStorageSOPClassUID", "")) in _IMAGE_CLASSES:
            raise DamagedSlice("no pixels")
        return False
    if syntax.startswith(_EXPLICIT) and after[4:6] not in (b"OB", b"OW"):
        raise DamagedSlice("pixels of no kind that pixels are of")
    frames, samples = (int(header.get(name) or 1) for name in ("NumberOfFrames", "SamplesPerPixel"))
    is_known = samples == 1 and (frames == 1 or is_enhanced(header))
    if syntax not in UNCOMPRESSED:
        require_modest_size(header)
        if frames == 1:
            require_modest(header, only_frame(stream))
    if syntax not in UNCOMPRESSED or not header.get("BitsAllocated") or not is_known:
        return True
    at = 4 if syntax == UNCOMPRESSED[0] else 8
    length = struct.unpack_from(order + "I", after, at)[0]
    bits = math.prod(int(header.get(name) or 1) for name in _WHOLE)
    if length not in ((bits + 7) // 8, (bits + 7) // 8 + 1):
        raise DamagedSlice("other pixels than rows and columns")
    return True


def _is_given(header: Any, name: str) -> bool:
    return name in header and header[name].value not in (None, "")


def _numbers(header: Any, name: str, count: int) -> bool:
    """Whether a value is so many numbers of the right kind."""
    values = _listed(header[name].value)
    # of another type in the file, a number is text here
    if len(values) != count or not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        return False
    return name not in _WHOLE or all(isinstance(value, int) and value > 0 for value in values)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    is_many = hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
    return list(value) if is_many else [value]
