"""The first lines of a child process in which packages that Slicer does not bring cannot be imported."""

from __future__ import annotations

from pathlib import Path

_HARNESS = Path(__file__).resolve().parents[1] / "Harness"


def slicer_without(blocked: tuple[str, ...]) -> str:
    """Code that starts the stand-in for Slicer as ``harness``; ``blocker`` in ``sys.meta_path`` refuses them."""
    return f"""
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

blocker = Blocker()
sys.meta_path.insert(0, blocker)
sys.path.insert(0, {str(_HARNESS)!r})
import slicer_harness
harness = slicer_harness.start()
from MedUSISLib.mrml import installation, installation_status
found = installation_status.dependency_status
installation.dependency_status = lambda path, *rest: found([], *rest)  # nothing is installed
"""
