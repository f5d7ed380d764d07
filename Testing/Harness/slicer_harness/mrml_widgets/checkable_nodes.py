"""qMRMLCheckableNodeComboBox: several nodes at once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal

from slicer_harness.mrml_widgets.node_combo_box import qMRMLNodeComboBox


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A node combo box with a check mark for every node."""

    checkedNodesChanged = Signal()

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._checked: set[str] = set()

    def checkedNodes(self) -> tuple[Any, ...]:
        return tuple(node for node in self._filter.nodes(self._scene) if node.GetID() in self._checked)

    def uncheckedNodes(self) -> tuple[Any, ...]:
        return tuple(node for node in self._filter.nodes(self._scene) if node.GetID() not in self._checked)

    def allChecked(self) -> bool:
        return not self.uncheckedNodes()

    def checkState(self, node: Any) -> Qt.CheckState:
        return Qt.CheckState.Checked if node.GetID() in self._checked else Qt.CheckState.Unchecked

    def setCheckState(self, node: Any, state: Qt.CheckState) -> None:
        before = set(self._checked)
        (self._checked.add if state == Qt.CheckState.Checked else self._checked.discard)(node.GetID())
        if self._checked != before:
            self.checkedNodesChanged.emit()
