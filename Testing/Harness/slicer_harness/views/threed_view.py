"""qMRMLThreeDView and its widget, through the real vtkMRMLViewLogic."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from slicer_harness.views.vtk_view import VTKView

DISPLAYABLE_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


class qMRMLThreeDView(VTKView):
    """Models and closed surfaces of segmentations; no volume rendering here."""

    def __init__(self, view_node: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add_displayable_managers(slicer.vtkMRMLThreeDViewDisplayableManagerFactory, DISPLAYABLE_MANAGERS)
        application_logic = slicer.app.applicationLogic()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.AddViewNode(view_node.GetLayoutName())  # finds the node that is there
        application_logic.GetViewLogics().AddItem(self._logic)
        view_node.SetInteractionNode(application_logic.GetInteractionNode())
        self._group.SetMRMLDisplayableNode(view_node)
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetDisplayableManagers(self._group)
        self._style.SetInteractor(self._interactor)

    def mrmlViewNode(self) -> Any:
        return self._logic.GetViewNode()

    def viewLogic(self) -> Any:
        return self._logic

    def resetFocalPoint(self) -> None:
        bounds = self._renderer.ComputeVisiblePropBounds()
        if bounds[1] >= bounds[0]:
            self._renderer.ResetCamera(bounds)
            self.scheduleRender()

    def resetCamera(self) -> None:
        self.resetFocalPoint()


class qMRMLThreeDWidget(QFrame):
    """One 3D view of the layout."""

    def __init__(self, view_node: Any) -> None:
        super().__init__()
        self._view = qMRMLThreeDView(view_node)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        self._controller = QWidget()  # the bar, empty here
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view

    def threeDController(self) -> QWidget:
        return self._controller

    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()

    def viewLogic(self) -> Any:
        return self._view.viewLogic()
