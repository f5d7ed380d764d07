"""Buttons, check boxes and combo boxes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QColor, QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton

from slicer_harness.ctk_widgets.stored_property import stored


class ctkCheckBox(QCheckBox):
    """A check box with an icon for its indicator."""


class ctkPushButton(QPushButton):
    """A push button that aligns its text and icon."""

    buttonTextAlignment = stored(int, "buttonTextAlignment", int(Qt.AlignmentFlag.AlignLeft.value))
    iconAlignment = stored(int, "iconAlignment", int(Qt.AlignmentFlag.AlignLeft.value))
    elideMode = stored(int, "elideMode", 3)


class ctkCheckablePushButton(ctkPushButton):
    """A push button with a check box; the check box decides whether the button is a toggle."""

    checkBoxToggled = Signal(bool)
    checkBoxControlsButton = stored(bool, "checkBoxControlsButton", True)
    checkBoxControlsButtonToggleState = stored(bool, "checkBoxControlsButtonToggleState", True)
    checkState = stored(int, "checkState", 0, lambda self, state: self.checkBoxToggled.emit(state != 0))
    checkBoxUserCheckable = stored(bool, "checkBoxUserCheckable", True)


class ctkMenuButton(QPushButton):
    """A push button with a separate arrow that opens its menu (`setMenu`)."""

    def showMenu(self) -> None:
        """In CTK the menu opens and waits for a choice; a test triggers the action instead."""


class ctkComboBox(QComboBox):
    """A combo box with a default text while nothing is chosen."""

    defaultText = stored(str, "defaultText", "")
    forceDefault = stored(bool, "forceDefault", False)
    scrollWheelEffect = stored(int, "scrollWheelEffect", 0)


class ctkCheckableComboBox(QComboBox):
    """A combo box whose items have check marks."""

    checkedIndexesChanged = Signal()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.model().itemChanged.connect(lambda _item: self.checkedIndexesChanged.emit())

    def addItem(self, *arguments: Any) -> None:
        super().addItem(*arguments)
        item = self._items().item(self.count - 1)
        item.setCheckable(True)
        item.setCheckState(Qt.CheckState.Unchecked)

    def addItems(self, texts: Any) -> None:
        for text in texts:
            self.addItem(text)

    def _items(self) -> QStandardItemModel:
        return self.model()

    def checkState(self, index: Any) -> Any:
        return self._items().itemFromIndex(index).checkState()

    def setCheckState(self, index: Any, state: Any) -> None:
        self._items().itemFromIndex(index).setCheckState(state)

    def checkedIndexes(self) -> list[Any]:
        items = [self._items().item(row) for row in range(self.count)]
        return [item.index() for item in items if item.checkState() == Qt.CheckState.Checked]


class ctkColorPickerButton(QPushButton):
    """A button that shows a colour and lets the user pick another."""

    colorChanged = Signal(QColor)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._color = QColor(0, 0, 0)

    def setColor(self, color: QColor) -> None:
        if color != self._color:
            self._color = QColor(color)
            self.colorChanged.emit(self._color)

    color = Property(QColor, lambda self: self._color, setColor)
    displayColorName = stored(bool, "displayColorName", True)
