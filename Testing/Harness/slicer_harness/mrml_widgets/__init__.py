"""The qMRML and qSlicer widgets that a module's panel is made of (views are in slicer_harness/views).

panel.py             qSlicerWidget, qMRMLWidget, qMRMLCollapsibleButton
node_filter.py       which nodes a selector offers
node_combo_box.py    qMRMLNodeComboBox
checkable_nodes.py   qMRMLCheckableNodeComboBox
numbers.py           qMRMLSliderWidget, qMRMLSpinBox, qMRMLRangeWidget
table_view.py        qMRMLTableView
segments_table.py    qMRMLSegmentsTableView
"""

from slicer_harness.mrml_widgets.checkable_nodes import qMRMLCheckableNodeComboBox
from slicer_harness.mrml_widgets.node_combo_box import qMRMLNodeComboBox
from slicer_harness.mrml_widgets.numbers import qMRMLRangeWidget, qMRMLSliderWidget, qMRMLSpinBox
from slicer_harness.mrml_widgets.panel import qMRMLCollapsibleButton, qMRMLWidget, qSlicerWidget
from slicer_harness.mrml_widgets.segments_table import qMRMLSegmentsTableView
from slicer_harness.mrml_widgets.table_view import qMRMLTableView

__all__ = [
    "qMRMLCheckableNodeComboBox",
    "qMRMLCollapsibleButton",
    "qMRMLNodeComboBox",
    "qMRMLRangeWidget",
    "qMRMLSegmentsTableView",
    "qMRMLSliderWidget",
    "qMRMLSpinBox",
    "qMRMLTableView",
    "qMRMLWidget",
    "qSlicerWidget",
]
