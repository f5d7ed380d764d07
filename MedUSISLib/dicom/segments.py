"""Label maps of a result as DICOM segmentations, coded with SNOMED CT where the schema knows a code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.dicom.origin import MANUFACTURER, SERIES_NUMBERS, Origin, equipment, mark
from MedUSISLib.dicom.source import SourceSeries
from MedUSISLib.synthesis.result import MaskConsistency

OWN_SCHEME = "99MEDUSIS"
_BODY_SUBSTANCES = ("fluid", "air")


@dataclass(frozen=True)
class NamedValue:
    """One value of a label map.

    Attributes
    ----------
    value : int
    label : str
        What viewers show, at most 64 characters.
    name : str
        Code in ``OWN_SCHEME`` where ``snomed`` is None.
    category : (str, str)
        SNOMED CT code and meaning of the kind of thing it is.
    snomed : (str, str) or None
        SNOMED CT code and meaning.
    rgb : (int, int, int)
    """

    value: int
    label: str
    name: str
    category: tuple[str, str]
    snomed: tuple[str, str] | None
    rgb: tuple[int, int, int]


_RELATION = ("309825002", "Spatial and Relational Concept")
CONSISTENCY = (
    NamedValue(MaskConsistency.AGREE, "Agree", "agree", _RELATION, None, (90, 160, 90)),
    NamedValue(MaskConsistency.TISSUE_MISSING, "Tissue missing", "tissue-missing", _RELATION, None, (220, 60, 50)),
    NamedValue(MaskConsistency.TISSUE_TOO_MUCH, "Tissue too much", "tissue-too-much", _RELATION, None, (60, 90, 220)),
)


def values_of_schema(schema: LabelSchema) -> tuple[NamedValue, ...]:
    """The classes of a schema but for the background."""
    return tuple(
        NamedValue(
            label.index,
            label.title[:64],
            label.name,
            ("91720002", "Body Substance")
            if label.tissue in _BODY_SUBSTANCES
            else ("123037004", "Anatomical Structure"),
            (label.snomed_code, (label.snomed_meaning or label.title)[:64]) if label.snomed_code else None,
            label.color,
        )
        for label in schema.classes[1:]
    )


def segmentation(
    name: str, array_kji: np.ndarray, values: Sequence[NamedValue], source: SourceSeries, origin: Origin
) -> Any | None:
    """A Segmentation object with a segment for each value that occurs; None when none does.

    Segments are numbered 1, 2, ... in the order of ``values``, as the standard wants it: the number in a label map is
    not kept, names and codes are.
    """
    import highdicom as hd
    from pydicom.uid import generate_uid

    counts = np.bincount(array_kji.ravel(), minlength=256)
    present = [value for value in values if counts[value.value]]
    if not present:
        return None
    numbers = np.zeros(len(counts), dtype=np.uint8)
    for number, value in enumerate(present, start=1):
        numbers[value.value] = number
    dataset = hd.seg.Segmentation(
        source_images=source.references(),
        pixel_array=numbers[array_kji],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(n, value, origin) for n, value in enumerate(present, start=1)],
        series_instance_uid=generate_uid(prefix=None),
        series_number=SERIES_NUMBERS[name],
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=origin.software,
        device_serial_number=origin.serial_number,
        content_label="MASK_CONSISTENCY" if name == "mask_consistency" else "LABELS",
        content_description=origin.description(name),
        contributing_equipment=equipment(origin, source.first),
    )
    mark(dataset, origin, name, source.first)
    return dataset


def _described(number: int, value: NamedValue, origin: Origin) -> Any:
    import highdicom as hd

    kind = (
        hd.sr.CodedConcept(value.snomed[0], "SCT", value.snomed[1])
        if value.snomed
        else hd.sr.CodedConcept(value.name[:16], OWN_SCHEME, value.label)
    )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=value.label,
        segmented_property_category=hd.sr.CodedConcept(value.category[0], "SCT", value.category[1]),
        segmented_property_type=kind,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=f"MedUSIS {origin.generator}"[:64],
            version=origin.version,
            family=hd.sr.CodedConcept("123110", "DCM", "Artificial Intelligence"),
        ),
        display_color=hd.color.CIELabColor.from_rgb(*value.rgb),
    )
