"""Exceptions that Python code raises inside a Qt slot, a timer or a VTK observer.

Slicer prints them on the console and goes on; so do PySide6 and VTK, through `sys.excepthook`. Here they are also
kept, so that a test can fail because of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

uncaught: list[BaseException] = []
_previous = None


def install() -> None:
    global _previous
    if _previous is None:
        _previous = sys.excepthook
        sys.excepthook = _keep


@contextmanager
def contained() -> Iterator[None]:
    """Around the handling of events: PySide6 throws what a timer's function raised out of `processEvents`."""
    try:
        yield
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)


def _keep(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    uncaught.append(error)
    if _previous is not None:
        _previous(kind, error, traceback)
