"""Notices when the scene is closed or when a node that is needed goes away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import vtk


class SceneObserver:
    """Watches a scene until it is told to stop.

    Parameters
    ----------
    scene : vtkMRMLScene
    nodes : mapping of str to vtkMRMLNode
        What must stay, by its role ("the CT").
    on_loss : callable
        ``on_loss(code, message)``; code SCENE_CLOSED or INPUT_REMOVED. It may be called more than once.
    """

    def __init__(self, scene: Any, nodes: Mapping[str, Any], on_loss: Callable[[str, str], None]) -> None:
        import slicer

        self._scene = scene
        self._roles = {node.GetID(): role for role, node in nodes.items()}
        self._on_loss = on_loss
        self._tags = [
            scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._closing),
            scene.AddObserver(slicer.vtkMRMLScene.NodeAboutToBeRemovedEvent, self._removing),
        ]

    def close(self) -> None:
        """Watch no longer; again does nothing."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []

    def complete(self) -> bool:
        """True when every node is still in the scene."""
        return all(self._scene.GetNodeByID(identifier) is not None for identifier in self._roles)

    def _closing(self, caller: Any, event: str) -> None:
        self._on_loss("SCENE_CLOSED", "The scene was closed.")

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _removing(self, caller: Any, event: str, node: Any) -> None:
        role = self._roles.get(node.GetID()) if node is not None else None
        if role is not None:
            self._on_loss("INPUT_REMOVED", f"{role[:1].upper()}{role[1:]} was removed from the scene.")
