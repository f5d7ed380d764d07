"""The part "Result and review", lower half: layouts, overlays, fading and places to look at."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal


class ReviewSection:
    """Acts on the views; every control works on the chosen result.

    Parameters
    ----------
    ui : widgets of the panel

    Attributes
    ----------
    failed : Signal
        With a ``MedUSISError``.
    """

    def __init__(self, ui) -> None:
        self._ui = ui
        self._nodes = None
        self._segmentation = None
        self._places: dict[str, list] = {}
        self._next: dict[str, int] = {}
        self._silent = False
        self._visible_before = False
        self.failed = Signal()
        ui.reviewRowButton.connect("clicked(bool)", lambda _checked=False: self.show_views(grid=False))
        ui.reviewGridButton.connect("clicked(bool)", lambda _checked=False: self.show_views(grid=True))
        ui.reviewLeaveButton.connect("clicked(bool)", lambda _checked=False: self.leave_views())
        ui.blendSlider.connect("valueChanged(double)", self._on_blend)
        ui.uncertaintyOverlayCheckBox.connect("toggled(bool)", self._on_uncertainty)
        ui.opacitySlider.connect("valueChanged(double)", self._on_uncertainty)
        ui.thresholdSlider.connect("valueChanged(double)", self._on_threshold)
        ui.consistencyOverlayCheckBox.connect("toggled(bool)", self._on_consistency)
        ui.contoursOverlayCheckBox.connect("toggled(bool)", self._on_contours)
        ui.nextUncertainButton.connect("clicked(bool)", lambda _checked=False: self._go_to_next("uncertain"))
        ui.nextInconsistentButton.connect("clicked(bool)", lambda _checked=False: self._go_to_next("inconsistent"))

    def set_result(self, nodes, segmentation) -> None:
        """Review another result, or none.

        Parameters
        ----------
        nodes : SynthesisNodes or None
        segmentation : vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode or None
            Whose contours can be drawn.
        """
        ui = self._ui
        has = nodes is not None
        if segmentation is not self._segmentation:
            ui.contoursOverlayCheckBox.checked = False  # of the one before
            self._segmentation = segmentation
        ui.contoursOverlayCheckBox.enabled = segmentation is not None
        if _same(nodes, self._nodes):
            self._nodes = nodes
            return
        self._clear_overlays()
        self._nodes = nodes
        self._places, self._next = {}, {}
        uncertain = has and nodes.uncertainty is not None
        for widget in (ui.uncertaintyOverlayCheckBox, ui.opacitySlider, ui.thresholdSlider, ui.nextUncertainButton):
            widget.enabled = uncertain
        consistent = has and nodes.mask_consistency is not None
        for widget in (ui.consistencyOverlayCheckBox, ui.nextInconsistentButton):
            widget.enabled = consistent
        self._say("")
        self._reset_controls()

    def show_views(self, grid: bool = False) -> None:
        """Show CT, synthetic MR and uncertainty: in a row, or in all directions."""
        from MedUSISLib.mrml.overlays import show_label_contours
        from MedUSISLib.mrml.review_layout import ALL, AXIAL, show_review
        from MedUSISLib.mrml.review_state import is_review_shown

        if self._nodes is None:
            return
        if not is_review_shown(slicer.mrmlScene):
            self._visible_before = _is_visible(self._segmentation)
        self._guarded(show_review, self._nodes, None, ALL if grid else AXIAL)
        # The views are fresh: what the controls say is drawn anew, and a filled segmentation would hide the images.
        self._on_blend(self._ui.blendSlider.value)
        self._on_uncertainty()
        self._on_consistency(self._ui.consistencyOverlayCheckBox.checked)
        self._guarded(show_label_contours, self._segmentation, self._ui.contoursOverlayCheckBox.checked)

    def leave_views(self) -> None:
        """Back to the layout from before the review."""
        from MedUSISLib.mrml.overlays import show_label_contours
        from MedUSISLib.mrml.review_layout import hide_review

        self._ui.contoursOverlayCheckBox.checked = False
        hide_review(slicer.mrmlScene)
        self._on_consistency(self._ui.consistencyOverlayCheckBox.checked)
        if _is_segmentation(self._segmentation):
            self._guarded(show_label_contours, self._segmentation, False)  # in all views again
            self._segmentation.GetDisplayNode().SetVisibility(self._visible_before)

    def _clear_overlays(self) -> None:
        """Take away what is drawn of the result that was chosen before, where it is still there."""
        from MedUSISLib.mrml.overlays import show_mask_consistency, show_uncertainty

        before = self._nodes
        if before is None or before.mr.GetScene() is None:
            return
        if before.uncertainty is not None and before.uncertainty.GetScene() is not None:
            self._guarded(show_uncertainty, before, False)
        if before.mask_consistency is not None and before.mask_consistency.GetScene() is not None:
            self._guarded(show_mask_consistency, before, False)

    def _reset_controls(self) -> None:
        """Controls show what the views show right after a result has been loaded."""
        from MedUSISLib.mrml.overlays import OVERLAY_OPACITY

        ui = self._ui
        self._silent = True
        try:
            ui.blendSlider.value = 100.0
            ui.opacitySlider.value = 100.0 * OVERLAY_OPACITY
            for box in (ui.uncertaintyOverlayCheckBox, ui.consistencyOverlayCheckBox, ui.contoursOverlayCheckBox):
                box.checked = False
            ui.thresholdSlider.value = 0.0
        finally:
            self._silent = False

    def _on_blend(self, value: float) -> None:
        from MedUSISLib.mrml.ct_mr_blend import set_blend

        self._act(set_blend, value / 100.0)

    def _on_uncertainty(self, _value=None) -> None:
        from MedUSISLib.mrml.overlays import show_uncertainty

        self._act(show_uncertainty, self._ui.uncertaintyOverlayCheckBox.checked, self._ui.opacitySlider.value / 100.0)

    def _on_threshold(self, value: float) -> None:
        from MedUSISLib.mrml.overlays import set_uncertainty_threshold, uncertainty_range

        if self._nodes is not None:
            low, high = uncertainty_range(self._nodes)
            self._act(set_uncertainty_threshold, low + value / 100.0 * (high - low))

    def _on_consistency(self, on: bool) -> None:
        from MedUSISLib.mrml.overlays import show_mask_consistency

        self._act(show_mask_consistency, on)

    def _on_contours(self, on: bool) -> None:
        from MedUSISLib.mrml.overlays import show_label_contours

        if self._segmentation is not None and not self._silent:
            self._guarded(show_label_contours, self._segmentation, on)

    def _go_to_next(self, kind: str) -> None:
        from MedUSISLib.mrml import hotspots

        if self._nodes is None:
            return
        if kind not in self._places:
            find = hotspots.most_uncertain if kind == "uncertain" else hotspots.most_inconsistent
            with slicer.util.WaitCursor():
                self._places[kind] = list(self._guarded(find, self._nodes) or [])
        places = self._places[kind]
        if not places:
            self._say(_("There is no such place in this result."))
            return
        number = self._next.get(kind, 0) % len(places)
        self._next[kind] = number + 1
        self._guarded(hotspots.jump_to, places[number])
        self._say(places[number].text)

    def _act(self, function, *values) -> None:
        if self._nodes is not None and not self._silent:
            self._guarded(function, self._nodes, *values)

    def _guarded(self, function, *values):
        try:
            return function(*values)
        except MedUSISError as error:
            self.failed(error)
            return None

    def _say(self, text: str) -> None:
        self._ui.hotspotLabel.text = text
        self._ui.hotspotLabel.visible = bool(text)


def _is_segmentation(node) -> bool:
    return node is not None and node.IsA("vtkMRMLSegmentationNode") and node.GetDisplayNode() is not None


def _is_visible(node) -> bool:
    return _is_segmentation(node) and bool(node.GetDisplayNode().GetVisibility())


def _same(one, other) -> bool:
    if one is None or other is None:
        return one is other
    return all(
        getattr(one, name) is getattr(other, name) for name in ("mr", "uncertainty", "mask_consistency", "quality")
    )
