"""What the classic and the enhanced MR have in common: patient, study, series, equipment, pixels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from MedUSISLib.dicom.origin import MANUFACTURER, SERIES_NUMBERS, Origin, mark
from MedUSISLib.dicom.quantisation import Quantisation


def new_mr(sop_class: str, series_uid: str, header: Any, origin: Origin, now: datetime) -> Any:
    """A new instance of the series, still without place and pixels.

    Parameters
    ----------
    sop_class : str
        UID.
    series_uid : str
        Of the new series.
    header : Dataset
        Of a slice of the CT.
    now : datetime
        One for all files of the export.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword in ("FrameOfReferenceUID", "PositionReferenceIndicator", "PatientPosition"):
        if keyword in header:
            ds[keyword] = header[keyword]
    if "PatientPosition" not in ds:
        ds.PatientPosition = ""  # type 2C
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.InstanceCreationDate = ds.SeriesDate = ds.ContentDate = now.strftime("%Y%m%d")
    ds.InstanceCreationTime = ds.SeriesTime = ds.ContentTime = now.strftime("%H%M%S")
    ds.Modality = "MR"
    ds.SeriesInstanceUID = series_uid
    ds.SeriesNumber = SERIES_NUMBERS["mr"]
    ds.Manufacturer = ds.ManufacturerModelName = MANUFACTURER
    ds.SoftwareVersions = origin.software
    ds.DeviceSerialNumber = origin.serial_number
    mark(ds, origin, "mr", header)
    ds.Rows, ds.Columns = header.Rows, header.Columns
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    return ds


def add_rescale(item: Any, quantisation: Quantisation) -> None:
    """Rescale slope and intercept, as text that has every digit."""
    item.RescaleIntercept = decimal(quantisation.intercept)
    item.RescaleSlope = decimal(quantisation.slope)
    item.RescaleType = "US"


def add_window(item: Any, window: tuple[float, float]) -> None:
    """Window in rescaled values."""
    low, high = window
    item.WindowCenter, item.WindowWidth = decimal((low + high) / 2), decimal(high - low)
    # the usual LINEAR reckons with whole numbers and wants a width of 1 or more; the MR's whole range may be below
    item.VOILUTFunction = "LINEAR_EXACT"


def usual_window(array_kji: np.ndarray) -> tuple[float, float]:
    """From 0, the outside, to what only the brightest two hundredths of the inside exceed."""
    inside = array_kji[array_kji > 0]
    high = float(np.percentile(inside[:: max(1, inside.size // 1_000_000)], 99.5)) if inside.size else 1.0
    return min(0.0, float(array_kji.min())), high


def decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    text = repr(float(value))
    return text if len(text) <= 16 else f"{value:.9g}"
