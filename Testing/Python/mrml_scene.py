"""The scene of 3D Slicer for tests, from slicer-core alone: no Qt, no window, no Slicer application.

``start_scene`` gives the ``slicer`` package what it has in the application and slicer-core has not:
``slicer.mrmlScene`` and ``slicer.modules.<name>.logic()``. Where the stand-in for the whole application runs
(``Testing/Harness``), its scene is used instead. The fixture ``mrml_scene`` is what tests ask for.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import pytest

_LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "units": "vtkSlicerUnitsLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "models": "vtkSlicerModelsLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "tables": "vtkSlicerTablesLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
}
_NAMES_IN_APPLICATION = {
    "colors": "Colors",
    "subjecthierarchy": "SubjectHierarchy",
}
_kept: list[Any] = []


def start_scene() -> Any:
    """The ``slicer`` package with a scene and the logics of the core modules; made once per process."""
    import slicer
    import slicer.util

    if hasattr(slicer, "app") or (_kept and getattr(slicer, "mrmlScene", None) is _kept[0]):
        return slicer
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    slicer.mrmlScene = scene
    modules = types.ModuleType("slicer.modules")
    kept: list[Any] = [scene, application]
    for name, class_name in _LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(application)
        application.SetModuleLogic(_NAMES_IN_APPLICATION.get(name, name.capitalize()), logic)
        logic.SetMRMLScene(scene)
        setattr(modules, name, types.SimpleNamespace(name=name, logic=lambda logic=logic: logic))
        kept.append(logic)
    modules.colors.logic().AddDefaultColorNodes()
    slicer.modules = modules
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    _kept[:] = kept
    return slicer


@pytest.fixture
def mrml_scene() -> Iterator[Any]:
    """An empty scene with subject hierarchy and default colours; ``slicer.mrmlScene`` is the same object."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    slicer = start_scene()
    scene = slicer.mrmlScene
    scene.Clear(0)
    # The application's subject hierarchy makes itself a new node after closing; a scene alone keeps pointing at the old
    # one, which is in no scene and is not saved.
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
    yield scene
    scene.Clear(0)
