"""qMRMLSliceWidget: a slice view under its coloured bar with the slider."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from slicer_harness.observing import observe
from slicer_harness.views.slice_view import qMRMLSliceView


class qMRMLSliceControllerWidget(QWidget):
    """The bar: the view's letter and colour, the slice offset. Moving the slider is an interaction, so that linked
    views follow through vtkMRMLSliceLinkLogic, as in Slicer."""

    def __init__(self, logic: Any) -> None:
        super().__init__()
        self._logic, self._lowest, self._step = logic, 0.0, 1.0
        self._label, self._slider, self._offset = QLabel(), QSlider(Qt.Orientation.Horizontal), QLabel()
        self._slider.valueChanged.connect(self._on_slider_moved)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 1, 4, 1)
        for part in (self._label, self._slider, self._offset):
            layout.addWidget(part)
        self.setAutoFillBackground(True)
        observe(self, logic, vtk.vtkCommand.ModifiedEvent, self._update)
        observe(self, logic.GetSliceNode(), vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceOffsetSlider(self) -> QSlider:
        return self._slider

    def fitSliceToBackground(self) -> None:
        self._logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.ResetFieldOfViewFlag)
        self._logic.FitSliceToBackground()
        self._logic.EndSliceNodeInteraction()

    def setSliceVisible(self, visible: bool) -> None:
        self.mrmlSliceNode().SetSliceVisible(visible)

    def setSliceLink(self, linked: bool) -> None:
        """Link every view of the scene, as the chain button does."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetLinkedControl(linked)

    def setSliceOffsetValue(self, offset: float) -> None:
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def _on_slider_moved(self, position: int) -> None:
        self.setSliceOffsetValue(self._lowest + (position + 0.5) * self._step)

    def _update(self, *_: Any) -> None:
        node = self._logic.GetSliceNode()
        if node is None:
            return
        self._label.setText(node.GetLayoutLabel() or "")
        color = QColor.fromRgbF(*node.GetLayoutColor())
        if self.palette.color(QPalette.ColorRole.Window) != color:
            palette = QPalette(self.palette)
            palette.setColor(QPalette.ColorRole.Window, color)
            self.setPalette(palette)
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        spacing = self._logic.GetLowestVolumeSliceSpacing()
        self._lowest, self._step = bounds[4], abs(spacing[2]) or 1.0
        if bounds[5] <= bounds[4]:
            return
        offset = self._logic.GetSliceOffset()
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, round((bounds[5] - bounds[4]) / self._step) - 1))
        self._slider.setValue(round((offset - bounds[4]) / self._step - 0.5))
        self._slider.blockSignals(blocked)
        self._offset.setText(f"{offset:.1f}mm")


class qMRMLSliceWidget(QFrame):
    """One slice view of the layout."""

    def __init__(self, slice_node: Any) -> None:
        super().__init__()
        self.setObjectName(f"qMRMLSliceWidget{slice_node.GetLayoutName()}")
        self._view = qMRMLSliceView(slice_node)
        self._controller = qMRMLSliceControllerWidget(self._view.sliceLogic())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._controller

    def sliceLogic(self) -> Any:
        return self._view.sliceLogic()

    def mrmlSliceNode(self) -> Any:
        return self._view.mrmlSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._controller.mrmlSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self._controller.fitSliceToBackground()

    def sizeHint(self) -> QSize:
        return QSize(300, 300)
