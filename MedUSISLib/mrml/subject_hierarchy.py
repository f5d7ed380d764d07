"""Where the outputs stand in Slicer's data tree: with the CT's patient and study."""

from __future__ import annotations

from typing import Any

from MedUSISLib.mrml.result_nodes import SynthesisNodes


def place_beside(nodes: SynthesisNodes, ct: Any) -> None:
    """Put the MR beside the CT and everything that tells about the MR under the MR.

    Deleting the MR in the data tree so deletes its maps, table and texts too. A CT that stands at the top level (no
    patient, no study) gets the MR at the top level.
    """
    hierarchy = _hierarchy(ct.GetScene())
    if hierarchy is None:
        return
    ct_item = hierarchy.GetItemByDataNode(ct)
    parent = hierarchy.GetItemParent(ct_item) if ct_item else hierarchy.GetSceneItemID()
    mr_item = _item(hierarchy, nodes.mr, parent)
    for name, node in nodes.present().items():
        if name != "mr" and not node.GetHideFromEditors():
            _item(hierarchy, node, mr_item)


def take_out(scene: Any, node: Any) -> None:
    """Remove a node's item from the data tree; what stands below it moves up, the node itself stays."""
    hierarchy = _hierarchy(scene)
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    if item:
        hierarchy.RemoveItem(item, False, False)


def _hierarchy(scene: Any) -> Any:
    import slicer

    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _item(hierarchy: Any, node: Any, parent: int) -> int:
    # In the application the item exists since the node was added; in a process without the application it does not.
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return hierarchy.CreateItem(parent, node)
    hierarchy.SetItemParent(item, parent)
    return item
