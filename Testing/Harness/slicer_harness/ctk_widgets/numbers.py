"""Numbers: sliders with a spin box, plain double sliders, ranges."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QSlider, QWidget

from slicer_harness.ctk_widgets.stored_property import stored

LARGEST = 1e300  # Qt's spin boxes format inf badly


class ctkDoubleSpinBox(QDoubleSpinBox):
    """A QDoubleSpinBox that accepts open ranges."""

    def setMinimum(self, value: float) -> None:
        super().setMinimum(max(float(value), -LARGEST))

    def setMaximum(self, value: float) -> None:
        super().setMaximum(min(float(value), LARGEST))

    def setValueIfDifferent(self, value: float) -> None:
        if value != self.value:
            self.setValue(value)

    minimum = Property(float, lambda self: QDoubleSpinBox.property(self, "minimum"), setMinimum)
    maximum = Property(float, lambda self: QDoubleSpinBox.property(self, "maximum"), setMaximum)


class _DoubleValue(QWidget):
    """A bounded, rounded number with its signals; subclasses show it."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._minimum, self._maximum, self._value = 0.0, 99.0, 0.0
        self._single_step, self._decimals = 1.0, 2

    def _refresh(self) -> None:
        """Show the current value and limits."""

    def setValue(self, value: float) -> None:
        if math.isnan(value):
            return
        value = round(min(max(float(value), self._minimum), self._maximum), self._decimals)
        changed, self._value = value != self._value, value
        self._refresh()
        if changed:
            self.valueChanged.emit(value)

    def setRange(self, minimum: float, maximum: float) -> None:
        changed = (minimum, maximum) != (self._minimum, self._maximum)
        self._minimum, self._maximum = float(minimum), max(float(minimum), float(maximum))
        self.setValue(self._value)
        if changed:
            self.rangeChanged.emit(self._minimum, self._maximum)

    def setMinimum(self, value: float) -> None:
        self.setRange(value, max(value, self._maximum))

    def setMaximum(self, value: float) -> None:
        self.setRange(min(value, self._minimum), value)

    def setSingleStep(self, value: float) -> None:
        self._single_step = float(value)
        self._refresh()

    def setDecimals(self, value: int) -> None:
        self._decimals = int(value)
        self.setValue(self._value)

    value = Property(float, lambda self: self._value, setValue)
    minimum = Property(float, lambda self: self._minimum, setMinimum)
    maximum = Property(float, lambda self: self._maximum, setMaximum)
    singleStep = Property(float, lambda self: self._single_step, setSingleStep)
    pageStep = stored(float, "pageStep", 10.0)
    tracking = stored(bool, "tracking", True)
    tickInterval = stored(float, "tickInterval", 0.0)
    orientation = stored(int, "orientation", 1)


class ctkDoubleSlider(_DoubleValue):
    """A slider for doubles: the value only, no picture of it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, QWidget)])
        self._decimals = 10


class ctkSliderWidget(_DoubleValue):
    """A slider and a spin box for one number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider, self._spin_box = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self._slider.valueChanged.connect(lambda step: self.setValue(self._minimum + step * self._single_step))
        self._spin_box.valueChanged.connect(self.setValue)
        self._refresh()

    def _refresh(self) -> None:
        blocked = [(part, part.blockSignals(True)) for part in (self._slider, self._spin_box)]
        self._spin_box.setDecimals(self._decimals)
        self._spin_box.setRange(max(self._minimum, -LARGEST), min(self._maximum, LARGEST))
        self._spin_box.setSingleStep(self._single_step)
        self._spin_box.setValue(self._value)
        if math.isfinite(self._maximum - self._minimum) and self._single_step > 0:
            self._slider.setRange(0, min(round((self._maximum - self._minimum) / self._single_step), 2**31 - 1))
            self._slider.setValue(min(round((self._value - self._minimum) / self._single_step), 2**31 - 1))
        for part, before in blocked:
            part.blockSignals(before)

    decimals = Property(int, lambda self: self._decimals, _DoubleValue.setDecimals)
    suffix = stored(str, "suffix", "", lambda self, text: self._spin_box.setSuffix(text))
    prefix = stored(str, "prefix", "", lambda self, text: self._spin_box.setPrefix(text))
    spinBoxVisible = stored(bool, "spinBoxVisible", True, lambda self, on: self._spin_box.setVisible(on))
    popupSlider = stored(bool, "popupSlider", False)

    def spinBox(self) -> QDoubleSpinBox:
        return self._spin_box

    def slider(self) -> QSlider:
        return self._slider


class ctkRangeWidget(QWidget):
    """Two numbers, the lower first."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._limits, self._values = (0.0, 99.0), (0.0, 99.0)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._limits = (float(minimum), max(float(minimum), float(maximum)))
        self.setValues(*self._values)

    def setValues(self, lower: float, upper: float) -> None:
        low, high = self._limits
        values = tuple(sorted(min(max(float(v), low), high) for v in (lower, upper)))
        before, self._values = self._values, (values[0], values[1])
        if self._values[0] != before[0]:
            self.minimumValueChanged.emit(self._values[0])
        if self._values[1] != before[1]:
            self.maximumValueChanged.emit(self._values[1])
        if self._values != before:
            self.valuesChanged.emit(*self._values)

    minimumValue = Property(float, lambda self: self._values[0], lambda self, v: self.setValues(v, self._values[1]))
    maximumValue = Property(float, lambda self: self._values[1], lambda self, v: self.setValues(self._values[0], v))
    minimum = Property(float, lambda self: self._limits[0], lambda self, v: self.setRange(v, self._limits[1]))
    maximum = Property(float, lambda self: self._limits[1], lambda self, v: self.setRange(self._limits[0], v))
    singleStep = stored(float, "singleStep", 1.0)
    decimals = stored(int, "decimals", 2)
    suffix = stored(str, "suffix", "")
    prefix = stored(str, "prefix", "")


class ctkDoubleRangeSlider(ctkRangeWidget):
    """The same two numbers without spin boxes."""
