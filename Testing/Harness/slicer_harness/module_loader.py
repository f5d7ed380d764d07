"""Scripted modules: the two C++ classes that Slicer wraps around a module's Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QVBoxLayout

from slicer_harness.mrml_widgets.panel import qSlicerWidget


def _plain(name: str, default: Any) -> property:
    """A property of the module that its Python class sets: `parent.title = "..."`."""
    attribute = "_" + name

    def write(self: Any, value: Any) -> None:
        setattr(self, attribute, value)

    return property(lambda self: vars(self).get(attribute, default), write)


class qSlicerScriptedLoadableModule(QObject):
    """The `parent` of a module's `ScriptedLoadableModule`."""

    title = _plain("title", "")
    categories = _plain("categories", ())
    contributors = _plain("contributors", ())
    dependencies = _plain("dependencies", ())
    associatedNodeTypes = _plain("associatedNodeTypes", ())
    helpText = _plain("helpText", "")
    acknowledgementText = _plain("acknowledgementText", "")
    icon = _plain("icon", None)
    index = _plain("index", -1)
    hidden = _plain("hidden", False)
    widgetRepresentationCreationEnabled = _plain("widgetRepresentationCreationEnabled", True)
    defaultDocumentationLink = property(lambda self: "")
    path = property(lambda self: str(self._path))
    isInstalled = property(lambda self: False)
    isBuiltIn = property(lambda self: False)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path.resolve()
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None
        self.setObjectName(path.stem)
        self._import()
        self._instance = getattr(sys.modules[self.name], self.name)(self)
        slicer.app.moduleManager().add(self.name, self)
        setattr(slicer.modules, self.name + "Instance", self._instance)

    def _import(self) -> None:
        folder = str(self._path.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        specification = importlib.util.spec_from_file_location(self.name, self._path)
        if specification is None or specification.loader is None:
            raise ImportError(f"{self._path} is no Python file")
        module = importlib.util.module_from_spec(specification)
        sys.modules[self.name] = module
        specification.loader.exec_module(module)

    def setup(self) -> None:
        if hasattr(self._instance, "setup"):
            self._instance.setup()

    def logic(self) -> None:
        """Scripted modules have no C++ logic; `slicer.util.getModuleLogic` asks the widget."""

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        return qSlicerScriptedLoadableModuleWidget(self)


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The `parent` of a module's `ScriptedLoadableModuleWidget`: its panel.

    An exception in the module's `__init__` or `setup` comes out here; Slicer prints it and shows an empty panel.
    """

    isEntered = property(lambda self: self._entered)

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__()
        self._module, self._entered, self._self = module, False, None
        QVBoxLayout(self)
        self.setMRMLScene(slicer.mrmlScene)
        self.reload()

    def reload(self) -> None:
        """Make the module's widget anew, from the class that is in `sys.modules` now."""
        name = self._module.name + "Widget"
        self._self = getattr(sys.modules[self._module.name], name)(self)
        setattr(slicer.modules, name, self._self)
        self._self.setup()

    def self(self) -> Any:
        return self._self

    def enter(self) -> None:
        self._entered = True
        if hasattr(self._self, "enter"):
            self._self.enter()

    def exit(self) -> None:
        self._entered = False
        if hasattr(self._self, "exit"):
            self._self.exit()
