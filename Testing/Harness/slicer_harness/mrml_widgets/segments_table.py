"""qMRMLSegmentsTableView: the segments of a segmentation, by name."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QItemSelection, Qt, Signal
from PySide6.QtGui import QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QVBoxLayout, QWidget

from slicer_harness.ctk_widgets.stored_property import stored
from slicer_harness.observing import observe


class qMRMLSegmentsTableView(QWidget):
    """Names and colours of the segments and which are selected; no editing, no terminology, no visibility buttons."""

    selectionChanged = Signal(QItemSelection, QItemSelection)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._tag: int | None = None
        self._table, self._model = QTableView(), QStandardItemModel()
        self._table.setModel(self._model)
        self._table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)

    visibilityColumnVisible = stored(bool, "visibilityColumnVisible", True)
    colorColumnVisible = stored(bool, "colorColumnVisible", True)
    opacityColumnVisible = stored(bool, "opacityColumnVisible", True)
    statusColumnVisible = stored(bool, "statusColumnVisible", False)
    headerVisible = stored(bool, "headerVisible", True)
    readOnly = stored(bool, "readOnly", False)
    selectionMode = stored(int, "selectionMode", 3)

    def setMRMLScene(self, scene: Any) -> None:
        """Only the node matters here."""

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLSegmentationNode):
            raise TypeError(f"setSegmentationNode takes a vtkMRMLSegmentationNode, not {node!r}")
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = observe(self, node, vtk.vtkCommand.AnyEvent, self._show)
        self._show()

    def segmentCount(self) -> int:
        return self._model.rowCount()

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        rows = self._table.selectionModel().selectedRows()
        return tuple(self._model.item(row.row()).data(Qt.ItemDataRole.UserRole) for row in rows)

    def setSelectedSegmentIDs(self, segment_ids: Any) -> None:
        self._table.clearSelection()
        for row in range(self._model.rowCount()):
            if self._model.item(row).data(Qt.ItemDataRole.UserRole) in segment_ids:
                self._table.selectRow(row)

    def _show(self, *_: Any) -> None:
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        shown = [self._model.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self._model.rowCount())]
        ids = list(segmentation.GetSegmentIDs()) if segmentation is not None else []
        if ids != shown:
            self._model.clear()
            for segment_id in ids:
                item = QStandardItem()
                item.setData(segment_id, Qt.ItemDataRole.UserRole)
                self._model.appendRow(item)
        for row, segment_id in enumerate(ids):
            segment = segmentation.GetSegment(segment_id)
            self._model.item(row).setText(segment.GetName())
            self._model.item(row).setForeground(QColor.fromRgbF(*segment.GetColor()))
