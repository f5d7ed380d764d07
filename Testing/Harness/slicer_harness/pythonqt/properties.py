"""Qt properties as Python attributes: `label.text = "x"`, and `label.text()` raises because a str is not callable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QByteArray, QObject

# Virtual methods that Qt also lists as properties. Shiboken looks overrides up by name, so an attribute in their place
# would be called by Qt itself, without end.
VIRTUAL = frozenset({"sizeHint", "minimumSizeHint"})


class PropertyAttribute:
    """One Q_PROPERTY as a data descriptor.

    On the class (`QTimer.singleShot`) it still gives what PySide6 has there, a static method for example.
    """

    def __init__(self, name: str, original: Any = None, writable: bool = True) -> None:
        self.name, self.original, self.writable = name, original, writable

    def __get__(self, instance: QObject | None, owner: type | None = None) -> Any:
        if instance is None:
            return self if self.original is None else self.original
        value = QObject.property(instance, self.name)
        if isinstance(value, QByteArray) and self.name == "objectName":
            return bytes(value.data()).decode()
        return tuple(value) if isinstance(value, list) else value  # PythonQt shows string lists as tuples

    def __set__(self, instance: QObject, value: Any) -> None:
        kind = type(instance).__name__
        if not self.writable:
            raise AttributeError(f"Property '{self.name}' of {kind} object is not writable")
        if QObject.setProperty(instance, self.name, value):
            return
        # Enums and flags do not always survive the way through QVariant; the setter takes them.
        setter = getattr(instance, "set" + self.name[0].upper() + self.name[1:], None)
        if setter is None:
            raise AttributeError(f"Property '{self.name}' of {kind} object does not accept {value!r}")
        setter(value)


def install(qt_classes: Iterable[type]) -> None:
    """Put an attribute for every property on each of these classes."""
    for qt_class in qt_classes:
        _show_properties(qt_class)
    QObject.name = PropertyAttribute("objectName")  # PythonQt's short form


def _show_properties(qt_class: type) -> None:
    meta_object = getattr(qt_class, "staticMetaObject", None)
    if meta_object is None:
        return
    for index in range(meta_object.propertyOffset(), meta_object.propertyCount()):
        qt_property = meta_object.property(index)
        name = qt_property.name()
        if name in VIRTUAL:
            continue
        original = vars(qt_class).get(name) or getattr(qt_class, name, None)
        setattr(qt_class, name, PropertyAttribute(name, original, qt_property.isWritable()))
