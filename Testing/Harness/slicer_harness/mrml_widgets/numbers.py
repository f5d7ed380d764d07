"""Numbers with the units of the scene."""

from __future__ import annotations

from typing import Any

from slicer_harness.ctk_widgets.numbers import ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget
from slicer_harness.ctk_widgets.stored_property import stored


class _TakesScene:
    def setMRMLScene(self, scene: Any) -> None:
        """The units of the scene are not applied here: no suffix, no conversion."""


class qMRMLSliderWidget(_TakesScene, ctkSliderWidget):
    quantity = stored(str, "quantity", "")
    unitAwareProperties = stored(int, "unitAwareProperties", 0)


class qMRMLSpinBox(_TakesScene, ctkDoubleSpinBox):
    quantity = stored(str, "quantity", "")
    unitAwareProperties = stored(int, "unitAwareProperties", 0)


class qMRMLRangeWidget(_TakesScene, ctkRangeWidget):
    quantity = stored(str, "quantity", "")
    unitAwareProperties = stored(int, "unitAwareProperties", 0)
