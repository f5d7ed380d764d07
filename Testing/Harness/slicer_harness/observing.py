"""VTK observers that end with the widget they belong to, as C++ widgets' connections do."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QObject


def observe(owner: QObject, observed: Any, event: Any, method: Callable[..., None], node_data: bool = False) -> int:
    """Call the owner's method on an event of a VTK object, for as long as the owner exists.

    Parameters
    ----------
    owner
        A Qt object; neither this observer nor VTK keeps it alive.
    observed, event
        As for `observed.AddObserver(event, ...)`.
    method
        Bound method of the owner, called with (caller, event name) and, with `node_data`, the node of the event.

    Returns
    -------
    int
        The observer's tag.
    """
    reference, function = weakref.ref(owner), method.__func__  # type: ignore[attr-defined]

    def call(caller: Any, *arguments: Any) -> None:
        alive = reference()
        if alive is None or not shiboken6.isValid(alive):
            caller.RemoveObserver(tag)
        else:
            function(alive, caller, *arguments)

    if node_data:
        call.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
    tag = observed.AddObserver(event, call)
    return tag
