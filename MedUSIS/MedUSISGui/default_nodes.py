"""Chooses the inputs where there is no doubt."""

from __future__ import annotations

import slicer

_OURS = "MedUSIS.Synthetic"


def select_default_nodes(parameters) -> None:
    """Select the only volume and the only segmentation of the scene, where nothing is selected yet."""
    if parameters.ct is None:
        parameters.ct = _only_one("vtkMRMLScalarVolumeNode", exact=True)
    if parameters.segmentation is None:
        parameters.segmentation = _only_one("vtkMRMLSegmentationNode") or _only_one("vtkMRMLLabelMapVolumeNode")


def _only_one(class_name: str, exact: bool = False):
    """The only node of a class that is not a result of ours; None when there is none or when there are several."""
    scene = slicer.mrmlScene
    found = [
        node
        for node in (scene.GetNthNodeByClass(n, class_name) for n in range(scene.GetNumberOfNodesByClass(class_name)))
        if node.GetAttribute(_OURS) is None
        and not node.GetHideFromEditors()
        and (not exact or node.GetClassName() == class_name)
    ]
    return found[0] if len(found) == 1 else None
