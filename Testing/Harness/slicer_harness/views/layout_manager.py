"""qSlicerLayoutManager: the views that the layout node describes, in the arrangement that it describes.

Which view nodes a layout needs and what their properties are is decided by the real vtkMRMLLayoutLogic; only the
widgets and their boxes are made here. Any layout works that consists of horizontal, vertical, grid and tab boxes with
slice, 3D and table views, also one that a module added with `vtkMRMLLayoutNode.AddLayoutDescription`.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from slicer_harness.observing import observe
from slicer_harness.views.slice_widget import qMRMLSliceWidget
from slicer_harness.views.table_widget import qMRMLTableWidget
from slicer_harness.views.threed_view import qMRMLThreeDWidget

VIEW_WIDGETS = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
    "vtkMRMLTableViewNode": qMRMLTableWidget,
}


class qSlicerLayoutManager(QObject):
    """Widgets of view nodes are made once and kept; `sliceViewNames` therefore also lists views of earlier layouts."""

    layoutChanged = Signal(int)

    def __init__(self, scene: Any) -> None:
        super().__init__()
        self._widgets: dict[str, QWidget] = {}  # by ID of the view node
        self._shown: tuple[int, str] | None = None
        self._viewport = QWidget()
        box = QVBoxLayout(self._viewport)
        box.setContentsMargins(0, 0, 0, 0)
        self._content: QWidget | None = None
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self._node = self._logic.GetLayoutNode()
        self._node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        observe(self, self._node, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    # What modules ask for.
    def viewport(self) -> QWidget:
        return self._viewport

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return self._node.GetScene()

    def setLayout(self, layout_id: int) -> None:
        """Raises ValueError for a layout that nobody described; Slicer shows an empty window then."""
        if not self._node.IsLayoutDescription(layout_id):
            raise ValueError(f"no layout description with id {layout_id}")
        self._node.SetViewArrangement(layout_id)

    layout = Property(int, lambda self: self._node.GetViewArrangement(), setLayout)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(widget.mrmlSliceNode().GetLayoutName() for widget in self._of_kind(qMRMLSliceWidget))

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        widgets = self._of_kind(qMRMLSliceWidget)
        return next((widget for widget in widgets if widget.mrmlSliceNode().GetLayoutName() == name), None)

    def threeDWidget(self, index: int) -> qMRMLThreeDWidget | None:
        return dict(enumerate(self._of_kind(qMRMLThreeDWidget))).get(index)

    def tableWidget(self, index: int) -> qMRMLTableWidget | None:
        return dict(enumerate(self._of_kind(qMRMLTableWidget))).get(index)

    threeDViewCount = Property(int, lambda self: len(self._of_kind(qMRMLThreeDWidget)))
    tableViewCount = Property(int, lambda self: len(self._of_kind(qMRMLTableWidget)))
    plotViewCount = Property(int, lambda self: 0)

    def mrmlSliceLogics(self) -> Any:
        return slicer.app.applicationLogic().GetSliceLogics()

    def resetSliceViews(self) -> None:
        for widget in self._of_kind(qMRMLSliceWidget):
            widget.sliceLogic().FitSliceToBackground()

    def resetThreeDViews(self) -> None:
        for widget in self._of_kind(qMRMLThreeDWidget):
            widget.threeDView().resetFocalPoint()

    def render_all(self) -> None:
        """Ask every view for a new picture."""
        for widget in self._of_kind(qMRMLSliceWidget):
            widget.sliceView().scheduleRender()
        for widget in self._of_kind(qMRMLThreeDWidget):
            widget.threeDView().scheduleRender()

    def visible_view_names(self) -> tuple[str, ...]:
        """Layout names of the views in the current layout, in its order (for tests)."""
        views = self._logic.GetViewNodes()
        return tuple(views.GetItemAsObject(index).GetLayoutName() for index in range(views.GetNumberOfItems()))

    def _of_kind(self, kind: type) -> list[Any]:
        return [widget for widget in self._widgets.values() if isinstance(widget, kind)]

    # Building.
    def _update(self, *_: Any) -> None:
        wanted = (self._node.GetViewArrangement(), self._node.GetCurrentLayoutDescription() or "")
        root = self._node.GetLayoutRootElement()
        if wanted == self._shown or root is None or not wanted[1]:
            return
        self._shown = wanted
        for widget in self._widgets.values():
            widget.setParent(None)
        content = self._build(root)
        if self._content is not None:
            self._viewport.layout().removeWidget(self._content)
            self._content.deleteLater()
        self._content = content
        self._viewport.layout().addWidget(content)
        content.show()
        self.layoutChanged.emit(wanted[0])

    def _build(self, element: Any) -> QWidget:
        if element.GetName() == "view":
            return self._view(element)
        kind = element.GetAttribute("type")
        items = [element.GetNestedElement(index) for index in range(element.GetNumberOfNestedElements())]
        if kind in ("horizontal", "vertical"):
            return self._split(items, kind == "horizontal")
        if kind == "grid":
            return self._grid(items)
        if kind == "tab":
            return self._tabs(items)
        raise NotImplementedError(f"layout of type {kind!r}")

    def _split(self, items: list[Any], horizontal: bool) -> QSplitter:
        splitter = QSplitter(Qt.Orientation.Horizontal if horizontal else Qt.Orientation.Vertical)
        for index, item in enumerate(items):
            splitter.addWidget(self._build(item.GetNestedElement(0)))
            splitter.setStretchFactor(index, int(item.GetAttribute("splitSize") or 1))
        splitter.setSizes([int(item.GetAttribute("splitSize") or 500) for item in items])
        return splitter

    def _grid(self, items: list[Any]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        for item in items:
            place = [int(item.GetAttribute(name) or 0) for name in ("row", "column")]
            span = [int(item.GetAttribute(name) or 1) for name in ("rowspan", "colspan")]
            grid.addWidget(self._build(item.GetNestedElement(0)), *place, *span)
        return box

    def _tabs(self, items: list[Any]) -> QTabWidget:
        tabs = QTabWidget()
        for item in items:
            tabs.addTab(self._build(item.GetNestedElement(0)), item.GetAttribute("name") or "")
        return tabs

    def _view(self, element: Any) -> QWidget:
        if element.GetAttribute("multiple") == "true":
            raise NotImplementedError("layouts with multiple views in one place (compare views)")
        node = self._logic.GetViewFromElement(element)
        if node is None:
            raise ValueError(f"the layout has a view without a node: {element.GetAttribute('class')}")
        kind = VIEW_WIDGETS.get(node.GetClassName())
        if kind is None:
            return QLabel(f"{node.GetName()}: no widget for {node.GetClassName()} in this harness")
        if node.GetID() not in self._widgets:
            self._widgets[node.GetID()] = kind(node)
        widget = self._widgets[node.GetID()]
        widget.show()
        return widget
