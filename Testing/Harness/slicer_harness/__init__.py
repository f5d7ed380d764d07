"""A stand-in for the application layer of 3D Slicer, for tests: real MRML from slicer-core, Qt from PySide6.

    import slicer_harness                      # with Testing/Harness on sys.path
    harness = slicer_harness.start()
    module = harness.load_module("MedUSIS/MedUSIS.py")
    harness.slicer.util.selectModule("MedUSIS")
    harness.slicer.modules.MedUSISWidget.ui.synthesizeButton.click()
    harness.wait_until(lambda: ..., timeout_s=5)

`start()` may be called again and gives the same harness; `running()` says whether there is one. See ../README.md for
what a test with it cannot prove.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicer_harness.harness import Harness

_harness: Harness | None = None


def missing() -> str | None:
    """Why the harness cannot start on this machine, with what to install; None if it can."""
    for package in ("slicer_core", "vtkmodules", "PySide6"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed: pip install slicer-core PySide6-Essentials (Python below 3.13)"
    try:
        for module in ("PySide6.QtWidgets", "slicer"):
            importlib.import_module(module)
    except ImportError as error:
        return f"Qt or OpenGL is missing ({error}): apt install libgl1 libegl1 libxkbcommon0 libdbus-1-3 libfontconfig1"
    return _rendering_fails()


def _rendering_fails() -> str | None:
    """Tried in another process: without a usable OpenGL driver VTK does not raise but ends the process."""
    environment = dict(os.environ)
    if sys.platform == "linux" and "DISPLAY" not in environment:
        environment.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    code = (
        "import vtkmodules.vtkRenderingOpenGL2, vtkmodules.vtkRenderingCore as core;"
        "window = core.vtkRenderWindow(); window.SetOffScreenRendering(True);"
        "window.AddRenderer(core.vtkRenderer()); window.Render()"
    )
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    if tried.returncode == 0:
        return None
    return "OpenGL cannot render off-screen: apt install libegl1 libgl1 libgl1-mesa-dri"


def start() -> Harness:
    """Start the application layer, once per process."""
    global _harness
    if _harness is None:
        from slicer_harness.harness import Harness

        _harness = Harness()
    return _harness


def running() -> Harness | None:
    """The started harness, or None. Asking starts nothing and imports no Qt."""
    return _harness
