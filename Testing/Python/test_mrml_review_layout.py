"""The review without a window: which views there are, what they show, and what happens to the user's own views."""

from __future__ import annotations

import numpy as np
import pytest
from small_result import AXIAL, SIZE_KJI, add_ct, write_result

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml import overlays, slice_views
from MedUSISLib.mrml.ct_mr_blend import set_blend
from MedUSISLib.mrml.result_nodes import nodes_of
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.review_layout import ALL, hide_review, register_layouts, show_review
from MedUSISLib.mrml.review_state import is_review_shown
from MedUSISLib.mrml.settings import OutputChoice


@pytest.fixture
def scene(mrml_scene):
    """A scene with views: the layout logic makes them, as in the application."""
    import slicer

    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(mrml_scene)
    logic.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    if mrml_scene.GetFirstNodeByClass("vtkMRMLCrosshairNode") is None:
        mrml_scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    yield mrml_scene
    logic.SetMRMLScene(None)


@pytest.fixture
def nodes(scene, tmp_path):
    return load_results(write_result(tmp_path, AXIAL), add_ct(scene), OutputChoice(labels=True))


def _arrangement(scene):
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def _composite(scene, kind, orientation="Axial"):
    view = scene.GetSingletonNode(slice_views.view_name(kind, orientation), "vtkMRMLSliceNode")
    return slice_views.composite_of(view)


def _shown(scene, kind, orientation="Axial"):
    return scene.GetNodeByID(_composite(scene, kind, orientation).GetBackgroundVolumeID())


def _layers(composite):
    """What a view shows, lowest first."""
    ids = [composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()]
    if hasattr(composite, "GetNthLayerVolumeID"):
        ids.append(composite.GetNthLayerVolumeID(3))
    return ids


def test_ct_mr_and_uncertainty_stand_in_a_row(scene, nodes):
    show_review(nodes)
    assert is_review_shown(scene)
    assert _shown(scene, slice_views.CT).GetName() == "Head"
    assert _shown(scene, slice_views.MR) is nodes.mr
    assert _shown(scene, slice_views.UNCERTAINTY) is nodes.uncertainty
    assert scene.GetSingletonNode("MedUSIS-CT-Axial", "vtkMRMLSliceNode").GetOrientation() == "Axial"


def test_the_grid_has_a_row_for_each_orientation(scene, nodes):
    show_review(nodes, arrangement=ALL)
    assert len(list(slice_views.review_slices(scene))) == 9
    for orientation in slice_views.ORIENTATIONS:
        view = scene.GetSingletonNode(slice_views.view_name(slice_views.MR, orientation), "vtkMRMLSliceNode")
        assert view.GetOrientation() == orientation
        assert _shown(scene, slice_views.MR, orientation) is nodes.mr


def test_the_place_that_is_looked_at_stays_when_the_arrangement_changes(scene, nodes):
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    show_review(nodes)
    assert crosshair.GetCrosshairRAS() == pytest.approx((15.75, 12.75, 19.5))
    crosshair.SetCrosshairRAS([10.0, 8.0, 24.0])
    show_review(nodes, arrangement=ALL)
    offsets = [
        scene.GetSingletonNode(f"MedUSIS-CT-{name}", "vtkMRMLSliceNode").GetSliceOffset()
        for name in slice_views.ORIENTATIONS
    ]
    # A sagittal view may be looked at from either side.
    assert np.abs(offsets) == pytest.approx([24.0, 8.0, 10.0])


def test_without_uncertainty_there_are_two_columns(scene, nodes):
    scene.RemoveNode(nodes.uncertainty)
    show_review(nodes_of(nodes.mr))
    text = scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetCurrentLayoutDescription()
    assert "MedUSIS-CT-Axial" in text and "MedUSIS-SyntheticMR-Axial" in text
    assert "Uncertainty" not in text


def test_views_say_what_they_are_and_move_together(scene, nodes):
    show_review(nodes)
    # Views of an earlier, larger arrangement stay in the scene.
    views = list(slice_views.review_slices(scene))[:3]
    assert [view.GetLayoutLabel() for view in views] == ["CT", "SYNTHETIC MR", "Uncertainty"]
    assert len({view.GetLayoutColor() for view in views}) == 3
    for view in views:
        composite = slice_views.composite_of(view)
        assert composite.GetLinkedControl() and composite.GetHotLinkedControl()
        assert view.GetViewGroup() == slice_views.VIEW_GROUP
    assert all(view.GetViewGroup() != slice_views.VIEW_GROUP for view in slice_views.other_slices(scene))


def test_the_users_views_keep_what_they_show(scene, nodes):
    red = scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    composite = slice_views.composite_of(red)
    composite.SetBackgroundVolumeID(nodes.uncertainty.GetID())
    red.SetSliceOffset(7.0)
    before = _layers(composite), red.GetSliceOffset(), composite.GetLinkedControl()
    show_review(nodes)
    overlays.show_uncertainty(nodes, True)
    overlays.show_mask_consistency(nodes, True)
    overlays.show_label_contours(nodes.labels, True)
    set_blend(nodes, 0.3)
    assert (_layers(composite), red.GetSliceOffset(), composite.GetLinkedControl()) == before
    for node in (nodes.mask_consistency, nodes.labels):
        display = node.GetDisplayNode()
        assert not display.IsDisplayableInView(red.GetID())
        assert display.IsDisplayableInView("vtkMRMLSliceNodeMedUSIS-CT-Axial")
        assert not display.IsDisplayableInView("vtkMRMLSliceNodeMedUSIS-Uncertainty-Axial")


def test_leaving_restores_layout_and_crosshair(scene, nodes):
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutOneUpGreenSliceView)
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairMode(crosshair.ShowHashmarks)
    show_review(nodes)
    assert crosshair.GetCrosshairMode() == crosshair.ShowBasic
    show_review(nodes, arrangement=ALL)
    hide_review(scene)
    assert _arrangement(scene) == layout.SlicerLayoutOneUpGreenSliceView
    assert crosshair.GetCrosshairMode() == crosshair.ShowHashmarks
    layout.SetViewArrangement(layout.SlicerLayoutConventionalView)
    hide_review(scene)
    assert _arrangement(scene) == layout.SlicerLayoutConventionalView


def test_a_layout_that_the_user_chose_meanwhile_stays(scene, nodes):
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    show_review(nodes)
    layout.SetViewArrangement(layout.SlicerLayoutConventionalView)
    assert not is_review_shown(scene)
    hide_review(scene)
    assert _arrangement(scene) == layout.SlicerLayoutConventionalView


def test_uncertainty_lies_over_ct_and_mr(scene, nodes):
    show_review(nodes)
    overlays.show_uncertainty(nodes, True, opacity=0.4)
    for kind in (slice_views.CT, slice_views.MR):
        assert nodes.uncertainty.GetID() in _layers(_composite(scene, kind))[1:]
    assert _layers(_composite(scene, slice_views.UNCERTAINTY)).count(nodes.uncertainty.GetID()) == 1
    overlays.show_uncertainty(nodes, False)
    assert nodes.uncertainty.GetID() not in _layers(_composite(scene, slice_views.MR))


def test_the_slider_fades_from_ct_to_mr(scene, nodes):
    show_review(nodes)
    composite = _composite(scene, slice_views.MR)
    overlays.show_uncertainty(nodes, True)
    set_blend(nodes, 0.25)
    assert _shown(scene, slice_views.MR).GetName() == "Head"
    assert composite.GetForegroundVolumeID() == nodes.mr.GetID()
    assert composite.GetForegroundOpacity() == 0.25
    assert nodes.uncertainty.GetID() in _layers(composite)
    set_blend(nodes, 1.0)
    assert _shown(scene, slice_views.MR) is nodes.mr
    assert composite.GetForegroundVolumeID() is None
    assert _shown(scene, slice_views.CT).GetName() == "Head"


def test_outside_the_review_the_slider_fades_the_users_views(scene, nodes):
    set_blend(nodes, 0.5)
    red = slice_views.composite_of(scene.GetSingletonNode("Red", "vtkMRMLSliceNode"))
    assert red.GetForegroundVolumeID() == nodes.mr.GetID()


def test_the_threshold_hides_low_uncertainty(nodes):
    low, high = overlays.uncertainty_range(nodes)
    assert 0 < low < high
    overlays.set_uncertainty_threshold(nodes, (low + high) / 2)
    display = nodes.uncertainty.GetDisplayNode()
    assert display.GetApplyThreshold()
    assert display.GetLowerThreshold() == pytest.approx((low + high) / 2)
    overlays.set_uncertainty_threshold(nodes, 0.0)
    assert 0 < display.GetLowerThreshold() < low


def test_label_contours_leave_the_users_fill_as_it_was(nodes):
    display = nodes.labels.GetDisplayNode()
    display.SetVisibility2DFill(True)
    overlays.show_label_contours(nodes.labels, True)
    assert display.GetVisibility() and not display.GetVisibility2DFill() and display.GetVisibility2DOutline()
    overlays.show_label_contours(nodes.labels, True)
    overlays.show_label_contours(nodes.labels, False)
    assert display.GetVisibility2DFill() and not display.GetVisibility()


def test_a_label_map_is_outlined_too(scene, nodes):
    import slicer

    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    slicer.util.updateVolumeFromArray(labels, np.ones(SIZE_KJI, np.uint8))
    show_review(nodes)
    overlays.show_label_contours(labels, True)
    view = scene.GetSingletonNode(slice_views.view_name(slice_views.CT, "Axial"), "vtkMRMLSliceNode")
    assert slice_views.composite_of(view).GetLabelVolumeID() == labels.GetID()
    assert view.GetUseLabelOutline()
    overlays.show_label_contours(labels, False)
    assert slice_views.composite_of(view).GetLabelVolumeID() is None


def test_what_is_not_there_is_not_shown(scene, nodes):
    for part in (nodes.uncertainty, nodes.mask_consistency):
        scene.RemoveNode(part)
    left = nodes_of(nodes.mr)
    overlays.show_uncertainty(left, True)
    overlays.set_uncertainty_threshold(left, 1.0)
    overlays.show_mask_consistency(left, True)
    overlays.show_label_contours(None, True)
    assert overlays.uncertainty_range(left) == (0.0, 1.0)


def test_the_review_of_a_lost_ct_is_refused(scene, nodes):
    scene.RemoveNode(scene.GetFirstNodeByName("Head"))
    with pytest.raises(MedUSISError, match="no longer in the scene"):
        show_review(nodes)
    set_blend(nodes, 0.5)
    assert not is_review_shown(scene)


def test_a_scene_without_views_is_no_crash(tmp_path):
    slicer = pytest.importorskip("slicer")
    scene = slicer.vtkMRMLScene()
    nodes = load_results(write_result(tmp_path, AXIAL), add_ct(scene))
    with pytest.raises(MedUSISError, match="without its window"):
        show_review(nodes)
    hide_review(scene)
    overlays.show_uncertainty(nodes, True)
    overlays.show_mask_consistency(nodes, True)
    set_blend(nodes, 0.5)
    assert not is_review_shown(scene)
    assert not register_layouts(scene)
