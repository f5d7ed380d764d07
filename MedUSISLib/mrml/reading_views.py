"""What a reader may do in the views: scroll, zoom, change the contrast, point; nothing that shows another image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.reading_layout import interaction_node
from MedUSISLib.mrml.review_state import crosshair_node

if TYPE_CHECKING:
    from MedUSISLib.study.protocol import Display

VIEW_GROUP = 54
"""Apart from the review's views."""

_TITLE = "MedUSIS reading title"
_TITLE_COLOR = (0.75, 0.75, 0.75)
# vtkMRMLSliceViewInteractorStyle's numbers; its name "Zoom" is taken by a method of VTK's.
_ZOOM = 2
_PLANES = {"axial": "Axial", "coronal": "Coronal", "sagittal": "Sagittal"}


def show_volumes(views: Sequence[Any], volumes: Sequence[Any], plane: str) -> None:
    """One volume in each view, whole, in one plane, at the same slice in all; views are linked."""
    for view, volume in zip(views, volumes, strict=True):
        view.SetOrientation(_PLANES[plane])
        slice_views.show_volume(view, volume)
    slice_views.link(list(views), VIEW_GROUP)
    fit(views)
    look_at(views, middle(volumes[0]))


def clear(views: Sequence[Any]) -> None:
    """Show nothing."""
    for view in views:
        slice_views.show_nothing(view)


def fit(views: Sequence[Any]) -> None:
    """Each view's whole volume, filling the view."""
    for view in views:
        slice_views.fit(view)


def set_plane(views: Sequence[Any], plane: str, place: tuple[float, float, float]) -> None:
    """Turn all views, keeping a place in sight."""
    for view in views:
        view.SetOrientation(_PLANES[plane])
    fit(views)
    look_at(views, place)


def look_at(views: Sequence[Any], place: tuple[float, float, float]) -> None:
    """Bring a place (RAS, mm) into the plane of all views, and the crosshair to it."""
    node = crosshair_node(views[0].GetScene())
    if node is not None:
        node.SetCrosshairRAS(list(place))
    for view in views:
        slice_views.jump(view, place)
        slice_views.snap(view)


def crosshair_place(view: Any) -> tuple[float, float, float]:
    """Where the crosshair is (RAS, mm), in the slice that the view shows."""
    node = crosshair_node(view.GetScene())
    place = list(node.GetCrosshairRAS()) if node is not None else [0.0, 0.0, 0.0]
    normal = [view.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
    off = view.GetSliceOffset() - sum(p * n for p, n in zip(place, normal, strict=True))
    right, anterior, superior = (p + off * n for p, n in zip(place, normal, strict=True))
    return right, anterior, superior


def middle(volume: Any) -> tuple[float, float, float]:
    """Centre of a volume, RAS in mm."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return (bounds[0] + bounds[1]) / 2, (bounds[2] + bounds[3]) / 2, (bounds[4] + bounds[5]) / 2


def slice_count(view: Any, volume: Any) -> int:
    """How many slices the volume has along the view's direction."""
    return slice_range(view, volume)[2]


def slice_range(view: Any, volume: Any) -> tuple[float, float, int]:
    """Offset of the first slice's middle, thickness (mm, both along the view's normal) and number of slices."""
    normal = [view.GetSliceToRAS().GetElement(row, 2) for row in range(3)]
    axis = max(range(3), key=lambda n: abs(normal[n]))
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    size, spacing = volume.GetImageData().GetDimensions(), volume.GetSpacing()
    directions = [[0.0] * 3 for _ in range(3)]
    volume.GetIJKToRASDirections(directions)
    along = max(range(3), key=lambda n: abs(directions[axis][n]))
    sign = 1.0 if normal[axis] > 0 else -1.0
    low = min(sign * bounds[2 * axis], sign * bounds[2 * axis + 1])
    return low + spacing[along] / 2, spacing[along], size[along]


def slice_number(view: Any, volume: Any) -> int:
    """Which slice is shown, from 1."""
    first, step, count = slice_range(view, volume)
    return min(max(round((view.GetSliceOffset() - first) / step), 0), count - 1) + 1


def scroll(views: Sequence[Any], volume: Any, steps: int) -> None:
    """Move all views by some slices; they stop at the ends of the volume."""
    first, step, count = slice_range(views[0], volume)
    number = min(max(slice_number(views[0], volume) - 1 + steps, 0), count - 1)
    for view in views:
        view.SetSliceOffset(first + number * step)


def show_title(view: Any, text: str) -> None:
    """Write at the upper edge which of the images it is ("Left", "MR"); empty removes it."""
    slice_views.write_upper_edge(view, _TITLE, text, _TITLE_COLOR)


def allow(view: Any, display: Display) -> None:
    """Let the mouse and the keys of a view do what the protocol allows, and never bring another image into it."""
    style = slice_views.interactor_style(view)
    if style is None:
        return
    for action in (style.SelectVolume, style.ShowSlice, style.Blend, style.RotateSliceIntersection):
        style.SetActionEnabled(action, False)
    style.SetActionEnabled(style.AdjustLightbox, False)
    style.SetActionEnabled(_ZOOM, display.zoom)
    style.SetActionEnabled(style.Translate, display.zoom)
    style.SetActionEnabled(style.BrowseSlice, display.mode == "volume")
    for action in (style.SetCursorPosition, style.SetCrosshairPosition, style.TranslateSliceIntersection):
        style.SetActionEnabled(action, display.crosshair)
    for action in (style.AdjustWindowLevelBackground, style.AdjustWindowLevelForeground):
        style.SetActionEnabled(action, display.change_window)


def show_crosshair(scene: Any, on: bool) -> None:
    """The crosshair of all views, at the same place in all."""
    node = crosshair_node(scene)
    if node is not None:
        node.SetCrosshairMode(node.ShowBasic if on else node.NoCrosshair)
        node.SetCrosshairBehavior(node.OffsetJumpSlice)


def mouse_changes_contrast(scene: Any, on: bool) -> None:
    """The left mouse button changes the contrast, or does nothing."""
    node = interaction_node(scene)
    if node is not None:
        node.SetCurrentInteractionMode(node.AdjustWindowLevel if on else node.ViewTransform)
