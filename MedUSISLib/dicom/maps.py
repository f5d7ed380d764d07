"""The variances of a result as parametric maps: 32-bit floats, every digit kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from MedUSISLib.dicom.mr_common import usual_window
from MedUSISLib.dicom.origin import MANUFACTURER, SERIES_NUMBERS, Origin, equipment, mark
from MedUSISLib.dicom.source import SourceSeries

_LABELS = {"uncertainty": "VARIANCE_PASSES", "noise_spread": "VARIANCE_NOISE"}
_TEXTS = {"uncertainty": "variance over dropout passes", "noise_spread": "variance over noise samples"}


def parametric_map(name: str, array_kji: np.ndarray, source: SourceSeries, origin: Origin) -> Any:
    """A Parametric Map object.

    Parameters
    ----------
    name : str
        "uncertainty" or "noise_spread".
    array_kji : ndarray
        Variance in the squared unit of the MR, on the series' voxels.
    source : SourceSeries
    origin : Origin
    """
    import highdicom as hd
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    values = np.ascontiguousarray(array_kji, dtype=np.float32)
    variance = hd.sr.CodedConcept("variance", "99MEDUSIS", _TEXTS[name].capitalize())
    meaning = hd.pm.RealWorldValueMapping(
        lut_label=_LABELS[name],
        lut_explanation=f"{_TEXTS[name]}, squared unit of the synthetic MR"[:64],
        unit=codes.UCUM.NoUnits,
        value_range=(float(values.min()), float(values.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=variance,
    )
    dataset = hd.pm.ParametricMap(
        source_images=source.references(),
        pixel_array=values,
        series_instance_uid=generate_uid(prefix=None),
        series_number=SERIES_NUMBERS[name],
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=origin.software,
        device_serial_number=origin.serial_number,
        contains_recognizable_visual_features=origin.faces,
        real_world_value_mappings=[meaning],
        voi_lut_transformations=[_window(*usual_window(values))],
        content_label=_LABELS[name],
        content_description=origin.description(name),
        contributing_equipment=equipment(origin, source.first),
    )
    # The text that the standard lists (PS3.3 C.7.6.16.2.9b); highdicom's 0.0 and 1.0 are the same numbers only.
    identity = dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    identity.RescaleIntercept, identity.RescaleSlope = "0", "1"
    mark(dataset, origin, name, source.first)
    return dataset


def _window(low: float, high: float) -> Any:
    import highdicom as hd

    return hd.VOILUTTransformation(
        window_center=(low + high) / 2,
        window_width=high - low,
        voi_lut_function=hd.VOILUTFunctionValues.LINEAR_EXACT,
    )
