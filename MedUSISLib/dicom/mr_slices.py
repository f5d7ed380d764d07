"""The synthetic MR as a classic series: MR Image Storage, one file per CT slice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from MedUSISLib.dicom.mr_common import add_rescale, add_window, new_mr, usual_window
from MedUSISLib.dicom.origin import Origin, referenced_series, source_image
from MedUSISLib.dicom.quantisation import STEPS, Quantisation
from MedUSISLib.dicom.source import SourceSeries

_PLACE = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SpacingBetweenSlices",
          "SliceLocation")  # fmt: skip


def mr_slices(
    array_kji: np.ndarray, source: SourceSeries, origin: Origin, quantisation: Quantisation, now: datetime
) -> Iterator[Any]:
    """The datasets of the series, slice by slice.

    No sequence was ever played out: ScanningSequence says "research mode", and echo, repetition and the like stay
    empty. Rescale slope and intercept are not part of the MR Image IOD (a standard extension that every toolkit
    reads); without them the values would lose their unit. The mapping of real-world values, which the standard has for
    this, says the same to those who go by it.
    """
    from pydicom.uid import MRImageStorage, generate_uid

    series_uid = generate_uid(prefix=None)
    window = usual_window(array_kji)
    for k, header in enumerate(source.headers):
        ds = new_mr(MRImageStorage, series_uid, header, origin, now)
        ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
        ds.InstanceNumber = k + 1
        for keyword in _PLACE:
            if keyword in header:
                ds[keyword] = header[keyword]
        ds.SourceImageSequence = [source_image(header)]
        ds.ReferencedSeriesSequence = [referenced_series([header])]
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "RM", "NONE", ""
        ds.MRAcquisitionType = ds.RepetitionTime = ds.EchoTime = ds.EchoTrainLength = ""
        add_window(ds, window)
        add_rescale(ds, quantisation)
        ds.RealWorldValueMappingSequence = [_real_world(quantisation)]
        ds.PixelData = quantisation.stored(array_kji[k]).tobytes()
        yield ds


def _real_world(quantisation: Quantisation) -> Any:
    """Real World Value Mapping (PS3.3 C.7.6.16.2.11) of the stored numbers."""
    from highdicom.pm import RealWorldValueMapping
    from pydicom.sr.codedict import codes

    return RealWorldValueMapping(
        lut_label="SYNTHETIC_MR",
        lut_explanation="Synthetic MR, relative signal",
        unit=codes.UCUM.NoUnits,
        value_range=(0, STEPS),
        slope=quantisation.slope,
        intercept=quantisation.intercept,
    )
