"""What is drawn over the CT and the MR: uncertainty, mask consistency, outlines of the labels.

In the review the overlays appear in its views of the CT and the MR. Outside the review, in the user's own views: who
switches an overlay on there wants to see it there.
"""

from __future__ import annotations

from typing import Any

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.result_maps import RANGE_ATTRIBUTES
from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.review_state import is_review_shown

OVERLAY_OPACITY = 0.6
_FILL_BEFORE = "MedUSIS.FillBefore"


def show_uncertainty(nodes: SynthesisNodes, on: bool, opacity: float = OVERLAY_OPACITY) -> None:
    """Lay the uncertainty over the CT and the MR, or take it away; what is below the threshold stays clear."""
    if nodes.uncertainty is None:
        return
    for view in target_slices(nodes.mr.GetScene(), (slice_views.CT, slice_views.MR)):
        slice_views.show_overlay(view, nodes.uncertainty if on else None, opacity)


def set_uncertainty_threshold(nodes: SynthesisNodes, value: float) -> None:
    """Show uncertainty only from a variance on, in the overlay and in the uncertainty's own view."""
    if nodes.uncertainty is None:
        return
    display = nodes.uncertainty.GetDisplayNode()
    # Never down to zero, which is where there is no body.
    display.SetThreshold(max(float(value), 1e-3 * uncertainty_range(nodes)[0], 1e-12), display.GetUpperThreshold())
    display.SetApplyThreshold(True)


def uncertainty_range(nodes: SynthesisNodes) -> tuple[float, float]:
    """Variance that few voxels of the body stay below, and that few exceed: the ends of a slider."""
    if nodes.uncertainty is None:
        return 0.0, 1.0
    low, high = (nodes.uncertainty.GetAttribute(name) for name in RANGE_ATTRIBUTES)
    return float(low or 0.0), float(high or 1.0)


def show_mask_consistency(nodes: SynthesisNodes, on: bool) -> None:
    """Outline where tissue is missing (blue) and where there is too much (orange), over the CT and the MR."""
    if nodes.mask_consistency is None:
        return
    display = nodes.mask_consistency.GetDisplayNode()
    _restrict(display, nodes.mask_consistency.GetScene())
    display.SetVisibility(bool(on))


def show_label_contours(segmentation: Any, on: bool) -> None:
    """Outline the classes of a segmentation or label map over the CT and the MR.

    Parameters
    ----------
    segmentation : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
        ``nodes.labels``, or what the user gave to the synthesis.
    """
    if segmentation is None:
        return
    scene = segmentation.GetScene()
    if segmentation.IsA("vtkMRMLLabelMapVolumeNode"):
        for view in target_slices(scene, (slice_views.CT, slice_views.MR)):
            slice_views.composite_of(view).SetLabelVolumeID(segmentation.GetID() if on else None)
            slice_views.composite_of(view).SetLabelOpacity(1.0)
            view.SetUseLabelOutline(bool(on))
        return
    segmentation.CreateDefaultDisplayNodes()
    display = segmentation.GetDisplayNode()
    before = display.GetAttribute(_FILL_BEFORE)
    if on:
        if before is None:
            display.SetAttribute(_FILL_BEFORE, "1" if display.GetVisibility2DFill() else "0")
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
    elif before is not None:
        display.SetVisibility2DFill(before == "1")
        display.RemoveAttribute(_FILL_BEFORE)
    _restrict(display, scene)
    display.SetVisibility(bool(on))


def place_outlines(nodes: SynthesisNodes) -> None:
    """Let the outlines that are switched on appear in the views of the review (or, outside it, in all)."""
    for node in (nodes.mask_consistency, nodes.labels):
        if node is not None and node.GetDisplayNode() is not None:
            _restrict(node.GetDisplayNode(), node.GetScene())


def target_slices(scene: Any, kinds: tuple[str, ...]) -> list[Any]:
    """The views that an overlay goes to."""
    if is_review_shown(scene):
        return list(slice_views.review_slices(scene, kinds))
    return list(slice_views.other_slices(scene))


def _restrict(display: Any, scene: Any) -> None:
    display.RemoveAllViewNodeIDs()
    if is_review_shown(scene):
        for view in slice_views.review_slices(scene, (slice_views.CT, slice_views.MR)):
            display.AddViewNodeID(view.GetID())
