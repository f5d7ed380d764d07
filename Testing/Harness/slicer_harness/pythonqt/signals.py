"""Connecting by signature, as PythonQt does: `button.connect("clicked(bool)", f)`.

Real Slicer returns False for a signal that does not exist, and nothing happens later. Here it raises, on purpose.
"""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaMethod, QMetaObject, QObject, SignalInstance

_connections: weakref.WeakKeyDictionary[QObject, dict[str, list[tuple[Callable, Callable]]]]
_connections = weakref.WeakKeyDictionary()


def connect(sender: QObject, *arguments: Any) -> bool:
    """`sender.connect(signature, callable)` or `sender.connect(signature, receiver, slot)`.

    Raises
    ------
    RuntimeError
        The sender has no signal of this signature.
    """
    signature, callback = _signature_and_callable(arguments)
    signal, normalized = find_signal(sender, signature)
    sent = _argument_count(normalized)
    taken = _positional_parameters(callback)
    count = sent if taken is None else min(sent, taken)

    def call(*values: Any) -> Any:
        return callback(*values[:count])

    _connections.setdefault(sender, {}).setdefault(normalized, []).append((callback, call))
    signal.connect(call)
    return True


def disconnect(sender: QObject, *arguments: Any) -> bool:
    """Undo `connect`: one callable, or everything that was connected to the signature. False if there was nothing."""
    signature, callback = arguments[0], None
    if len(arguments) > 1:
        signature, callback = _signature_and_callable(arguments)
    signal, normalized = find_signal(sender, signature)
    known = _connections.get(sender, {}).pop(normalized, [])
    kept = []
    for connected, call in known:
        if callback is None or connected == callback:
            signal.disconnect(call)
        else:
            kept.append((connected, call))
    if kept:
        _connections[sender][normalized] = kept
    return len(kept) < len(known)


def find_signal(sender: QObject, signature: str) -> tuple[SignalInstance, str]:
    """The bound signal for a C++ signature, and the signature in Qt's normal form.

    Stand-ins are Python classes; they list the C++ signatures of the real widget in `cpp_signals`
    (signature -> name of the Python signal), because "vtkMRMLNode*" is no type that PySide6 knows.
    """
    normalized = bytes(QMetaObject.normalizedSignature(signature).data()).decode()
    for kind in type(sender).__mro__:
        name = vars(kind).get("cpp_signals", {}).get(normalized)
        if name is not None:
            return getattr(sender, name), normalized
    if normalized not in _signal_signatures(sender):
        raise RuntimeError(f"QObject::connect: No such signal {type(sender).__name__}::{normalized}")
    name, _, arguments = normalized[:-1].partition("(")
    signal = getattr(sender, name)
    overloads = {s for s in _signal_signatures(sender) if s.startswith(name + "(")}
    if len(overloads) > 1 and arguments and _is_overload(signal, arguments):
        signal = signal[arguments]
    return signal, normalized


def _is_overload(signal: SignalInstance, arguments: str) -> bool:
    try:
        signal[arguments]
    except (IndexError, KeyError, TypeError):  # the same signal with a default argument left out, no overload
        return False
    return True


def _signal_signatures(sender: QObject) -> set[str]:
    meta_object = type(sender).staticMetaObject  # sender.metaObject() is a wrapper that dies with the sender
    methods = (meta_object.method(index) for index in range(meta_object.methodCount()))
    signals = (method for method in methods if method.methodType() is QMetaMethod.MethodType.Signal)
    return {bytes(signal.methodSignature().data()).decode() for signal in signals}


def _signature_and_callable(arguments: tuple[Any, ...]) -> tuple[str, Callable]:
    if len(arguments) == 2 and isinstance(arguments[0], str) and callable(arguments[1]):
        return arguments[0], arguments[1]
    if len(arguments) == 3 and isinstance(arguments[1], str) and arguments[1].startswith("2"):
        return arguments[1][1:], arguments[2]  # PySide6 itself, in QTimer.singleShot: "2" marks a signal
    if len(arguments) == 3 and isinstance(arguments[1], QObject):  # ("sig()", receiver, "slot()")
        slot = re.match(r"\w+", arguments[2])
        if slot is not None:
            return arguments[0], getattr(arguments[1], slot.group())
    raise TypeError(f"connect(signature, callable) or connect(signature, receiver, slot) expected, not {arguments!r}")


def _argument_count(normalized: str) -> int:
    inside = normalized.partition("(")[2][:-1]
    return inside.count(",") + 1 if inside else 0


def _positional_parameters(callback: Callable) -> int | None:
    """How many positional arguments it takes; None is any number. PythonQt, too, sends only as many as fit."""
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
