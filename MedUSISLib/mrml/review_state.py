"""Whether the review is on the screen, and the two nodes of a scene that all its views share."""

from __future__ import annotations

from typing import Any

FIRST_LAYOUT = 53100
NUMBER_OF_LAYOUTS = 4
"""Ids of the review's layouts: Slicer's own end at about 100, and extensions take what they like."""


def layout_node(scene: Any) -> Any:
    """The node that says how the views are arranged, or ``None`` in a scene without views."""
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def crosshair_node(scene: Any) -> Any:
    """The crosshair of all views, or ``None`` in a scene without views."""
    return scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")


def is_review_shown(scene: Any) -> bool:
    """Whether the views on the screen are those of the review."""
    node = layout_node(scene)
    return node is not None and FIRST_LAYOUT <= node.GetViewArrangement() < FIRST_LAYOUT + NUMBER_OF_LAYOUTS
