"""What Slicer's module Data Probe writes into the corners of slice views: the names of the volumes they show.

Off until a test switches it on, as a user's settings may:

    annotations = slicer.modules.DataProbeInstance.infoWidget.sliceAnnotations
    annotations.sliceViewAnnotationsEnabled = 1
    annotations.updateSliceViewFromGUI()
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import slicer
import vtk

_LOWER_LEFT = 0


class SliceAnnotations:
    """The names that modules use of DataProbeLib.SliceAnnotations."""

    def __init__(self) -> None:
        self.sliceViewAnnotationsEnabled = 0
        self._observed: list[tuple[Any, int]] = []

    def updateSliceViewFromGUI(self) -> None:
        """Write the texts into all views, or remove them."""
        for logic, tag in self._observed:
            logic.RemoveObserver(tag)
        self._observed = []
        for name in slicer.app.layoutManager().sliceViewNames():
            widget = slicer.app.layoutManager().sliceWidget(name)
            if self.sliceViewAnnotationsEnabled:
                logic = widget.sliceLogic()
                self._observed.append((logic, logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_modified)))
            self._write(widget)

    def onLayoutChanged(self, *_: Any) -> None:
        """Views that a new layout brings are written into as well."""
        if self.sliceViewAnnotationsEnabled:
            self.updateSliceViewFromGUI()

    def _on_modified(self, logic: Any, _event: str) -> None:
        node = logic.GetSliceNode()
        widget = slicer.app.layoutManager().sliceWidget(node.GetLayoutName()) if node is not None else None
        if widget is not None:
            self._write(widget)

    def _write(self, widget: Any) -> None:
        layer = widget.sliceLogic().GetBackgroundLayer()
        volume = layer.GetVolumeNode() if layer is not None else None
        text = f"B: {volume.GetName()}" if volume is not None and self.sliceViewAnnotationsEnabled else ""
        widget.sliceView().cornerAnnotation().SetText(_LOWER_LEFT, text)
        widget.sliceView().scheduleRender()


def data_probe(layout_manager: Any) -> SimpleNamespace:
    """What `slicer.modules.DataProbeInstance` is."""
    annotations = SliceAnnotations()
    layout_manager.layoutChanged.connect(annotations.onLayoutChanged)
    return SimpleNamespace(infoWidget=SimpleNamespace(sliceAnnotations=annotations))
