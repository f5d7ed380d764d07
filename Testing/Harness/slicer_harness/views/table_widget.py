"""qMRMLTableWidget: a table view of the layout; it shows the table node that its view node names."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from slicer_harness.mrml_widgets.table_view import qMRMLTableView
from slicer_harness.observing import observe


class qMRMLTableWidget(QFrame):
    def __init__(self, view_node: Any) -> None:
        super().__init__()
        self._node, self._view = view_node, qMRMLTableView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        self._controller = QWidget()  # the bar, empty here
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        observe(self, view_node, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def tableView(self) -> qMRMLTableView:
        return self._view

    def tableController(self) -> QWidget:
        return self._controller

    def mrmlTableViewNode(self) -> Any:
        return self._node

    def _update(self, *_: Any) -> None:
        if self._view.mrmlTableNode() is not self._node.GetTableNode():
            self._view.setMRMLTableNode(self._node.GetTableNode())
