"""Completes the `slicer` package of slicer-core: the Qt classes, `slicer.modules`, and the Python files of Slicer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import slicer

from slicer_harness import widget_classes

ADDITIONS = Path(__file__).resolve().parents[1] / "python"


def complete(real_python: str | None = None) -> None:
    """Make `import qt, ctk`, `slicer.ScriptedLoadableModule` and the other names of Slicer's Python work.

    Parameters
    ----------
    real_python
        Slicer's own Base/Python. ScriptedLoadableModule, parameterNodeWrapper, packaging and i18n come from there then,
        not from our stand-ins.
    """
    if str(ADDITIONS) not in sys.path:
        sys.path.insert(0, str(ADDITIONS))
    folder = Path(real_python) / "slicer" if real_python else ADDITIONS / "slicer_additions"
    if not folder.is_dir():
        raise FileNotFoundError(f"MEDUSIS_SLICER_PYTHON: there is no folder {folder}")
    if str(folder) not in slicer.__path__:
        slicer.__path__.append(str(folder))  # behind slicer-core's own, whose slicer.util stays
    for name in ("modules", "moduleNames"):
        module = ModuleType("slicer." + name)
        sys.modules[module.__name__] = module
        setattr(slicer, name, module)
    for name, widget_class in {**widget_classes.all_classes(), **_views()}.items():
        if not name.startswith("ctk"):
            setattr(slicer, name, widget_class)


def _views() -> dict[str, type]:
    from slicer_harness.main_window import qSlicerMainWindow, qSlicerModuleSelectorToolBar
    from slicer_harness.module_loader import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget
    from slicer_harness.views.layout_manager import qSlicerLayoutManager
    from slicer_harness.views.slice_view import qMRMLSliceView
    from slicer_harness.views.slice_widget import qMRMLSliceControllerWidget, qMRMLSliceWidget
    from slicer_harness.views.table_widget import qMRMLTableWidget
    from slicer_harness.views.threed_view import qMRMLThreeDView, qMRMLThreeDWidget

    classes = (
        qMRMLSliceControllerWidget, qMRMLSliceView, qMRMLSliceWidget, qMRMLTableWidget, qMRMLThreeDView,
        qMRMLThreeDWidget, qSlicerLayoutManager, qSlicerMainWindow, qSlicerModuleSelectorToolBar,
        qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget,
    )  # fmt: skip
    return {widget_class.__name__: widget_class for widget_class in classes}


def real_python_folder() -> str | None:
    """`MEDUSIS_SLICER_PYTHON`, if it is set."""
    return os.environ.get("MEDUSIS_SLICER_PYTHON") or None
