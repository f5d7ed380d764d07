"""How a finished generator is examined: slice by slice, or in volumes, as it will be used."""

from __future__ import annotations

from typing import Any, Protocol

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.training.calibration import fitted_sharpening
from MedUSISLib.training.cases import Case
from MedUSISLib.training.data_configuration import DataConfiguration
from MedUSISLib.training.generator_data import GeneratorData
from MedUSISLib.training.measurements import VolumeMeasurements, measure_noise, measure_volume
from MedUSISLib.training.volume_measurements import (
    fitted_volume_sharpening,
    measure_volume_noise,
    measure_whole_volume,
)


class Examination(Protocol):
    """What the export wants to know of a network."""

    def sharpening(self, network: Any) -> float:
        """Strength of the last unsharp mask, fitted on training people."""

    def volume(self, network: Any, case: Case) -> VolumeMeasurements:
        """Uncertainty and stripes of a whole volume."""

    def noise(self, network: Any) -> dict[str, Any]:
        """What other noise changes."""


class SliceExamination:
    """Of a generator that draws slices."""

    def __init__(self, data: GeneratorData, crop: tuple[int, int], channels: int, schema: LabelSchema) -> None:
        self._data, self._crop, self._channels, self._schema = data, crop, channels, schema

    def sharpening(self, network: Any) -> float:
        classes = self._schema.number_of_classes
        return fitted_sharpening(network, self._data.images.cases, self._crop, self._channels, classes)

    def volume(self, network: Any, case: Case) -> VolumeMeasurements:
        return measure_volume(network, case, self._crop, self._channels, self._schema.number_of_classes)

    def noise(self, network: Any) -> dict[str, Any]:
        return measure_noise(network, self._data.held_out.labels[::4], self._channels, self._schema)


class VolumeExamination:
    """Of a generator that draws volumes, in windows."""

    def __init__(self, data: GeneratorData, window: tuple[int, int, int], channels: int, schema: LabelSchema) -> None:
        self._data, self._window, self._channels, self._schema = data, window, channels, schema

    def sharpening(self, network: Any) -> float:
        classes = self._schema.number_of_classes
        return fitted_volume_sharpening(network, self._data.images.cases, self._window, self._channels, classes)

    def volume(self, network: Any, case: Case) -> VolumeMeasurements:
        return measure_whole_volume(network, case, self._window, self._channels, self._schema.number_of_classes)

    def noise(self, network: Any) -> dict[str, Any]:
        return measure_volume_noise(network, self._data.held_out_cases[0], self._window, self._channels, self._schema)


def examination_of(data: GeneratorData, settings: DataConfiguration, channels: int, schema: LabelSchema) -> Examination:
    """By the number of axes that the training has; slices are examined at their crop, volumes in their windows."""
    if len(settings.window) == 3:
        return VolumeExamination(data, settings.window, channels, schema)
    assert len(settings.crop) == 2
    return SliceExamination(data, settings.crop, channels, schema)
