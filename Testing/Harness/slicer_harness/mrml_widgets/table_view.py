"""qMRMLTableView: a table node as a table on the screen, read only."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QTableView, QWidget

from slicer_harness.ctk_widgets.stored_property import stored
from slicer_harness.observing import observe


class qMRMLTableView(QTableView):
    """Follows the node: changed cells and columns are shown at once. Editing is not offered here."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._tag: int | None = None
        self._model = QStandardItemModel()
        self.setModel(self._model)

    firstRowLocked = stored(bool, "firstRowLocked", False)
    firstColumnLocked = stored(bool, "firstColumnLocked", False)
    transposed = stored(bool, "transposed", False, lambda self, _: self._show())

    def setMRMLScene(self, scene: Any) -> None:
        """Only the node matters here."""

    def mrmlTableNode(self) -> Any:
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLTableNode):
            raise TypeError(f"setMRMLTableNode takes a vtkMRMLTableNode, not {node!r}")
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = observe(self, node, vtk.vtkCommand.AnyEvent, self._show)
        self._show()

    def _show(self, *_: Any) -> None:
        self._model.clear()
        if self._node is None or self._node.GetTable() is None:
            return
        columns = [self._node.GetColumnName(index) for index in range(self._node.GetNumberOfColumns())]
        rows = [
            [QStandardItem(self._node.GetCellText(row, column)) for column in range(len(columns))]
            for row in range(self._node.GetNumberOfRows())
        ]
        if self.transposed:
            rows = [list(items) for items in zip(*rows, strict=True)]
            self._model.setVerticalHeaderLabels(columns)
        else:
            self._model.setHorizontalHeaderLabels(columns)
        for items in rows:
            self._model.appendRow(items)
