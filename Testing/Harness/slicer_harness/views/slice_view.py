"""qMRMLSliceView: what a slice node shows, through the real vtkMRMLSliceLogic."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QWidget

from slicer_harness.observing import observe
from slicer_harness.views.vtk_view import VTKView

DISPLAYABLE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
)


class qMRMLSliceView(VTKView):
    """Shows one slice node. The slice logic blends background, foreground and label; the managers draw the rest."""

    def __init__(self, slice_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mapper, self._actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._mapper.SetColorWindow(255)  # the blended image is ready to be shown: 0..255
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(self._actor)
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self.add_displayable_managers(slicer.vtkMRMLSliceViewDisplayableManagerFactory, DISPLAYABLE_MANAGERS)

        application_logic = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.SetSliceNode(slice_node)
        application_logic.GetSliceLogics().AddItem(self._logic)
        slice_node.SetInteractionNode(application_logic.GetInteractionNode())
        self._group.SetMRMLDisplayableNode(slice_node)
        observe(self, self._logic, vtk.vtkCommand.ModifiedEvent, self._on_logic_modified)
        self._on_logic_modified()

        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(self._logic)
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def sliceLogic(self) -> Any:
        return self._logic

    def interactorStyle(self) -> Any:
        return self._style

    def interactorObserver(self) -> Any:
        return self._style

    def on_size_changed(self, width: int, height: int) -> None:
        self._logic.ResizeSliceNode(width, height)

    def _on_logic_modified(self, *_: Any) -> None:
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._actor.SetVisibility(connection is not None)
        self.scheduleRender()
