"""The views of a reading: one to four side by side, of their own, and the way back to what was there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.review_state import crosshair_node, layout_node

FIRST_LAYOUT = 53200
MOST_VIEWS = 4
EMPTY_COLOR = "#404040"


@dataclass(frozen=True)
class SceneState:
    """What the user had on the screen: the layout's number, the crosshair, what the mouse does."""

    layout: int
    crosshair: tuple[int, int] | None
    mouse: tuple[int, int] | None


def view_name(number: int) -> str:
    """Name of a reading view, from 1.

    Examples
    --------
    >>> view_name(2)
    'MedUSIS-Reading-2'
    """
    return f"MedUSIS-Reading-{number}"


def is_reading_shown(scene: Any) -> bool:
    """Whether the views on the screen are those of a reading."""
    node = layout_node(scene)
    return node is not None and FIRST_LAYOUT < node.GetViewArrangement() <= FIRST_LAYOUT + MOST_VIEWS


def remember(scene: Any) -> SceneState:
    """What ``restore`` needs; call it before the first ``show_views``."""
    layout, crosshair, mouse = layout_node(scene), crosshair_node(scene), interaction_node(scene)
    if layout is None:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "there are no views to read in: Slicer runs without its window", "open its window"
        )
    return SceneState(
        layout.GetViewArrangement(),
        (crosshair.GetCrosshairMode(), crosshair.GetCrosshairBehavior()) if crosshair is not None else None,
        (mouse.GetCurrentInteractionMode(), mouse.GetPlaceModePersistence()) if mouse is not None else None,
    )


def restore(scene: Any, state: SceneState) -> None:
    """Layout, crosshair and mouse as they were."""
    layout, crosshair, mouse = layout_node(scene), crosshair_node(scene), interaction_node(scene)
    if layout is not None:
        layout.SetViewArrangement(state.layout)
    if crosshair is not None and state.crosshair is not None:
        crosshair.SetCrosshairMode(state.crosshair[0])
        crosshair.SetCrosshairBehavior(state.crosshair[1])
    if mouse is not None and state.mouse is not None:
        mouse.SetPlaceModePersistence(state.mouse[1])
        mouse.SetCurrentInteractionMode(state.mouse[0])


def interaction_node(scene: Any) -> Any:
    """The node that says what the mouse does, or ``None`` in a scene without views."""
    return scene.GetFirstNodeByClass("vtkMRMLInteractionNode")


def show_views(scene: Any, count: int) -> list[Any]:
    """Bring this many views to the screen, side by side.

    Returns
    -------
    list of vtkMRMLSliceNode
        From left to right.

    Raises
    ------
    MedUSISError
        BAD_SETTING where there is no window.
    """
    layout = layout_node(scene)
    number = FIRST_LAYOUT + count
    text = layout_xml(count)
    if layout is not None:
        if not layout.IsLayoutDescription(number):
            layout.AddLayoutDescription(number, text)
        if layout.GetViewArrangement() != number:
            layout.SetViewArrangement(number)
    views = [scene.GetSingletonNode(view_name(n), "vtkMRMLSliceNode") for n in range(1, count + 1)]
    if any(view is None for view in views):
        raise MedUSISError(ErrorCode.BAD_SETTING, "the views of the reading could not be opened", "restart Slicer")
    return views


def layout_xml(count: int) -> str:
    """The layout as Slicer's layout manager reads it."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{view_name(number)}">'
        f'<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{number}</property>'
        f'<property name="viewcolor" action="default">{EMPTY_COLOR}</property></view></item>'
        for number in range(1, count + 1)
    )
    return f'<layout type="horizontal" split="true">{views}</layout>'
