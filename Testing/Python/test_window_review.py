"""The review part of the panel: each control acts on the views, on the result that is chosen."""

from __future__ import annotations

import pytest
from small_result import AXIAL, add_ct, write_result
from window_doubles import add_segmentation, open_panel

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.review_state import is_review_shown


@pytest.fixture
def slicer(slicer_window):
    return slicer_window.slicer


@pytest.fixture
def reviewed(slicer_window, slicer, tmp_path):
    """A panel on a scene that holds one small result, with the review open."""
    slicer.app.mainWindow().resize(1200, 700)
    slicer.app.mainWindow().show()
    ct = add_ct(slicer.mrmlScene)
    nodes = load_results(write_result(tmp_path / "result", AXIAL), ct)
    window = open_panel(slicer)
    window.ct, window.nodes = ct, nodes
    window.ui.reviewRowButton.click()
    slicer_window.process_events()
    yield window
    window.panel.close()


def composite(slicer, kind, orientation="Axial"):
    view = slicer.mrmlScene.GetSingletonNode(slice_views.view_name(kind, orientation), "vtkMRMLSliceNode")
    return slice_views.composite_of(view)


def test_nothing_can_be_reviewed_without_a_result(slicer):
    window = open_panel(slicer)
    assert window.ui.reviewFrame.isHidden() and not window.ui.resultComboBox.enabled
    assert window.ui.verdictLabel.text == "No synthetic MR in this scene yet."
    window.panel.close()


def test_the_result_of_the_scene_is_shown_with_its_verdict_and_flags(reviewed):
    ui = reviewed.ui
    assert ui.resultComboBox.currentText == reviewed.nodes.mr.GetName()
    assert "Do not rely on this image" in ui.verdictLabel.text
    assert "Body outline, distance: 12.0 mm" in ui.qualityFlagsLabel.text
    assert "Found again badly" in ui.qualityFlagsLabel.text
    assert "not for diagnosis" in ui.resultCautionLabel.text


def test_the_figures_are_in_the_table(reviewed):
    assert reviewed.ui.qualityTableView.mrmlTableNode() is reviewed.nodes.quality


def test_the_row_shows_ct_mr_and_uncertainty_and_back_leaves(slicer, reviewed):
    assert is_review_shown(slicer.mrmlScene)
    shown = [composite(slicer, kind).GetBackgroundVolumeID() for kind in ("CT", "SyntheticMR", "Uncertainty")]
    assert shown == [reviewed.ct.GetID(), reviewed.nodes.mr.GetID(), reviewed.nodes.uncertainty.GetID()]
    reviewed.ui.reviewLeaveButton.click()
    assert not is_review_shown(slicer.mrmlScene)


def test_all_directions_have_nine_views(slicer, reviewed):
    reviewed.ui.reviewGridButton.click()
    names = slicer.app.layoutManager().sliceViewNames()
    assert sum(name.startswith("MedUSIS-") for name in names) >= 9


def test_the_slider_fades_between_ct_and_mr(slicer, reviewed):
    reviewed.ui.blendSlider.value = 30.0
    view = composite(slicer, "SyntheticMR")
    assert {view.GetBackgroundVolumeID(), view.GetForegroundVolumeID()} == {
        reviewed.ct.GetID(),
        reviewed.nodes.mr.GetID(),
    }
    assert view.GetForegroundOpacity() == pytest.approx(0.3)


def test_the_uncertainty_is_laid_over_and_taken_away(slicer, reviewed):
    ui, nodes = reviewed.ui, reviewed.nodes
    ui.uncertaintyOverlayCheckBox.click()
    assert slice_views.overlay_of(composite(slicer, "SyntheticMR")) == nodes.uncertainty.GetID()
    ui.opacitySlider.value = 25.0
    ui.uncertaintyOverlayCheckBox.click()
    assert slice_views.overlay_of(composite(slicer, "SyntheticMR")) != nodes.uncertainty.GetID()


def test_the_threshold_hides_what_is_below(reviewed):
    from MedUSISLib.mrml.overlays import uncertainty_range

    display = reviewed.nodes.uncertainty.GetDisplayNode()
    low, high = uncertainty_range(reviewed.nodes)
    assert display.GetLowerThreshold() == pytest.approx(low, rel=1e-3)
    reviewed.ui.thresholdSlider.value = 50.0
    assert display.GetApplyThreshold()
    assert display.GetLowerThreshold() == pytest.approx((low + high) / 2)


def test_mask_consistency_is_outlined_on_request(reviewed):
    display = reviewed.nodes.mask_consistency.GetDisplayNode()
    assert not display.GetVisibility()
    reviewed.ui.consistencyOverlayCheckBox.click()
    assert display.GetVisibility()
    reviewed.ui.consistencyOverlayCheckBox.click()
    assert not display.GetVisibility()


def test_the_segmentation_is_hidden_in_the_review_outlined_on_request_and_comes_back(slicer, slicer_window, reviewed):
    ui = reviewed.ui
    ui.reviewLeaveButton.click()
    big = add_segmentation(slicer, reviewed.ct, ("White matter", "Skull"))
    ui.segmentationSelector.setCurrentNode(big)
    slicer_window.process_events()
    display = big.GetDisplayNode()
    assert display.GetVisibility()
    ui.reviewRowButton.click()
    assert not display.GetVisibility()
    ui.contoursOverlayCheckBox.click()
    assert display.GetVisibility() and not display.GetVisibility2DFill()
    ui.reviewLeaveButton.click()
    assert display.GetVisibility() and display.GetVisibility2DFill()
    assert not ui.contoursOverlayCheckBox.checked


def test_the_places_to_look_at_come_one_after_the_other(slicer, reviewed):
    ui = reviewed.ui
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    ui.nextUncertainButton.click()
    first = crosshair.GetCrosshairRAS()
    assert ui.hotspotLabel.text.startswith("Place 1 of")
    ui.nextInconsistentButton.click()
    assert "tissue" in ui.hotspotLabel.text
    assert crosshair.GetCrosshairRAS() != first


def test_overlays_stay_when_the_layout_changes_and_go_with_the_result(slicer, slicer_window, reviewed, tmp_path):
    ui, nodes = reviewed.ui, reviewed.nodes
    ui.uncertaintyOverlayCheckBox.click()
    ui.consistencyOverlayCheckBox.click()
    ui.reviewGridButton.click()
    for orientation in ("Axial", "Coronal", "Sagittal"):
        assert slice_views.overlay_of(composite(slicer, "SyntheticMR", orientation)) == nodes.uncertainty.GetID()
    second = load_results(write_result(tmp_path / "second", AXIAL), reviewed.ct)
    slicer_window.wait_until(lambda: ui.resultComboBox.count == 2)
    ui.resultComboBox.setCurrentIndex(1)
    assert slice_views.overlay_of(composite(slicer, "SyntheticMR")) is None
    assert not nodes.mask_consistency.GetDisplayNode().GetVisibility()
    assert not second.mask_consistency.GetDisplayNode().GetVisibility()
    assert not ui.uncertaintyOverlayCheckBox.checked and not ui.consistencyOverlayCheckBox.checked


def test_a_label_map_in_the_users_own_views_is_left_alone(slicer, slicer_window, reviewed):
    ui = reviewed.ui
    ui.reviewLeaveButton.click()
    values = (slicer.util.arrayFromVolume(reviewed.ct) > 0).astype("int16")
    labels = slicer.util.addVolumeFromArray(values, nodeClassName="vtkMRMLLabelMapVolumeNode", name="Labels")
    slicer.util.setSliceViewerLayers(label=labels)
    ui.segmentationSelector.setCurrentNode(labels)
    ui.reviewRowButton.click()
    ui.contoursOverlayCheckBox.click()
    assert composite(slicer, "SyntheticMR").GetLabelVolumeID() == labels.GetID()
    ui.reviewLeaveButton.click()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetLabelVolumeID() == labels.GetID()


def test_what_a_result_does_not_have_cannot_be_switched_on(slicer, slicer_window, reviewed):
    slicer.mrmlScene.RemoveNode(reviewed.nodes.uncertainty)
    slicer.mrmlScene.RemoveNode(reviewed.nodes.mask_consistency)
    ui = reviewed.ui
    slicer_window.wait_until(lambda: not ui.uncertaintyOverlayCheckBox.enabled)
    assert not ui.nextUncertainButton.enabled and not ui.thresholdSlider.enabled
    assert not ui.nextInconsistentButton.enabled and ui.blendSlider.enabled


def test_another_result_is_chosen_and_replaced(slicer, slicer_window, reviewed, tmp_path):
    second = load_results(write_result(tmp_path / "second", AXIAL), reviewed.ct)
    ui = reviewed.ui
    slicer_window.wait_until(lambda: ui.resultComboBox.count == 2)
    assert ui.resultComboBox.currentText == reviewed.nodes.mr.GetName()
    ui.resultComboBox.setCurrentIndex(1)
    assert reviewed.panel.parameters.result is second.mr
    slicer_window.wait_until(lambda: composite(slicer, "SyntheticMR").GetBackgroundVolumeID() == second.mr.GetID())
    ui.replaceResultCheckBox.checked = True
    from MedUSISGui.parameters import outputs_of

    assert outputs_of(reviewed.panel.parameters).replace.mr is second.mr


def test_a_result_that_was_removed_is_forgotten(slicer, slicer_window, reviewed):
    slicer.mrmlScene.RemoveNode(reviewed.nodes.mr)
    slicer_window.wait_until(lambda: not reviewed.ui.reviewFrame.enabled)
    assert reviewed.ui.resultComboBox.count == 0


def test_the_report_is_exported_and_a_failure_is_explained(reviewed, tmp_path):
    target = tmp_path / "report"
    reviewed.dialogs.answers["save_file"] = target
    reviewed.ui.exportReportButton.click()
    assert "SYNTHETIC" in target.with_suffix(".html").read_text(encoding="utf-8")
    reviewed.dialogs.answers["save_file"] = tmp_path / "no such folder" / "report.html"
    reviewed.ui.exportReportButton.click()
    assert reviewed.panel.errors.shown or (tmp_path / "no such folder" / "report.html").exists()


def test_save_opens_slicers_window(reviewed):
    reviewed.ui.saveButton.click()
    assert reviewed.dialogs.asked == ["save_scene"]
