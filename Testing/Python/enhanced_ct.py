"""A CT in one file of many frames (Enhanced CT), for tests of what is read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from MedUSISLib.imaging.volume import Volume

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
Rescale = tuple[float, float]


def write_enhanced(
    path: Path,
    volume: Volume,
    *,
    order: Sequence[int] | None = None,
    rescale: Callable[[int], Rescale] | None = None,
    change: Callable[[Any], object] | None = None,
    sop_class: str = ENHANCED_CT,
    shared_place: bool = False,
) -> Path:
    """Frame n is slice ``order[n]``; with ``rescale`` each frame has a slope and intercept of its own.

    Orientation and spacing stand in each frame, with ``shared_place`` once for all. ``change(dataset)`` may spoil it.
    """
    grid = volume.geometry
    order = range(grid.size_ijk[2]) if order is None else order
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 3, 1
    ds.PatientName, ds.PatientID = "Mueller^Hans", "4711"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.Rows, ds.Columns, ds.NumberOfFrames = grid.size_ijk[1], grid.size_ijk[0], len(order)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    shared = Dataset()
    kind, frames, planes = Dataset(), [], []
    kind.FrameType = ds.ImageType
    shared.CTImageFrameTypeSequence = [kind]
    if rescale is None:
        shared.PixelValueTransformationSequence = [_scale(1.0, -1024.0)]
    if shared_place:
        _place(shared, grid)
    for number, k in enumerate(order):
        frame, content, plane = Dataset(), Dataset(), Dataset()
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number + 1, [1, number + 1]
        frame.FrameContentSequence = [content]
        plane.ImagePositionPatient = [f"{value:.6f}" for value in grid.index_to_lps([(0, 0, k)])[0]]
        frame.PlanePositionSequence = [plane]
        slope, intercept = (1.0, -1024.0) if rescale is None else rescale(number)
        if rescale is not None:
            frame.PixelValueTransformationSequence = [_scale(slope, intercept)]
        if not shared_place:
            _place(frame, grid)
        frames.append(frame)
        planes.append(np.rint((volume.array_kji[k].astype(float) - intercept) / slope).astype(np.uint16))
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    ds.PixelData = np.stack(planes).tobytes()
    if change is not None:
        change(ds)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(path, enforce_file_format=True)
    return path


def packed(ds: Any, transfer_syntax: str, codes: Sequence[bytes]) -> None:
    """Put code streams, one a frame, in the place of the pixels."""
    ds.file_meta.TransferSyntaxUID = transfer_syntax
    ds.PixelData = encapsulate(list(codes))
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True


def _place(group: Dataset, grid: Any) -> None:
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = [f"{grid.spacing_mm[1]:.6f}", f"{grid.spacing_mm[0]:.6f}"]
    measures.SliceThickness = f"{grid.spacing_mm[2]:.4f}"
    group.PixelMeasuresSequence = [measures]
    orientation.ImageOrientationPatient = [f"{v:.9f}" for v in (*grid.axes[:, 0], *grid.axes[:, 1])]
    group.PlaneOrientationSequence = [orientation]


def _scale(slope: float, intercept: float) -> Dataset:
    item = Dataset()
    item.RescaleSlope, item.RescaleIntercept, item.RescaleType = f"{slope:g}", f"{intercept:g}", "HU"
    return item
