"""What every QObject can and cannot do under PythonQt.

It can: children by object name (`window.applyButton`), dynamic properties as attributes, `className()`, `delete()`,
`findChildren` by class name. It cannot: take new Python attributes (C++ objects have no place for them), have a method
replaced, or take keyword arguments (PythonQt ignores them without a word; here they raise).
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import shiboken6
from PySide6 import QtCore
from PySide6.QtCore import QObject, SignalInstance

from slicer_harness.pythonqt import signals

_generic_get = QObject.__getattribute__
_generic_set = shiboken6.Object.__setattr__  # what QObject inherits; its own refuses subclasses
_find_children = QObject.findChildren


class PositionalMethod:
    """A C++ method that refuses keyword arguments."""

    __slots__ = ("_method",)

    def __init__(self, method: Any) -> None:
        self._method = method

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if keywords:
            names = ", ".join(keywords)
            raise TypeError(f"{self._method.__name__}() is a C++ method: PythonQt takes no keyword arguments ({names})")
        return self._method(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)

    def __eq__(self, other: object) -> bool:
        return self._method == (other._method if isinstance(other, PositionalMethod) else other)

    def __hash__(self) -> int:
        return hash(self._method)


def install(qt_classes: Iterable[type]) -> None:
    """Patch QObject, and of every class what Shiboken does not inherit."""
    # Shiboken hands every instance its own `connect` and `disconnect` (static and bound method at once), so replacing
    # the class attributes alone is not seen.
    own = {"connect": signals.connect, "disconnect": signals.disconnect}

    def get(self: QObject, name: str) -> Any:
        if name in own:
            return types.MethodType(own[name], self)
        value = _generic_get(self, name)
        if type(value) is types.BuiltinMethodType and not name.startswith("_"):
            return PositionalMethod(value)
        return value

    QObject.connect, QObject.disconnect = signals.connect, signals.disconnect
    QObject.__getattribute__ = get
    QObject.__getattr__ = _dynamic_property_or_child
    for kind in qt_classes:  # Shiboken gives each class a __setattr__ of its own
        if "__setattr__" in vars(kind):
            kind.__setattr__ = _set
    # Not self.metaObject(): PySide6's wrapper of it dies with the object and is handed out again.
    QObject.className = lambda self: type(self).staticMetaObject.className()
    QObject.delete = lambda self: shiboken6.delete(self)
    QObject.findChildren = find_children
    QObject.findChild = lambda self, kind=QObject, name=None: next(iter(find_children(self, kind, name)), None)
    if not hasattr(QtCore.QEventLoop, "exec_"):  # dialogs and menus: dialogs.py
        QtCore.QEventLoop.exec_ = lambda self, *arguments: self.exec(*arguments)


def find_children(parent: QObject, kind: type | str = QObject, name: str | None = None, *options: Any) -> list[QObject]:
    """`findChildren(class or class name, object name)`."""
    if not isinstance(kind, str):
        return _find_children(parent, kind, name, *options) if name else _find_children(parent, kind)
    found = (child for child in _find_children(parent, QObject) if child.inherits(kind))
    return [child for child in found if not name or child.objectName == name]


def is_cpp_class(kind: type) -> bool:
    """Whether Slicer has this class in C++: Qt's own, and our stand-ins for ctk and qMRML."""
    return kind.__module__.startswith(("PySide6", "slicer_harness"))


def _set(self: QObject, name: str, value: Any) -> None:
    kind = type(self)
    if isinstance(value, SignalInstance):  # PySide6 keeps its signals this way
        _generic_set(self, name, value)
        return
    if isinstance(value, QObject) and QObject.property(value, "objectName") == name and is_cpp_class(kind):
        return  # PySide6's ui loader makes children attributes of the root; `__getattr__` finds them by name anyway
    # Stand-ins keep their own state in attributes with an underscore.
    if is_cpp_class(kind) and not (name.startswith("_") and kind.__module__.startswith("slicer_harness")):
        present = getattr(kind, name, None)
        if isinstance(present, QtCore.Property):  # of a stand-in
            if present.fset is None:
                raise AttributeError(f"Property '{name}' of {kind.__name__} object is not writable")
            present.fset(self, value)
            return
        if _has_data_descriptor(kind, name):  # a Qt property, or a Python property of a stand-in
            pass
        elif self.property(name) is not None:  # a dynamic property
            self.setProperty(name, value)
            return
        elif present is not None and callable(present):
            raise AttributeError(f"Slot '{name}' can not be overwritten on this {kind.__name__} object")
        elif present is None:
            raise AttributeError(
                f"Attribute '{name}' does not exist on {kind.__name__} and creation of new attributes on C++ objects "
                "is not allowed"
            )
    _generic_set(self, name, value)


def _has_data_descriptor(kind: type, name: str) -> bool:
    return any(hasattr(vars(base).get(name), "__set__") for base in kind.__mro__ if name in vars(base))


def _dynamic_property_or_child(self: QObject, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = QObject.property(self, name)
    if value is not None:
        return value
    for child in QObject.children(self):
        if QObject.property(child, "objectName") == name:
            return child
    raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")
