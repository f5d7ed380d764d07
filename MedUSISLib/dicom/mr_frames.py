"""The synthetic MR as one multi-frame file: Enhanced MR Image Storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from MedUSISLib.dicom.mr_common import add_rescale, add_window, new_mr, usual_window
from MedUSISLib.dicom.origin import Origin, evidence, referenced_series, source_image
from MedUSISLib.dicom.quantisation import Quantisation
from MedUSISLib.dicom.source import SourceSeries

# Of the enhanced types the standard allows PRIMARY only as the second value.
_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]


def mr_frames(
    array_kji: np.ndarray, source: SourceSeries, origin: Origin, quantisation: Quantisation, now: datetime
) -> Any:
    """The dataset; frame k + 1 lies on slice k of the CT."""
    from pydicom.uid import EnhancedMRImageStorage, generate_uid

    first = source.first
    ds = new_mr(EnhancedMRImageStorage, generate_uid(prefix=None), first, origin, now)
    ds.ImageType = _TYPE
    ds.InstanceNumber = 1
    ds.NumberOfFrames = len(source.headers)
    _describe(ds)
    ds.PresentationLUTShape = "IDENTITY"
    if "LossyImageCompression" not in ds:
        ds.LossyImageCompression = "00"
    ds.AcquisitionContextSequence = []
    ds.ApplicableSafetyStandardAgency = "OTHER"  # asked for by the IOD; nothing was transmitted into anybody
    ds.ReferencedSeriesSequence = [referenced_series(source.headers)]
    ds.SourceImageEvidenceSequence = [evidence(source.headers)]
    derivation = ds.pop("DerivationDescription").value  # an enhanced image says it in each frame
    _add_dimensions(ds)
    ds.SharedFunctionalGroupsSequence = [_shared(source, origin, quantisation, usual_window(array_kji))]
    ds.PerFrameFunctionalGroupsSequence = [_frame(k, header, derivation) for k, header in enumerate(source.headers)]
    ds.PixelData = b"".join(quantisation.stored(plane).tobytes() for plane in array_kji)
    return ds


def _describe(item: Any) -> None:
    """Type macros of image and frame."""
    item.PixelPresentation, item.VolumetricProperties = "MONOCHROME", "VOLUME"
    item.VolumeBasedCalculationTechnique = "NONE"
    item.ComplexImageComponent, item.AcquisitionContrast = "MAGNITUDE", "UNKNOWN"
    if "ImageType" in item:
        item.ContentQualification = "RESEARCH"


def _add_dimensions(ds: Any) -> None:
    """Frames are counted along the one stack that they form."""
    from pydicom import Dataset
    from pydicom.datadict import tag_for_keyword
    from pydicom.uid import generate_uid

    organization = Dataset()
    organization.DimensionOrganizationUID = generate_uid(prefix=None)
    ds.DimensionOrganizationSequence = [organization]
    ds.DimensionOrganizationType = "3D"
    index = []
    for keyword in ("StackID", "InStackPositionNumber"):
        item = Dataset()
        item.DimensionOrganizationUID = organization.DimensionOrganizationUID
        item.DimensionIndexPointer = tag_for_keyword(keyword)
        item.FunctionalGroupPointer = tag_for_keyword("FrameContentSequence")
        index.append(item)
    ds.DimensionIndexSequence = index


def _shared(source: SourceSeries, origin: Origin, quantisation: Quantisation, window: tuple[float, float]) -> Any:
    from pydicom import Dataset

    first = source.first
    group = Dataset()
    measures = Dataset()
    measures.PixelSpacing = first.PixelSpacing
    measures.SliceThickness = first.SliceThickness
    measures.SpacingBetweenSlices = f"{source.ct.geometry.spacing_mm[2]:.9g}"
    group.PixelMeasuresSequence = [measures]
    orientation = Dataset()
    orientation.ImageOrientationPatient = first.ImageOrientationPatient
    group.PlaneOrientationSequence = [orientation]
    kind = Dataset()
    kind.FrameType = _TYPE
    _describe(kind)
    group.MRImageFrameTypeSequence = [kind]
    values = Dataset()
    add_rescale(values, quantisation)
    group.PixelValueTransformationSequence = [values]
    voi = Dataset()
    add_window(voi, window)
    group.FrameVOILUTSequence = [voi]
    group.FrameAnatomySequence = [_anatomy(origin)]
    return group


def _anatomy(origin: Origin) -> Any:
    from highdicom.sr import CodedConcept
    from pydicom import Dataset

    item = Dataset()
    head = "head" in origin.body_region.lower()
    region = ("69536005", "SCT", "Head") if head else ("38266002", "SCT", "Entire body")
    item.AnatomicRegionSequence = [CodedConcept(*region)]
    item.FrameLaterality = "U"
    return item


def _frame(k: int, header: Any, description: str) -> Any:
    from highdicom.sr import CodedConcept
    from pydicom import Dataset

    group = Dataset()
    content = Dataset()
    content.StackID, content.InStackPositionNumber = "1", k + 1
    content.DimensionIndexValues = [1, k + 1]
    group.FrameContentSequence = [content]
    place = Dataset()
    place.ImagePositionPatient = header.ImagePositionPatient
    group.PlanePositionSequence = [place]
    derivation = Dataset()
    # CID 7203 has no term for synthesis, and is extensible.
    derivation.DerivationCodeSequence = [CodedConcept("synthetic-mr", "99MEDUSIS", "MR synthesis from CT and labels")]
    derivation.DerivationDescription = description
    derivation.SourceImageSequence = [source_image(header)]
    group.DerivationImageSequence = [derivation]
    return group
