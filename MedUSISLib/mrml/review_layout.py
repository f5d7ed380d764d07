"""The review: CT, synthetic MR and uncertainty side by side in linked views, and back to what was there before."""

from __future__ import annotations

from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.colors import legend_of, show_legend
from MedUSISLib.mrml.overlays import place_outlines
from MedUSISLib.mrml.result_nodes import SynthesisNodes, ct_of, nodes_of, synthetic_volumes
from MedUSISLib.mrml.review_state import FIRST_LAYOUT, crosshair_node, is_review_shown, layout_node

AXIAL, ALL = "axial", "all"
"""Arrangements: three axial views in a row, or axial, coronal and sagittal rows of them."""

_TITLES = {slice_views.CT: "CT", slice_views.MR: "SYNTHETIC MR", slice_views.UNCERTAINTY: "Uncertainty"}
_COLORS = {slice_views.CT: "#56B4E9", slice_views.MR: "#E69F00", slice_views.UNCERTAINTY: "#CC79A7"}
_PREVIOUS = "MedUSIS.PreviousLayout"
_PREVIOUS_CROSSHAIR = "MedUSIS.PreviousMode"


def register_layouts(scene: Any) -> bool:
    """Tell Slicer the layouts of the review; False where the scene has no layout.

    Called when the module opens and when a scene was loaded as well: one that was saved in the review asks for the
    layouts, and its views need their caution, which no scene file holds.
    """
    node = layout_node(scene)
    if node is None:
        return False
    for kinds in ((slice_views.CT, slice_views.MR), tuple(_TITLES)):
        for arrangement in (AXIAL, ALL):
            number, text = _layout_id(kinds, arrangement), layout_xml(kinds, arrangement)
            if node.IsLayoutDescription(number):
                node.SetLayoutDescription(number, text)
            else:
                node.AddLayoutDescription(number, text)
    if is_review_shown(scene):
        _show_cautions(scene)
    return True


def show_review(nodes: SynthesisNodes, ct: Any | None = None, arrangement: str = AXIAL) -> None:
    """Open the review of a result: CT | synthetic MR | uncertainty, or the first two where there is no uncertainty.

    Parameters
    ----------
    nodes : SynthesisNodes
    ct : vtkMRMLScalarVolumeNode, optional
        The CT that the MR was made from, when it shall be another than the stored one.
    arrangement : str
        ``AXIAL`` or ``ALL``.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when the CT is no longer in the scene; ``BAD_SETTING`` where Slicer runs without views.
    """
    scene = nodes.mr.GetScene()
    ct = ct if ct is not None else ct_of(nodes)
    if ct is None:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the CT is no longer in the scene", "load the CT again")
    layout = layout_node(scene)
    if layout is None or not register_layouts(scene):
        raise _no_views()
    was_shown = is_review_shown(scene)
    if not was_shown:
        layout.SetAttribute(_PREVIOUS, str(layout.GetViewArrangement()))
    shown = {slice_views.CT: ct, slice_views.MR: nodes.mr, slice_views.UNCERTAINTY: nodes.uncertainty}
    kinds = tuple(kind for kind, volume in shown.items() if volume is not None)
    layout.SetViewArrangement(_layout_id(kinds, arrangement))
    views = []
    for orientation in _orientations(arrangement):
        for kind in kinds:
            view = scene.GetSingletonNode(slice_views.view_name(kind, orientation), "vtkMRMLSliceNode")
            if view is None:
                hide_review(scene)
                raise _no_views()
            view.SetOrientation(orientation)
            slice_views.show_volume(view, shown[kind])
            views.append(view)
    _show_cautions(scene)
    slice_views.link(views)
    for view in views:
        slice_views.fit(view)
    _place_legend(nodes, views)
    _show_crosshair(scene)
    _look_at(views, _crosshair_place(scene) if was_shown else _middle(ct))
    place_outlines(nodes)


def hide_review(scene: Any) -> None:
    """Back to the layout and the crosshair from before the review; nothing happens when the review is not shown."""
    layout = layout_node(scene)
    if layout is None or not is_review_shown(scene):
        return
    previous = layout.GetAttribute(_PREVIOUS)
    layout.RemoveAttribute(_PREVIOUS)
    # The default of a fresh Slicer (four-up), when a saved scene opened in the review.
    layout.SetViewArrangement(int(previous) if previous else layout.SlicerLayoutFourUpView)
    _restore_crosshair(scene)
    for mr in synthetic_volumes(scene):
        nodes = nodes_of(mr)
        if nodes is not None and nodes.uncertainty is not None:
            show_legend(nodes.uncertainty)


def layout_xml(kinds: tuple[str, ...], arrangement: str) -> str:
    """The layout as Slicer's layout manager reads it: a column for each kind of view, a row for each orientation."""

    def row_xml(orientation: str) -> str:
        views = "".join(_view_xml(kind, orientation) for kind in kinds)
        return f'<item><layout type="horizontal" split="true">{views}</layout></item>'

    rows = "".join(row_xml(orientation) for orientation in _orientations(arrangement))
    return f'<layout type="vertical" split="true">{rows}</layout>'


def _view_xml(kind: str, orientation: str) -> str:
    properties = {
        "orientation": orientation,
        "viewlabel": _TITLES[kind],
        "viewcolor": _COLORS[kind],
        "viewgroup": str(slice_views.VIEW_GROUP),
    }
    inside = "".join(
        f'<property name="{name}" action="default">{value}</property>' for name, value in properties.items()
    )
    name = slice_views.view_name(kind, orientation)
    return f'<item><view class="vtkMRMLSliceNode" singletontag="{name}">{inside}</view></item>'


def _orientations(arrangement: str) -> tuple[str, ...]:
    return slice_views.ORIENTATIONS if arrangement == ALL else slice_views.ORIENTATIONS[:1]


def _layout_id(kinds: tuple[str, ...], arrangement: str) -> int:
    return FIRST_LAYOUT + 2 * (len(kinds) == len(_TITLES)) + (arrangement == ALL)


def _no_views() -> MedUSISError:
    return MedUSISError(
        ErrorCode.BAD_SETTING,
        "there are no views to show the result in: Slicer runs without its window",
        "save the scene and open it in Slicer with its window",
    )


def _show_cautions(scene: Any) -> None:
    for view in slice_views.review_slices(scene, (slice_views.MR, slice_views.UNCERTAINTY)):
        slice_views.show_caution(view)


def _place_legend(nodes: SynthesisNodes, views: list[Any]) -> None:
    """One legend for all: in the first view of the uncertainty."""
    if nodes.uncertainty is None:
        return
    show_legend(nodes.uncertainty)
    first = slice_views.view_name(slice_views.UNCERTAINTY, slice_views.ORIENTATIONS[0])
    legend_of(nodes.uncertainty).AddViewNodeID(next(view.GetID() for view in views if view.GetLayoutName() == first))


def _show_crosshair(scene: Any) -> None:
    node = crosshair_node(scene)
    if node is None:
        return
    if not node.GetAttribute(_PREVIOUS_CROSSHAIR):
        node.SetAttribute(_PREVIOUS_CROSSHAIR, f"{node.GetCrosshairMode()} {node.GetCrosshairBehavior()}")
    node.SetCrosshairMode(node.ShowBasic)
    node.SetCrosshairBehavior(node.OffsetJumpSlice)


def _look_at(views: list[Any], place: tuple[float, float, float]) -> None:
    """Crosshair and views at one place: one that is looked at stays in sight when the arrangement changes."""
    node = crosshair_node(views[0].GetScene())
    if node is not None:
        node.SetCrosshairRAS(list(place))
    for view in views:
        slice_views.jump(view, place)


def _crosshair_place(scene: Any) -> tuple[float, float, float]:
    node = crosshair_node(scene)
    right, anterior, superior = node.GetCrosshairRAS() if node is not None else (0.0, 0.0, 0.0)
    return right, anterior, superior


def _middle(volume: Any) -> tuple[float, float, float]:
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)  # in the world
    return (bounds[0] + bounds[1]) / 2, (bounds[2] + bounds[3]) / 2, (bounds[4] + bounds[5]) / 2


def _restore_crosshair(scene: Any) -> None:
    node = crosshair_node(scene)
    previous = node.GetAttribute(_PREVIOUS_CROSSHAIR) if node is not None else None
    if previous:
        mode, behavior = (int(value) for value in previous.split())
        node.SetCrosshairMode(mode)
        node.SetCrosshairBehavior(behavior)
        node.RemoveAttribute(_PREVIOUS_CROSSHAIR)
