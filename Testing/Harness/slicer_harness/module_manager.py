"""`slicer.app.moduleManager()` and the modules it knows."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal


class LogicOnlyModule(QObject):
    """A C++ module of Slicer, of which only the logic exists here."""

    title = property(lambda self: self.name)
    path = property(lambda self: "")
    hidden = property(lambda self: False)

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self.setObjectName(name)
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> None:
        raise NotImplementedError(f"the panel of the C++ module {self.name} in this harness")

    createNewWidgetRepresentation = widgetRepresentation


class qSlicerModuleManager(QObject):
    """Knows every module by name; says when one is about to be unloaded, which makes its widget clean up."""

    moduleLoaded = Signal("QString")
    modulesLoaded = Signal("QStringList")
    moduleAboutToBeUnloaded = Signal("QString")
    moduleUnloaded = Signal("QString")

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def add(self, name: str, module: Any) -> None:
        self._modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        setattr(slicer.moduleNames, name, name)
        self.moduleLoaded.emit(name)

    def unload(self, name: str) -> None:
        """As Slicer does for every module when it quits."""
        self.moduleAboutToBeUnloaded.emit(name)
        self._modules.pop(name, None)
        for attribute in (name.lower(), name + "Instance", name + "Widget"):
            if hasattr(slicer.modules, attribute):
                delattr(slicer.modules, attribute)
        if hasattr(slicer.moduleNames, name):
            delattr(slicer.moduleNames, name)
        self.moduleUnloaded.emit(name)

    def module(self, name: str) -> Any:
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    # Slicer keeps these in a factory manager of its own; here both are one.
    def factoryManager(self) -> qSlicerModuleManager:
        return self

    def loadedModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    def registeredModuleNames(self) -> tuple[str, ...]:
        return tuple(self._modules)
