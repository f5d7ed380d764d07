"""The lesion marks of a trial: points in the views, each with a confidence, a category and perhaps a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import vtk

from MedUSISLib.mrml.reading_images import OURS
from MedUSISLib.mrml.reading_layout import interaction_node
from MedUSISLib.signal import Signal

MARK_COLOR = (1.0, 0.85, 0.2)
SELECTED_COLOR = (0.2, 0.9, 1.0)
_GLYPH_PERCENT = 2.5
_TEXT_PERCENT = 3.5
_POINTS = "vtkMRMLMarkupsFiducialNode"


@dataclass(frozen=True)
class MarkRow:
    """One mark as the list shows it.

    Attributes
    ----------
    key : str
        Id of its point, for as long as the trial is open.
    number : int
        From 1, also beside the point in the views.
    place_ras_mm : (float, float, float)
    confidence : float, optional
        0 to 100; None until the reader gave one.
    category : str
    size_mm : float, optional
        Diameter.
    """

    key: str
    number: int
    place_ras_mm: tuple[float, float, float]
    confidence: float | None = None
    category: str = ""
    size_mm: float | None = None


class ReadingMarks:
    """Marks of one trial after the other, in one markups node.

    Points that the reader sets, drags or deletes in the views are followed; ``changed`` says so, without arguments.

    Parameters
    ----------
    scene : vtkMRMLScene
    changes_contrast : bool
        What the left mouse button does while it sets no marks: change the contrast, or nothing.
    """

    def __init__(self, scene: Any, changes_contrast: bool = True) -> None:
        self.changed = Signal()
        self._scene = scene
        self._changes_contrast = changes_contrast
        self._node: Any = None
        self._tags: list[int] = []
        self._details: dict[str, MarkRow] = {}
        self._silent = False
        self.newest: str | None = None

    @property
    def node(self) -> Any:
        """The markups node, None between trials."""
        return self._node

    def open(self, marks: Sequence[Mapping[str, Any]] = ()) -> None:
        """Begin with these marks (as ``values`` gives them)."""
        import slicer

        self.close()
        node = self._scene.AddNewNodeByClass(_POINTS, "Marks")
        node.SetAttribute(OURS, "1")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node.SetControlPointLabelFormat("%d")
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetColor(*MARK_COLOR)
        display.SetSelectedColor(*MARK_COLOR)
        display.SetActiveColor(*SELECTED_COLOR)
        display.SetGlyphScale(_GLYPH_PERCENT)
        display.SetTextScale(_TEXT_PERCENT)
        display.SetUseGlyphScale(True)
        self._node = node
        markups = slicer.vtkMRMLMarkupsNode
        events = (
            markups.PointPositionDefinedEvent,
            markups.PointRemovedEvent,
            markups.PointModifiedEvent,
            vtk.vtkCommand.EndInteractionEvent,
        )
        self._tags = [node.AddObserver(event, self._on_points) for event in events]
        self._silent = True
        for mark in marks:
            x, y, z = mark["position_lps_mm"]
            key = self._add((-x, -y, z))
            self._details[key] = replace(
                self._details[key],
                confidence=mark.get("confidence"),
                category=mark.get("category", ""),
                size_mm=mark.get("size_mm"),
            )
        self._silent = False
        self.newest = None

    def close(self) -> None:
        """Take the marks out of the scene."""
        self.place_with_mouse(False)
        node, self._node = self._node, None
        if node is not None:
            for tag in self._tags:
                node.RemoveObserver(tag)
            self._scene.RemoveNode(node)
        self.forget()

    def forget(self) -> None:
        """The scene was closed: the node is gone already."""
        self._node, self._tags, self._details, self.newest = None, [], {}, None

    def place_with_mouse(self, on: bool) -> None:
        """Whether a click sets a mark, one after the other."""
        mouse = interaction_node(self._scene)
        selection = self._scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
        if mouse is None or selection is None or self._node is None:
            return
        if on:
            selection.SetReferenceActivePlaceNodeClassName(_POINTS)
            selection.SetActivePlaceNodeID(self._node.GetID())
            mouse.SetPlaceModePersistence(1)
            mouse.SetCurrentInteractionMode(mouse.Place)
        elif mouse.GetCurrentInteractionMode() == mouse.Place:
            mouse.SetPlaceModePersistence(0)
            mouse.SetCurrentInteractionMode(mouse.AdjustWindowLevel if self._changes_contrast else mouse.ViewTransform)

    def rows(self) -> list[MarkRow]:
        """All marks, in the order in which they were set."""
        if self._node is None:
            return []
        rows: list[MarkRow] = []
        for index in self._defined():
            key = self._node.GetNthControlPointID(index)
            known = self._details.get(key) or MarkRow(key, 0, (0.0, 0.0, 0.0))
            row = replace(known, number=len(rows) + 1, place_ras_mm=self._place(index))
            self._details[key] = row
            rows.append(row)
        return rows

    def row(self, key: str | None) -> MarkRow | None:
        """One mark; None when it is not there (any more)."""
        return next((row for row in self.rows() if row.key == key), None)

    def add(self, place_ras_mm: tuple[float, float, float]) -> str:
        """Set a mark (RAS, mm) without the mouse; its key."""
        key = self._add(place_ras_mm)
        return key

    def change(self, key: str, **details: Any) -> None:
        """Set ``confidence``, ``category`` or ``size_mm`` of a mark."""
        if self.row(key) is not None:
            self._details[key] = replace(self._details[key], **details)
            self.changed()

    def remove(self, key: str) -> None:
        """Take a mark back."""
        index = self._index(key)
        if index is not None:
            self._node.RemoveNthControlPoint(index)

    def select(self, key: str | None) -> None:
        """Show one mark in another colour."""
        if self._node is None:
            return
        self._silent = True
        display = self._node.GetDisplayNode()
        display.SetColor(*SELECTED_COLOR)  # of points that are not "selected" in the sense of markups
        for index in range(self._node.GetNumberOfControlPoints()):
            self._node.SetNthControlPointSelected(index, self._node.GetNthControlPointID(index) != key)
        self._silent = False

    def values(self) -> list[dict[str, Any]]:
        """The marks as they are stored (``study.questions.Mark``), LPS in mm."""
        return [
            {
                "position_lps_mm": (-row.place_ras_mm[0], -row.place_ras_mm[1], row.place_ras_mm[2]),
                "confidence": row.confidence,
                "category": row.category,
                "size_mm": row.size_mm,
            }
            for row in self.rows()
        ]

    def _add(self, place: tuple[float, float, float]) -> str:
        index = self._node.AddControlPointWorld(vtk.vtkVector3d(*place))
        key: str = self._node.GetNthControlPointID(index)
        self._details[key] = MarkRow(key, index + 1, place)
        return key

    def _defined(self) -> list[int]:
        """Points that were set; the one that follows the mouse in place mode is none."""
        defined = self._node.PositionDefined
        count = self._node.GetNumberOfControlPoints()
        return [n for n in range(count) if self._node.GetNthControlPointPositionStatus(n) == defined]

    def _place(self, index: int) -> tuple[float, float, float]:
        place = [0.0, 0.0, 0.0]
        self._node.GetNthControlPointPositionWorld(index, place)
        return place[0], place[1], place[2]

    def _index(self, key: str) -> int | None:
        index = self._node.GetNthControlPointIndexByID(key) if self._node is not None else -1
        return index if index >= 0 else None

    def _on_points(self, _caller: Any, _event: str) -> None:
        if self._silent or self._node is None:
            return
        before = {key: row.place_ras_mm for key, row in self._details.items()}
        rows = self.rows()
        now = {row.key: row.place_ras_mm for row in rows}
        for key in set(self._details) - set(now):
            del self._details[key]
        new = [row.key for row in rows if row.key not in before]
        self.newest = new[-1] if new else self.newest
        if now != before:
            self._number(rows)
            self.changed()

    def _number(self, rows: Sequence[MarkRow]) -> None:
        """Points are labelled as in the list, also after one was taken back."""
        self._silent = True
        for row in rows:
            index = self._index(row.key)
            if index is not None and self._node.GetNthControlPointLabel(index) != str(row.number):
                self._node.SetNthControlPointLabel(index, str(row.number))
        self._silent = False


def show_answer_points(scene: Any, places_lps_mm: Sequence[tuple[float, float, float]]) -> Any:
    """Where the lesions of a training trial are: points that cannot be moved. Remove the node afterwards.

    Returns
    -------
    vtkMRMLMarkupsFiducialNode
    """
    node = scene.AddNewNodeByClass(_POINTS, "Lesions")
    node.SetAttribute(OURS, "1")
    node.SetHideFromEditors(True)
    node.SetSaveWithScene(False)
    node.SetControlPointLabelFormat("")
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    for paint in (display.SetColor, display.SetSelectedColor, display.SetActiveColor):
        paint(0.3, 1.0, 0.4)
    display.SetGlyphScale(1.5 * _GLYPH_PERCENT)
    for x, y, z in places_lps_mm:
        node.AddControlPointWorld(vtk.vtkVector3d(-x, -y, z))
    for index in range(node.GetNumberOfControlPoints()):
        node.SetNthControlPointLabel(index, "")
    node.SetLocked(True)
    return node
