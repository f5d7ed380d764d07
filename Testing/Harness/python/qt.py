"""`import qt`, as Slicer's modules do: all of Qt in one module, under PythonQt's rules (slicer_harness/pythonqt)."""

from __future__ import annotations

from slicer_harness import pythonqt

pythonqt.install()
globals().update(pythonqt.namespace())
