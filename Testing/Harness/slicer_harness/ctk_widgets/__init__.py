"""The CTK widgets that scripted modules use, in PySide6; the top-level module `ctk` shows them.

collapsible.py   ctkCollapsibleButton, ctkCollapsibleGroupBox
numbers.py       sliders and spin boxes
paths.py         ctkPathLineEdit, ctkDirectoryButton
buttons.py       check boxes, combo boxes, menu and push buttons
texts.py         text browser, search box, message box, screenshots
"""

from slicer_harness.ctk_widgets.buttons import (
    ctkCheckableComboBox,
    ctkCheckablePushButton,
    ctkCheckBox,
    ctkColorPickerButton,
    ctkComboBox,
    ctkMenuButton,
    ctkPushButton,
)
from slicer_harness.ctk_widgets.collapsible import ctkCollapsibleButton, ctkCollapsibleGroupBox
from slicer_harness.ctk_widgets.numbers import (
    ctkDoubleRangeSlider,
    ctkDoubleSlider,
    ctkDoubleSpinBox,
    ctkRangeWidget,
    ctkSliderWidget,
)
from slicer_harness.ctk_widgets.paths import ctkDirectoryButton, ctkPathLineEdit
from slicer_harness.ctk_widgets.texts import ctkFittedTextBrowser, ctkMessageBox, ctkSearchBox, ctkWidgetsUtils

__all__ = [
    "ctkCheckBox",
    "ctkCheckableComboBox",
    "ctkCheckablePushButton",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "ctkFittedTextBrowser",
    "ctkMenuButton",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkPushButton",
    "ctkRangeWidget",
    "ctkSearchBox",
    "ctkSliderWidget",
    "ctkWidgetsUtils",
]
