"""Nodes leave the scene with everything that only they used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.slice_views import overlay_of, set_overlay
from MedUSISLib.mrml.subject_hierarchy import take_out


def remove_nodes(nodes: Sequence[Any]) -> None:
    """Remove nodes, their display and storage nodes and their place in the data tree; gone ones are passed over."""
    for node in nodes:
        scene = node.GetScene() if node is not None else None
        if scene is None or not scene.IsNodePresent(node):
            continue
        attendants = _attendants(node)
        take_out(scene, node)
        scene.RemoveNode(node)
        for attendant in attendants:
            if scene.IsNodePresent(attendant):
                scene.RemoveNode(attendant)


def swap_in_views(scene: Any, old: SynthesisNodes, new: SynthesisNodes) -> None:
    """Where a slice view shows an old volume, show the new one of the same kind."""
    replaced = {}
    for name, node in old.present().items():
        successor = getattr(new, name)
        if successor is not None:
            replaced[node.GetID()] = successor.GetID()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")):
        view = scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")
        for layer in ("Background", "Foreground", "Label"):
            shown = getattr(view, f"Get{layer}VolumeID")()
            if shown in replaced:
                getattr(view, f"Set{layer}VolumeID")(replaced[shown])
        overlay = overlay_of(view)
        if overlay in replaced:
            set_overlay(view, replaced[overlay])


def _attendants(node: Any) -> list[Any]:
    found = []
    if node.IsA("vtkMRMLDisplayableNode"):
        found += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        found += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    return [attendant for attendant in found if attendant is not None]
