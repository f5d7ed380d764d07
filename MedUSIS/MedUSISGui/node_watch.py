"""One call, a little later, after any of the watched nodes has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt
import slicer
import vtk


class NodeWatch:
    """Watches nodes of the scene; many changes in a row make one call.

    A segmentation that is being edited changes many times a second; what is derived from it is computed when it has
    rested for ``delay_ms``.

    Parameters
    ----------
    changed : callable
        Called without arguments.
    delay_ms : int
    """

    def __init__(self, changed: Callable[[], None], delay_ms: int = 200) -> None:
        self._changed = changed
        self._observed: list[tuple[object, int]] = []
        self._ids: list[str] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(delay_ms)
        self._timer.connect("timeout()", self._on_timeout)

    def watch(self, nodes: Sequence) -> None:
        """Watch these nodes and no others; None among them is passed over."""
        present = [node for node in nodes if node is not None]
        ids = [node.GetID() for node in present]
        if ids == self._ids:
            return
        self.clear()
        self._ids = ids
        for node in present:
            for event in _events_of(node):
                self._observed.append((node, node.AddObserver(event, self._on_event)))

    def clear(self) -> None:
        """Watch nothing; a call that was due is dropped."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []
        self._ids = []
        self._timer.stop()

    def later(self) -> None:
        """Make the call soon, as if a node had changed."""
        self._timer.start()

    def _on_event(self, _caller, _event) -> None:
        self._timer.start()

    def _on_timeout(self) -> None:
        self._changed()


def _events_of(node) -> list[int]:
    events = [vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent]
    if node.IsA("vtkMRMLVolumeNode"):
        events.append(slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)
    if node.IsA("vtkMRMLSegmentationNode"):
        segmentation = slicer.vtkSegmentation
        events += [
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
            segmentation.SegmentsOrderModified,
            segmentation.SourceRepresentationModified,
            segmentation.RepresentationModified,
        ]
    return events
