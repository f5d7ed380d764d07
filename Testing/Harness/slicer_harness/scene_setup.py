"""The scene and the logics behind it, as Slicer has them after its start; no Qt in here."""

from __future__ import annotations

import colorsys
import importlib
import sys
from pathlib import Path
from typing import Any

import slicer
import vtk

MODULE_LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Units": "vtkSlicerUnitsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Cameras": "vtkSlicerCamerasModuleLogic",
    "Data": "vtkSlicerDataModuleLogic",
}
# What Slicer's own Python files import the wrapped libraries as.
LIBRARIES = ("vtkITK", "vtkTeem", "vtkSegmentationCore", "MRMLCore", "MRMLLogic", "MRMLDisplayableManager", "MRMLCLI")


def set_up_scene(scene: Any, application_logic: Any, folder: str) -> None:
    """Connect scene and application logic; add what every scene of Slicer holds.

    `application_logic` brings the real vtkMRMLSliceLinkLogic and vtkMRMLViewLinkLogic with it.
    """
    scene.SetURL(str(Path(folder) / "scene.mrml"))
    scene.SetRootDirectory(folder)
    application_logic.SetMRMLScene(scene)
    application_logic.SetTemporaryPath(folder)
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    application_logic.SetSliceLogics(vtk.vtkCollection())
    application_logic.SetViewLogics(vtk.vtkCollection())


def write_color_files(application_logic: Any, home: str) -> None:
    """Labelmaps ask for the colour table "GenericColors", which Slicer reads from its share folder; its colours here
    are other ones."""
    application_logic.SetHomeDirectory(home)
    application_logic.SetShareDirectory("share")
    folder = Path(home) / "share" / "ColorFiles"
    folder.mkdir(parents=True)
    colors = [colorsys.hsv_to_rgb(0.381966 * value % 1, 0.6, 0.9) for value in range(1, 320)]
    lines = [f"{value} label_{value} " + " ".join(f"{255 * c:.0f}" for c in rgb) for value, rgb in enumerate(colors, 1)]
    (folder / "GenericColors.txt").write_text("0 Black 0 0 0 0\n" + "".join(f"{line} 255\n" for line in lines))


def make_module_logics(scene: Any, application_logic: Any, folder: str) -> dict[str, Any]:
    """The logics of the C++ modules, observing the scene, by module name."""
    logics = {}
    # slicer-core ships no terminologies; their logic says so at length.
    verbosity = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    for name, class_name in MODULE_LOGICS.items():
        logic = getattr(slicer, class_name)()
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(folder)
        logic.SetMRMLApplicationLogic(application_logic)
        application_logic.SetModuleLogic(name, logic)
        logic.SetMRMLScene(scene)
        logics[name] = logic
    color_logic = application_logic.GetColorLogic()
    color_logic.SetMRMLScene(scene)
    color_logic.AddDefaultColorNodes()
    vtk.vtkLogger.SetStderrVerbosity(verbosity)
    return logics


def set_up_cache(scene: Any, application_logic: Any, folder: str) -> list[Any]:
    """The cache of downloaded files, `slicer.mrmlScene.GetCacheManager()`. The returned logics have to be kept."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(scene)
    remote.SetMRMLApplicationLogic(application_logic)
    remote.GetCacheManager().SetRemoteCacheDirectory(folder)
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLScene(scene)
    data.SetMRMLApplicationLogic(application_logic)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    return [remote, data]


def alias_libraries() -> None:
    """`import vtkSegmentationCorePython as vtkSegmentationCore` works as in Slicer."""
    for name in LIBRARIES:
        sys.modules[name + "Python"] = importlib.import_module("slicer_core." + name)
    sys.modules["SlicerBaseLogicPython"] = importlib.import_module("slicer_core.vtkSlicerBaseLogic")
    sys.modules["vtkAddonPython"] = importlib.import_module("slicer_core.vtkAddonPython")
