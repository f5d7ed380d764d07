"""Slice views of our own (review, reading): their names, what they show, and how they belong together.

The review has views of its own, so that the user's Red, Green and Yellow keep what they show. Everything here goes
through MRML nodes; only texts and the interactor style ask the application for the window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

CT, MR, UNCERTAINTY = "CT", "SyntheticMR", "Uncertainty"
ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
VIEW_GROUP = 53
"""Views of one group are linked with each other and with no other view."""

_PREFIX = "MedUSIS"
_CAUTION = "MedUSIS caution"
_CAUTION_COLOR = (1.0, 0.85, 0.2)
_UPPER_EDGE = 7  # of vtkCornerAnnotation; the Data Probe of Slicer writes into the four corners only
_OVERLAY_LAYER = 3  # above background, foreground and label


def view_name(kind: str, orientation: str) -> str:
    """Name of a view of the review.

    Examples
    --------
    >>> view_name(MR, "Axial")
    'MedUSIS-SyntheticMR-Axial'
    """
    return f"{_PREFIX}-{kind}-{orientation}"


def review_slices(scene: Any, kinds: tuple[str, ...] = (CT, MR, UNCERTAINTY)) -> Iterator[Any]:
    """The slice nodes of the review that exist, of some kinds, row by row."""
    for orientation in ORIENTATIONS:
        for kind in kinds:
            node = scene.GetSingletonNode(view_name(kind, orientation), "vtkMRMLSliceNode")
            if node is not None:
                yield node


def other_slices(scene: Any) -> Iterator[Any]:
    """All slice nodes that are not of the review: the user's own."""
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLSliceNode")
        if not (node.GetLayoutName() or "").startswith(f"{_PREFIX}-"):
            yield node


def composite_of(slice_node: Any) -> Any:
    """The node that says which volumes a view shows; made when the view has none yet."""
    import slicer

    composite = slicer.vtkMRMLSliceLogic.GetSliceCompositeNode(slice_node)
    if composite is None:
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetLayoutName(slice_node.GetLayoutName())
        composite = slice_node.GetScene().AddNode(composite)
    return composite


def show_volume(slice_node: Any, volume: Any) -> None:
    """Show one volume and nothing over it."""
    composite = composite_of(slice_node)
    composite.SetBackgroundVolumeID(volume.GetID())
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)


def show_nothing(slice_node: Any) -> None:
    """Show no volume at all."""
    composite = composite_of(slice_node)
    composite.SetBackgroundVolumeID(None)
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)


def show_blend(slice_node: Any, below: Any, above: Any, fraction: float) -> None:
    """Show two volumes over each other; with 1 only the upper one, with 0 only the lower one."""
    composite = composite_of(slice_node)
    if fraction >= 1.0:
        composite.SetBackgroundVolumeID(above.GetID())
        composite.SetForegroundVolumeID(None)
    else:
        composite.SetBackgroundVolumeID(below.GetID())
        composite.SetForegroundVolumeID(above.GetID())
        composite.SetForegroundOpacity(max(fraction, 0.0))


def show_overlay(slice_node: Any, volume: Any | None, opacity: float) -> None:
    """Lay a volume over what the view shows, blend included; ``None`` takes it away."""
    composite = composite_of(slice_node)
    set_overlay(composite, volume.GetID() if volume is not None else None)
    if volume is None:
        return
    if _has_layers(composite):
        composite.SetNthLayerOpacity(_OVERLAY_LAYER, opacity)
    else:
        composite.SetForegroundOpacity(opacity)


def overlay_of(composite: Any) -> str | None:
    """Id of the volume that lies over what a view shows."""
    if _has_layers(composite):
        return composite.GetNthLayerVolumeID(_OVERLAY_LAYER)
    return composite.GetForegroundVolumeID()


def set_overlay(composite: Any, volume_id: str | None) -> None:
    """Which volume lies over what a view shows.

    A layer of its own where Slicer has that (5.12), so that the foreground stays free for blending.
    """
    if _has_layers(composite):
        composite.SetNthLayerVolumeID(_OVERLAY_LAYER, volume_id)
    else:
        composite.SetForegroundVolumeID(volume_id)


def _has_layers(composite: Any) -> bool:
    return hasattr(composite, "SetNthLayerVolumeID")


def link(slice_nodes: list[Any], group: int = VIEW_GROUP) -> None:
    """Let views scroll and zoom together, also while the mouse button is down."""
    for node in slice_nodes:
        node.SetViewGroup(group)
        composite = composite_of(node)
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)


def fit(slice_node: Any) -> None:
    """Show the whole background volume, seen along the view's own direction."""
    logic = _slice_logic(slice_node)
    if logic is not None:
        logic.FitSliceToBackground()
        logic.SnapSliceOffsetToIJK()


def snap(slice_node: Any) -> None:
    """Move a view to the middle of the nearest slice of its volume."""
    logic = _slice_logic(slice_node)
    if logic is not None:
        logic.SnapSliceOffsetToIJK()


def jump(slice_node: Any, ras: tuple[float, float, float]) -> None:
    """Bring a place into the plane of a view, and into its middle when it lies outside the part that is shown."""
    slice_node.JumpSliceByOffsetting(*ras)
    inverse = slice_node.GetXYToRAS().NewInstance()
    inverse.DeepCopy(slice_node.GetXYToRAS())
    inverse.Invert()
    x, y = inverse.MultiplyPoint((*ras, 1.0))[:2]
    width, height = slice_node.GetDimensions()[:2]
    if not (0 <= x < width and 0 <= y < height):
        slice_node.JumpSliceByCentering(*ras)


def show_caution(slice_node: Any) -> bool:
    """Write "SYNTHETIC - not for diagnosis" into a view, where nothing else writes.

    Returns
    -------
    bool
        False where there is no window to write into.
    """
    return write_upper_edge(slice_node, _CAUTION, SYNTHETIC_NOTICE, _CAUTION_COLOR)


def write_upper_edge(slice_node: Any, name: str, text: str, color: tuple[float, float, float]) -> bool:
    """Write a text in the middle of a view's upper edge; again with the same name replaces it, "" removes it.

    Returns
    -------
    bool
        False where there is no window to write into.
    """
    import vtk

    view = _slice_view(slice_node)
    renderer = view.renderWindow().GetRenderers().GetFirstRenderer() if view is not None else None
    if renderer is None:
        return False
    props = renderer.GetViewProps()
    present = [props.GetItemAsObject(index) for index in range(props.GetNumberOfItems())]
    caution = next((prop for prop in present if prop.GetObjectName() == name), None)
    if caution is None:
        if not text:
            return True
        caution = vtk.vtkCornerAnnotation()
        caution.SetObjectName(name)
        caution.SetMaximumFontSize(14)
        caution.SetMinimumFontSize(8)
        style = caution.GetTextProperty()
        style.SetColor(*color)
        style.SetBold(True)
        style.SetShadow(True)
        renderer.AddViewProp(caution)
    if not text:
        renderer.RemoveViewProp(caution)
    elif caution.GetText(_UPPER_EDGE) != text:
        caution.SetText(_UPPER_EDGE, text)
    view.scheduleRender()
    return True


def interactor_style(slice_node: Any) -> Any:
    """What a view makes of mouse and keys (vtkMRMLSliceViewInteractorStyle), ``None`` where there is no window."""
    view = _slice_view(slice_node)
    if view is None:
        return None
    return view.interactorObserver() if hasattr(view, "interactorObserver") else view.interactorStyle()


def _slice_logic(slice_node: Any) -> Any:
    application = _application()
    return application.applicationLogic().GetSliceLogic(slice_node) if application is not None else None


def _slice_view(slice_node: Any) -> Any:
    application = _application()
    manager = application.layoutManager() if application is not None else None
    widget = manager.sliceWidget(slice_node.GetLayoutName()) if manager is not None else None
    return widget.sliceView() if widget is not None else None


def _application() -> Any:
    import slicer

    return getattr(slicer, "app", None)
