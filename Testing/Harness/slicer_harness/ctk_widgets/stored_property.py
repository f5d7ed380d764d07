"""A Qt property that is only remembered: `spinBoxVisible = stored(bool, "spinBoxVisible", True)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property


def stored(kind: type | str, name: str, default: Any, changed: Callable[[Any, Any], None] | None = None) -> Property:
    """A property kept in an attribute of the Python object.

    Parameters
    ----------
    kind
        Qt type of the property: bool, int, float, str or a C++ type name such as "QStringList".
    name
        Name of the property.
    default
        What it is before it is first set.
    changed
        Called with (widget, value) after a new value was stored.
    """
    attribute = "_stored_" + name

    def read(self: Any) -> Any:
        return vars(self).get(attribute, default)

    def write(self: Any, value: Any) -> None:
        if value == read(self):
            return
        vars(self)[attribute] = value
        if changed is not None:
            changed(self, value)

    return Property(kind, read, write)
