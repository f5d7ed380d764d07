"""The decorator `@parameterNodeWrapper`."""

from __future__ import annotations

import logging
import typing
from dataclasses import dataclass
from typing import Any

import qt
import slicer.util
import vtk

from .annotations import Decimals, Default, SingleStep, Validator, first, split
from .connectors import Connector, make_connector
from .fields import Field, field_for

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass(frozen=True)
class Parameter:
    """One annotated attribute of the decorated class."""

    name: str
    datatype: Any
    field: Field
    validators: tuple[Validator, ...]
    default: Default

    def is_in(self, node: Any) -> bool:
        return self.field.is_in(node, self.name)

    def read(self, node: Any) -> Any:
        if not self.is_in(node):
            self.write(node, self.default.value)
        return self.field.read(node, self.name)

    def write(self, node: Any, value: Any) -> None:
        """Raises ValueError or TypeError, before anything is changed."""
        self.field.check(value)
        for validator in self.validators:
            validator.validate(value)
        self.field.write(node, self.name, value)


def parameterNodeWrapper(wrapped: type | None = None) -> Any:
    """Class decorator, with or without parentheses."""
    return _process if wrapped is None else _process(wrapped)


def isParameterNodeWrapper(class_or_object: Any) -> bool:
    return getattr(class_or_object, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget: Any, parameter: str) -> Any:
    """The child of a widget whose SlicerParameterName is this parameter, or None."""
    children = widget.findChildren(qt.QWidget)
    return next((w for w in children if w.property(SlicerParameterNamePropertyName) == parameter), None)


def _process(wrapped: type) -> type:
    parameters = {}
    for name, datatype in typing.get_type_hints(wrapped, include_extras=True).items():
        if hasattr(_Wrapper, name):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        parameters[name] = _parameter(wrapped, name, datatype)
        setattr(wrapped, name, _attribute(parameters[name]))
    for name, member in vars(_Wrapper).items():
        if not name.startswith("__") or name == "__init__":
            setattr(wrapped, name, member)
    wrapped.allParameters = parameters  # type: ignore[attr-defined]
    return wrapped


def _parameter(wrapped: type, name: str, datatype: Any) -> Parameter:
    kind, annotations = split(datatype)
    field = field_for(kind)
    validators = tuple(annotation for annotation in annotations if isinstance(annotation, Validator))
    unknown = [a for a in annotations if not isinstance(a, Validator | Default | Decimals | SingleStep)]
    if unknown:
        logging.warning("Unused annotations: %s", unknown)
    default = first(annotations, Default) or Default(field.default)
    if hasattr(wrapped, name):
        default = Default(getattr(wrapped, name))
    return Parameter(name, datatype, field, validators, default)


def _attribute(parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode), lambda self, value: parameter.write(self.parameterNode, value)
    )


class _Wrapper:
    """What every decorated class has. `parameterNode` is the vtkMRMLScriptedModuleNode."""

    _is_parameter_node_wrapper = True
    allParameters: dict[str, Parameter] = {}

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._connectors: dict[int, dict[str, Connector]] = {}
        self._observers: dict[int, int] = {}
        self._next_tag = 0
        self._updating_gui = False
        for parameter in self.allParameters.values():
            if not parameter.is_in(parameterNode):
                parameter.write(parameterNode, parameter.default.value)

    # Values by name.
    def _find(self, name: str) -> Parameter:
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {list(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name: str) -> Any:
        return self._find(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        self._find(name).write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        return self._find(name).default

    def dataType(self, name: str) -> Any:
        return self._find(name).datatype

    def isCached(self, name: str) -> bool:
        self._find(name)
        return False

    # The node.
    def StartModify(self) -> Any:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: Any) -> Any:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    # Widgets.
    def connectGui(self, gui: Any) -> int:
        """Bind every widget in `gui` that has the dynamic property SlicerParameterName. Returns a tag to undo it.

        `gui` is a widget, whose children count, or an object that has the widgets as attributes.
        """
        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if is_widget else vars(gui).values()
        named = ((widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets)
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """The same for an explicit mapping: name of the parameter -> widget."""
        connectors = {}
        for name in mapping:
            self._find(name)
        for name, widget in mapping.items():
            connectors[name] = make_connector(widget, self.dataType(name))
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._connectors[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._on_widget_changed(name, connector))
        self._observers[tag] = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._update_gui())
        return tag

    def disconnectGui(self, tag: int) -> None:
        for connector in self._connectors.pop(tag, {}).values():
            connector.onChanged(None)
        if tag in self._observers:
            self.RemoveObserver(self._observers.pop(tag))

    def _on_widget_changed(self, name: str, connector: Connector) -> None:
        if not self._updating_gui:
            with slicer.util.NodeModify(self):
                self.setValue(name, connector.read())

    def _update_gui(self) -> None:
        if self._updating_gui:
            return
        self._updating_gui = True
        try:
            for connectors in list(self._connectors.values()):
                for name, connector in connectors.items():
                    connector.write(self.getValue(name))
        finally:
            self._updating_gui = False
