"""Those functions of `slicer.util` that would open a window, start pip or end the program: recorded instead.

All others stay slicer-core's own, which are Slicer's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import slicer.util

from slicer_harness.messages import messages
from slicer_harness.pip_calls import pip_calls

# name -> (log level, answer in testing mode, None for a mere statement); as in slicer.util.
DISPLAYS = {
    "infoDisplay": (logging.INFO, None),
    "warningDisplay": (logging.WARNING, None),
    "errorDisplay": (logging.ERROR, None),
    "confirmOkCancelDisplay": (logging.INFO, True),
    "confirmYesNoDisplay": (logging.INFO, True),
    "confirmRetryCloseDisplay": (logging.ERROR, False),
}


def _display(name: str, level: int, default: bool | None) -> Callable[..., bool | None]:
    def display(text: str, windowTitle: str | None = None, parent: Any = None, **options: Any) -> bool | None:
        logging.log(level, text)
        details = str(options.get("detailedText", ""))
        return messages.show(name, text, windowTitle or "", default, details)

    display.__name__ = name
    display.__doc__ = f"slicer.util.{name}, recorded; see slicer_harness/messages.py."
    return display


def _message_box(text: str, parent: Any = None, **options: Any) -> Any:
    import qt

    logging.info(text)
    details = str(options.get("detailedText", ""))
    return messages.show("messageBox", text, options.get("windowTitle", ""), qt.QMessageBox.Ok, details)


def _delay_display(message: str, autoCloseMsec: int = 1000, parent: Any = None, **options: Any) -> None:
    logging.info(message)
    messages.show("delayDisplay", message)
    slicer.app.processEvents()


def _execute_python_module(
    module: str,
    args: list[str],
    blocking: bool = True,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    """Only pip is ever started this way; it is recorded, and "runs" at once."""
    pip_calls.record(f"python -m {module}", args)
    if completedCallback is not None:
        completedCallback(0)


def install() -> None:
    for name, (level, default) in DISPLAYS.items():
        setattr(slicer.util, name, _display(name, level, default))
    slicer.util.messageBox = _message_box
    slicer.util.delayDisplay = _delay_display
    slicer.util.executePythonModule = _execute_python_module
