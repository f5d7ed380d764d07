"""A plain Python signal: what Qt's signals do, without Qt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

_logger = logging.getLogger(__name__)


class Signal:
    """A list of listeners that are called one after the other, in the thread of the caller.

    Custom Qt signals have crashed PythonQt, and code without Qt needs signals too. A listener that raises does not
    keep the others from hearing; its error is logged.

    Examples
    --------
    >>> progressed = Signal()
    >>> progressed.connect(lambda done, total: print(done, "of", total))
    >>> progressed(1, 4)
    1 of 4
    """

    def __init__(self) -> None:
        self._listeners: list[Callable[..., Any]] = []

    def connect(self, listener: Callable[..., Any]) -> None:
        """Call ``listener`` with the signal's arguments from now on; connecting twice has no further effect."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def disconnect(self, listener: Callable[..., Any]) -> None:
        """Stop calling ``listener``; nothing happens when it was not connected."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def disconnect_all(self) -> None:
        """Stop calling anybody."""
        self._listeners.clear()

    def __call__(self, *arguments: Any) -> None:
        """Tell every listener; one that is disconnected meanwhile is not called any more."""
        for listener in tuple(self._listeners):
            if listener not in self._listeners:
                continue
            try:
                listener(*arguments)
            except Exception:
                _logger.exception("a listener of a signal failed")
