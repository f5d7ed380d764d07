"""Puts nodes into the subject hierarchy, and takes them out, as Slicer's plugin logic (a Qt class) does.

slicer-core has the hierarchy itself but nothing that fills it. What Slicer's plugins do beyond this is missing: no
items for single segments, no icons, no menus, no DICOM patients and studies.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk

SHOWN_CLASSES = (
    "vtkMRMLVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLModelNode",
    "vtkMRMLMarkupsNode",
    "vtkMRMLTransformNode",
    "vtkMRMLTableNode",
    "vtkMRMLTextNode",
)


class SubjectHierarchyFiller:
    """Observes a scene for as long as it exists."""

    def __init__(self, scene: Any) -> None:
        kind = slicer.vtkMRMLScene
        for event, method in (
            (kind.NodeAddedEvent, self._on_node_added),
            (kind.NodeAboutToBeRemovedEvent, self._on_node_about_to_be_removed),
            (kind.EndImportEvent, self._on_import_ended),
            (kind.EndCloseEvent, self._on_close_ended),
        ):
            scene.AddObserver(event, method)
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, scene: Any, _event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSubjectHierarchyNode"):
            slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        elif not scene.IsImporting():
            self._add(scene, node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_about_to_be_removed(self, scene: Any, _event: str, node: Any) -> None:
        if scene.IsClosing() or not any(node.IsA(name) for name in SHOWN_CLASSES):
            return
        hierarchy = scene.GetSubjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
        if item:
            hierarchy.RemoveItem(item, False, False)

    def _on_import_ended(self, scene: Any, _event: str) -> None:
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
        for name in SHOWN_CLASSES:
            for node in slicer.util.getNodesByClass(name, scene):
                self._add(scene, node)

    def _on_close_ended(self, scene: Any, _event: str) -> None:
        # Closing removed the hierarchy node; without a new one the scene keeps pointing at it.
        slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)

    @staticmethod
    def _add(scene: Any, node: Any) -> None:
        if node.GetHideFromEditors() or not any(node.IsA(name) for name in SHOWN_CLASSES):
            return
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        if not hierarchy.GetItemByDataNode(node):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
