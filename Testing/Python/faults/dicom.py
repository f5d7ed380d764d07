"""DICOM: a CT series, a SEG and an RTSTRUCT for it."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from dicom_example import box, loop_on, write_ct, write_result, write_rtstruct
from imaging_phantom import geometry_about, rotation

from faults.byte_faults import spoil_bytes
from faults.dicom_elements import spoil_element
from faults.dicom_oracle import said_by_contours, said_by_segments, said_by_series
from faults.images import require_same
from faults.kind import NAME, Kind
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_regions import segmentation_object
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.dicom_labels import read_dicom_labels

GRID = geometry_about((12, -34, 56), (12, 10, 6), (1.5, 2.0, 4.0), rotation((0.2, 0.1, -0.3)))
_OF_SLICES = (
    "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "BitsStored",
    "RescaleIntercept", "SliceThickness", "SamplesPerPixel", "BitsAllocated", "HighBit", "PixelRepresentation",
    "Modality", "SeriesInstanceUID", "SeriesNumber", "TransferSyntaxUID", "PhotometricInterpretation", "ImageType",
    "PixelData", "SOPClassUID", "FrameOfReferenceUID", "PatientName", "SpecificCharacterSet",
)  # fmt: skip
_OF_CONTOURS = (
    "ROINumber", "ROIName", "ReferencedROINumber", "ContourData", "ContourGeometricType", "NumberOfContourPoints",
    "ReferencedFrameOfReferenceUID", "RTROIInterpretedType", "StructureSetROISequence", "ROIContourSequence",
    "ContourSequence", "Modality", "TransferSyntaxUID",
)  # fmt: skip
_OF_SEGMENTS = (
    "Rows", "Columns", "NumberOfFrames", "SegmentationType", "SegmentNumber", "SegmentLabel", "PixelSpacing",
    "ReferencedSegmentNumber", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "PixelData",
    "SliceThickness", "BitsAllocated", "BitsStored", "DimensionIndexValues", "SegmentSequence", "Modality",
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "CodeValue", "TransferSyntaxUID",
)  # fmt: skip


def _series(folder: Path) -> Path:
    return folder / "ct"


@lru_cache(maxsize=1)
def _ct() -> tuple[bytes, ...]:
    """The slices of one series, the same for all samples of a run."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_ct(Path(folder) / "ct", GRID)
        return tuple(path.read_bytes() for path in sorted((Path(folder) / "ct").iterdir()))


def _make_series(folder: Path) -> None:
    _series(folder).mkdir()
    for number, content in enumerate(_ct()):
        (_series(folder) / f"{NAME}_{number}.dcm").write_bytes(content)


def _spoil_series(random: Random, folder: Path) -> str:
    files = sorted(_series(folder).iterdir())
    chosen = files if random.random() < 0.3 else [random.choice(files)]
    seed, elements = random.random(), random.random() < 0.65
    done = ""
    for path in chosen:  # the same to each
        again = Random(seed)
        content, done = (
            spoil_element(again, path.read_bytes(), _OF_SLICES, keep_length=False)
            if elements
            else spoil_bytes(again, path.read_bytes(), 1200)
        )
        path.write_bytes(content)
    return f"{len(chosen)} of {len(files)} slices: {done}"


def _verify_series(folder: Path, volume: Volume) -> None:
    require_same(volume, said_by_series(_series(folder)))


def _make_contours(folder: Path) -> None:
    _make_series(folder)
    ct = read_volume(_series(folder))
    grid = ct.geometry
    regions = {
        "Brain": [loop_on(grid, k, box(1.5, 9.5, 1.5, 8.5)) for k in (1, 2, 3)],
        "Skull": [loop_on(grid, 2, box(0.5, 10.5, 0.5, 8.7)), loop_on(grid, 2, box(3.3, 6.6, 3.3, 6.6))],
    }
    write_rtstruct(folder / f"{NAME}_rs.dcm", ct, regions)


def _make_segments(folder: Path) -> None:
    """As MedUSIS itself exports labels."""
    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    _make_series(folder)
    ct = read_volume(_series(folder))
    labels = np.where(ct.array_kji > -500, 9, np.where(np.arange(12) > 6, 2, 0)).astype(np.uint8)
    maps = {"mr": np.ones(labels.shape, np.float32), "labels": labels}
    write_result(folder / "result", ct, maps)
    export_dicom(ExportDicomRequest(result=folder / "result", source=_series(folder), out=folder / "out"))
    (folder / "out" / "labels.dcm").rename(folder / f"{NAME}_seg.dcm")
    for rest in ("out", "result"):
        for path in (folder / rest).rglob("*"):
            path.unlink()
        (folder / rest).rmdir()


def _object(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.is_file())


def _spoil_object(random: Random, folder: Path, keywords: tuple[str, ...]) -> str:
    path = _object(folder)
    if random.random() < 0.65:
        content, done = spoil_element(random, path.read_bytes(), keywords, keep_length=random.random() < 0.8)
    else:
        content, done = spoil_bytes(random, path.read_bytes(), 3000)
    path.write_bytes(content)
    return done


def _read_object(folder: Path) -> tuple[Volume, Volume]:
    """The CT, and its label map as synthesis reads it."""
    ct = read_volume(_series(folder))
    found = segmentation_object(_object(folder))
    if found is None:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "it is no DICOM object any more", "the sample is over")
    labels, mapping, _ = read_dicom_labels(*found, ct, load_schema("head"), None, "soft_tissue", Progress())
    mapping.apply(labels.array_kji, "soft_tissue")
    return ct, labels


def _verify_object(folder: Path, value: Any, oracle: Any) -> None:
    ct, labels = value
    assert labels.geometry == ct.geometry
    assert labels.array_kji.min() >= 0, "negative numbers of regions"
    said = oracle(_object(folder), Geometry(**{name: getattr(ct.geometry, name) for name in _GRID_FIELDS}))
    if said is None:
        return
    numbers = set(np.unique(labels.array_kji).tolist()) - {0}
    assert numbers <= set(said), f"regions {numbers}, said {set(said)}"
    inside = np.any([mask for mask in said.values()], axis=0)
    wrong = int(np.count_nonzero((labels.array_kji > 0) & ~inside))
    assert wrong <= 2, f"{wrong} voxels outside of what the object says"
    for number in numbers:
        wrong = int(np.count_nonzero((labels.array_kji == number) & ~said[number]))
        assert wrong <= 2, f"{wrong} voxels of region {number} are not its"


_GRID_FIELDS = ("size_ijk", "spacing_mm", "origin_lps_mm", "direction")
_CODES = ("INPUT_NOT_READABLE", "GEOMETRY_MISMATCH", "EMPTY_SEGMENTATION", "UNKNOWN_LABELS")

KINDS = (
    Kind("dicom-ct", _make_series, _spoil_series, lambda folder: read_volume(_series(folder)), _verify_series),
    Kind(
        "rtstruct",
        _make_contours,
        partial(_spoil_object, keywords=_OF_CONTOURS),
        _read_object,
        partial(_verify_object, oracle=said_by_contours),
        codes=_CODES,
    ),
    Kind(
        "dicom-seg",
        _make_segments,
        partial(_spoil_object, keywords=_OF_SEGMENTS),
        _read_object,
        partial(_verify_object, oracle=said_by_segments),
        codes=_CODES,
    ),
)
