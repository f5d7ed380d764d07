"""`import ctk`, as Slicer's modules do: stand-ins for the CTK widgets (see slicer_harness/ctk_widgets)."""

from __future__ import annotations

import qt  # noqa: F401 - PySide6 follows PythonQt's rules before the first widget is made
from slicer_harness.ctk_widgets import *  # noqa: F403
