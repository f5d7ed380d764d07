"""Frames of an enhanced multi-frame file (CT, MR, and what was converted to it) as headers of slices.

What a classic slice says of its place, size and scale, an enhanced image says in functional groups, once for all frames
or for each (PS3.3 C.7.6.16). Files that say it twice or elsewhere are refused where that leaves a choice: a decoder
that applies the rescale itself may choose otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_slice import Slice
from MedUSISLib.imaging.dicom_values import values_taken_as_they_are
from MedUSISLib.imaging.slice_headers import DamagedSlice, check_numbers, is_enhanced

_GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex"),
    "CTImageFrameTypeSequence": ("FrameType",),
    "MRImageFrameTypeSequence": ("FrameType",),
}
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def frames_as_slices(slices: Sequence[Slice], role: str, folder: Path) -> list[Slice]:
    """Classic slices as they are; of an enhanced file, a slice for each frame but localizers, in any order.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``: frames of other files than enhanced ones, several files, several stacks or points in
        time, frames whose functional groups are damaged.
    """
    if not any(is_enhanced(s.header) or _count(s.header) > 1 for s in slices):
        return list(slices)

    def unreadable(what: str, hint: str) -> MedUSISError:
        return MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"{role} {what}", hint, folder)

    if not all(is_enhanced(s.header) for s in slices):
        raise unreadable("is a multi-frame DICOM file", "convert it to NIfTI, or export it as one file per slice")
    if len(slices) > 1:
        raise unreadable(f"is a series of {len(slices)} multi-frame DICOM files", "give a series of one of them")
    (whole,) = slices
    try:
        with values_taken_as_they_are():
            frames = frame_headers(whole.path, whole.header)
    except DamagedSlice:
        raise unreadable(
            "is a multi-frame DICOM file whose frames do not all say clearly where they lie and what their values mean",
            "export it as one file per slice",
        ) from None
    found = [Slice(whole.path, one, whole.stamp, number) for number, one in enumerate(frames) if not _is_localizer(one)]
    if not found:
        raise unreadable("is a multi-frame DICOM file of localizers", "give the CT series")
    for keyword, what in (("StackID", "stacks of slices"), ("TemporalPositionIndex", "points in time")):
        several = len({str(s.header.get(keyword, "")) for s in found})
        if several > 1:
            raise unreadable(f"is a multi-frame DICOM file of {several} {what}", "export one of them alone")
    return found


def _count(header: Any) -> int:
    return int(header.get("NumberOfFrames") or 1)


def _is_localizer(frame: Any) -> bool:
    return "LOCALIZER" in str(frame.get("FrameType", "")).upper()


def frame_headers(path: Path, header: Any) -> list[Any]:
    """Headers of the frames of a file, in its order; to be called within ``dicom_values.values_taken_as_they_are``.

    Parameters
    ----------
    path : Path
    header : pydicom Dataset
        Of the whole file (``slice_headers.slice_header``); what it says holds for every frame that says nothing else.

    Raises
    ------
    DamagedSlice
        When the functional groups are not those of as many frames as the file has, or a value of them is no number.
    """
    try:
        return _frames(path, header)
    except DamagedSlice:
        raise
    except (Exception, MemoryError) as error:  # every way there is; a header claims any number of bytes
        raise DamagedSlice(str(type(error))) from None


def _frames(path: Path, header: Any) -> list[Any]:
    import pydicom

    groups: Any = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[_SHARED, _PER_FRAME])
    shared = next(iter(groups.get(_SHARED) or []), pydicom.Dataset())
    frames = list(groups.get(_PER_FRAME) or [])
    if len(frames) != _count(header):
        raise DamagedSlice("other functional groups than frames")
    found = [_frame(header, shared, own) for own in frames]
    scaled = [tag in one for one in found for tag in ("RescaleSlope", "RescaleIntercept")]
    if not all(scaled) and (any(scaled) or str(header.get("Modality", "")) == "CT"):  # numbers that are no HU
        raise DamagedSlice("frames without a rescale")
    return found


def _frame(header: Any, shared: Any, own: Any) -> Any:
    import pydicom

    result = pydicom.Dataset()
    for element in header:
        if element.keyword not in ("RescaleSlope", "RescaleIntercept"):
            result[element.tag] = element
    for sequence, keywords in _GROUPS.items():
        items = [group[sequence].value[0] for group in (shared, own) if group.get(sequence)]
        for keyword in keywords:
            values = [item[keyword] for item in items if keyword in item]
            if any(value != values[0] for value in values):
                raise DamagedSlice(f"two values of {keyword}")
            if values:
                result[keyword] = values[0]
    if any(keyword in header and keyword not in result for keyword in ("RescaleSlope", "RescaleIntercept")):
        raise DamagedSlice("a rescale of the whole file")
    check_numbers(result)
    return result
