"""Widgets that hold others and pass the scene on."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_harness.ctk_widgets.collapsible import ctkCollapsibleButton


class _HasScene:
    """`setMRMLScene` and `mrmlSceneChanged(vtkMRMLScene*)`."""

    cpp_signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def setMRMLScene(self: Any, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self: Any) -> Any:
        return vars(self).get("_scene")


class qSlicerWidget(_HasScene, QWidget):
    """The root of a module's panel; .ui files connect its `mrmlSceneChanged` to the node selectors."""

    mrmlSceneChanged = Signal(object)


class qMRMLWidget(_HasScene, QWidget):
    """The same for widgets of MRML's own library."""

    mrmlSceneChanged = Signal(object)


class qMRMLCollapsibleButton(_HasScene, ctkCollapsibleButton):
    """A collapsible button that passes the scene on."""

    mrmlSceneChanged = Signal(object)
