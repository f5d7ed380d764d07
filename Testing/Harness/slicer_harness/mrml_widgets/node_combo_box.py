"""qMRMLNodeComboBox: a combo box of the nodes of a scene."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from slicer_harness.ctk_widgets.stored_property import stored
from slicer_harness.mrml_widgets.node_filter import NodeFilter
from slicer_harness.observing import observe

CREATE, RENAME, DELETE = "action:create", "action:rename", "action:delete"


def _filter_property(kind: type | str, attribute: str) -> Property:
    def write(self: Any, value: Any) -> None:
        setattr(self._filter, attribute, list(value) if isinstance(value, list | tuple) else value)
        self._refresh()

    return Property(kind, lambda self: getattr(self._filter, attribute), write)


def _refreshing(kind: type, name: str, default: Any) -> Property:
    return stored(kind, name, default, lambda self, _: self._refresh())


class qMRMLNodeComboBox(QWidget):
    """Follows the scene: nodes that are added, removed, renamed or loaded appear and disappear.

    Without `noneEnabled` it always has a node selected when there is one, as the real widget does. Signals are sent
    only when the selected node changes.
    """

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    _any_node_selected = Signal(bool)

    cpp_signals = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "_any_node_selected",
        "nodeActivated(vtkMRMLNode*)": "nodeActivated",
        "nodeAdded(vtkMRMLNode*)": "nodeAdded",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
        "nodeAboutToBeRemoved(vtkMRMLNode*)": "nodeAboutToBeRemoved",
        "nodeAboutToBeEdited(vtkMRMLNode*)": "nodeAboutToBeEdited",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._scene_tags: list[int] = []
        self._node_tags: dict[str, tuple[Any, int]] = {}
        self._filter = NodeFilter()
        self._current_id = ""
        self._combo = QComboBox()
        self._combo.activated.connect(self._on_activated)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)

    # What the user is offered.
    nodeTypes = _filter_property("QStringList", "types")
    showChildNodeTypes = _filter_property(bool, "child_types")
    hideChildNodeTypes = _filter_property("QStringList", "hidden_types")
    showHidden = _filter_property(bool, "show_hidden")
    noneEnabled = _refreshing(bool, "noneEnabled", False)
    noneDisplay = _refreshing(str, "noneDisplay", "None")
    addEnabled = _refreshing(bool, "addEnabled", True)
    removeEnabled = _refreshing(bool, "removeEnabled", True)
    renameEnabled = _refreshing(bool, "renameEnabled", False)
    editEnabled = stored(bool, "editEnabled", False)
    interactionNodeSingletonTag = stored(str, "interactionNodeSingletonTag", "")
    baseName = stored(str, "baseName", "")
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        self._filter.attributes.append((node_type, name, None if value is None else str(value)))
        self._refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._filter.attributes = [a for a in self._filter.attributes if a[:2] != (node_type, name)]
        self._refresh()

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:
        """The words in "Create new ..."; not shown here."""

    # The scene.
    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is not None and not isinstance(scene, slicer.vtkMRMLScene):
            raise TypeError(f"setMRMLScene takes a vtkMRMLScene, not {scene!r}")
        for tag in self._scene_tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._scene_tags = scene, []
        if scene is not None:
            kind = slicer.vtkMRMLScene
            events = (kind.NodeAddedEvent, kind.NodeRemovedEvent, kind.EndBatchProcessEvent, kind.EndCloseEvent)
            self._scene_tags = [observe(self, scene, event, self._on_scene_changed) for event in events]
            removing = kind.NodeAboutToBeRemovedEvent
            self._scene_tags.append(observe(self, scene, removing, self._on_node_about_to_be_removed, node_data=True))
        self._refresh()

    def _on_node_about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if self._filter.accepts(node):
            self.nodeAboutToBeRemoved.emit(node)

    def _on_scene_changed(self, *_: Any) -> None:
        self._refresh()

    # The selection.
    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current_id) if self._scene is not None and self._current_id else None

    def setCurrentNode(self, node: Any) -> None:
        """A node, a node ID, or None. A node that the selector does not offer selects nothing."""
        if isinstance(node, str):
            node = self._scene.GetNodeByID(node) if self._scene is not None else None
        elif node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"setCurrentNode takes a vtkMRMLNode, not {node!r}")
        if node is not None and (node.GetScene() is None or not self._filter.accepts(node)):
            node = None
        node_id = node.GetID() if node is not None else ""
        self._combo.blockSignals(True)
        self._combo.setCurrentIndex(self._combo.findData(node_id))
        self._combo.blockSignals(False)
        if node_id == self._current_id:
            return
        self._current_id = node_id
        self.currentNodeChanged.emit(node)
        self._any_node_selected.emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    def setCurrentNodeID(self, node_id: str) -> None:
        self.setCurrentNode(node_id)

    currentNodeID = Property(str, lambda self: self._current_id, setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        return len(self._filter.nodes(self._scene))

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self._filter.nodes(self._scene)
        return nodes[index] if 0 <= index < len(nodes) else None

    # What the user can do.
    def addNode(self, node_type: str | None = None) -> Any:
        """As if the user chose "Create new ..."."""
        kind = node_type or self._filter.types[0]
        name = self._scene.GenerateUniqueName(self.baseName or self._scene.GetTagByClassName(kind))
        node = self._scene.AddNewNodeByClass(kind, name)
        self.nodeAdded.emit(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        from slicer_harness.pythonqt.dialogs import InputDialog

        name = InputDialog.getText(self, "Rename", "New name:")
        if name and self.currentNode() is not None:
            self.currentNode().SetName(name)
            self.currentNodeRenamed.emit(name)

    def comboBox(self) -> QComboBox:
        return self._combo

    def _on_activated(self, index: int) -> None:
        chosen = self._combo.itemData(index)
        actions = {CREATE: self.addNode, RENAME: self.renameCurrentNode, DELETE: self.removeCurrentNode}
        if chosen in actions:
            actions[chosen]()
            self._refresh()
            return
        self.setCurrentNode(chosen or None)
        self.nodeActivated.emit(self.currentNode())

    # Following the scene.
    def _refresh(self) -> None:
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        nodes = self._filter.nodes(self._scene)
        self._observe(nodes)
        self._combo.blockSignals(True)
        self._combo.clear()
        if self.noneEnabled:
            self._combo.addItem(self.noneDisplay, "")
        for node in nodes:
            self._combo.addItem(node.GetName() or node.GetID(), node.GetID())
        for enabled, text, action in (
            (self.renameEnabled, "Rename current", RENAME),
            (self.addEnabled, "Create new", CREATE),
            (self.removeEnabled, "Delete current", DELETE),
        ):
            if enabled and self._filter.types:
                self._combo.addItem(text, action)
        self._combo.blockSignals(False)
        current = self.currentNode()
        if current is None or not self._filter.accepts(current):
            current = nodes[0] if nodes and not self.noneEnabled else None
        self.setCurrentNode(current)

    def _observe(self, nodes: list[Any]) -> None:
        """Watch the names of the offered nodes."""
        wanted = {node.GetID(): node for node in nodes}
        for node_id in [i for i in self._node_tags if i not in wanted or self._node_tags[i][0] is not wanted[i]]:
            node, tag = self._node_tags.pop(node_id)
            node.RemoveObserver(tag)
        for node_id, node in wanted.items():
            if node_id not in self._node_tags:
                tag = observe(self, node, vtk.vtkCommand.ModifiedEvent, self._on_node_modified)
                self._node_tags[node_id] = (node, tag)

    def _on_node_modified(self, node: Any, _event: str) -> None:
        index = self._combo.findData(node.GetID())
        if index >= 0 and self._combo.itemText(index) != node.GetName():
            self._combo.setItemText(index, node.GetName())
        elif index < 0 or not self._filter.accepts(node):
            self._refresh()
