"""A CT in one file of many frames, each with a place and a rescale of its own."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import pydicom
from enhanced_ct import write_enhanced
from test_imaging_dicom import ct_on

from faults.byte_faults import spoil_bytes
from faults.dicom import GRID
from faults.dicom_elements import spoil_element
from faults.dicom_oracle import stack_of
from faults.image_oracle import Said
from faults.images import require_same
from faults.kind import NAME, Kind
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume

_ELEMENTS = (
    "Rows", "Columns", "NumberOfFrames", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "RescaleSlope", "RescaleIntercept", "SliceThickness", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "Modality", "SOPClassUID", "TransferSyntaxUID", "PhotometricInterpretation", "ImageType",
    "FrameType", "StackID", "PixelData", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence",
    "PlanePositionSequence", "PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameContentSequence",
)  # fmt: skip


@lru_cache(maxsize=1)
def _sound() -> bytes:
    """The same file for all samples of a run."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ct.dcm"
        write_enhanced(path, ct_on(GRID), order=[2, 0, 1, 5, 4, 3], rescale=lambda n: (1.0, -1024.0 - n))
        return path.read_bytes()


def _file(folder: Path) -> Path:
    return folder / f"{NAME}_ct.dcm"


def _make(folder: Path) -> None:
    _file(folder).write_bytes(_sound())


def _spoil(random: Random, folder: Path) -> str:
    content = _file(folder).read_bytes()
    if random.random() < 0.65:
        content, done = spoil_element(random, content, _ELEMENTS, keep_length=random.random() < 0.8)
    else:
        content, done = spoil_bytes(random, content, 6000)
    _file(folder).write_bytes(content)
    return done


def _verify(folder: Path, volume: Volume) -> None:
    require_same(volume, _said(_file(folder)))


def _said(path: Path) -> Said | None:
    """What pydicom reads, every frame put together by hand; None when it cannot."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return stack_of(_slices(pydicom.dcmread(path)))
    except Exception:  # it says so in every way there is
        return None


def _slices(dataset: Any) -> list[Any]:
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        return [dataset]
    shared = dataset.SharedFunctionalGroupsSequence[0]
    planes = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    slices = []
    for plane, own in zip(planes, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        one = _Frame()
        one.update({"Rows": dataset.Rows, "Columns": dataset.Columns, "Modality": dataset.get("Modality")})
        kinds = [group.CTImageFrameTypeSequence[0] for group in (shared, own) if "CTImageFrameTypeSequence" in group]
        one["ImageType"] = list(kinds[0].get("FrameType") or []) if kinds else []
        for group in (shared, own):
            for sequence in group:
                if sequence.VR == "SQ" and len(sequence.value):
                    one.update({element.keyword: element.value for element in sequence.value[0]})
        one["pixel_array"] = plane
        slices.append(one)
    return slices


class _Frame(dict):
    """Elements by keyword, as attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


KINDS = (Kind("enhanced-ct", _make, _spoil, lambda folder: read_volume(_file(folder)), _verify),)
