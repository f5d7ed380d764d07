"""The review in a real slice view: the picture has what a reader needs to see."""

from __future__ import annotations

import numpy as np
import pytest
from small_result import AXIAL, add_ct, arrays, write_result

from MedUSISLib.mrml import overlays, slice_views
from MedUSISLib.mrml.ct_mr_blend import set_blend
from MedUSISLib.mrml.hotspots import jump_to, most_inconsistent, most_uncertain
from MedUSISLib.mrml.result_nodes import synthetic_volumes
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.review_layout import ALL, hide_review, register_layouts, show_review
from MedUSISLib.mrml.review_state import is_review_shown


@pytest.fixture
def nodes(slicer_window, tmp_path):
    window = slicer_window.slicer.app.mainWindow()
    window.resize(1200, 600)
    window.show()
    scene = slicer_window.slicer.mrmlScene
    ct = add_ct(scene)
    nodes = load_results(write_result(tmp_path, AXIAL), ct)
    slicer_window.process_events()
    return nodes


def _picture(slicer_window, kind, orientation="Axial"):
    """RGB of a view, shape (height, width, 3), without its upper rows, where the caution stands."""
    return _whole_picture(slicer_window, kind, orientation)[40:]


def _whole_picture(slicer_window, kind, orientation="Axial"):
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    slicer_window.process_events()
    manager = slicer_window.slicer.app.layoutManager()
    window = manager.sliceWidget(slice_views.view_name(kind, orientation)).sliceView().renderWindow()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].astype(int)


def _colorful(picture):
    return np.count_nonzero(picture.max(axis=-1) - picture.min(axis=-1) > 60)


def _without_crosshair(scene):
    crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairMode(crosshair.NoCrosshair)


def test_the_caution_stands_on_mr_and_uncertainty_only(slicer_window, nodes):
    show_review(nodes)
    _without_crosshair(nodes.mr.GetScene())
    for kind, expected in ((slice_views.CT, False), (slice_views.MR, True), (slice_views.UNCERTAINTY, True)):
        top = _whole_picture(slicer_window, kind)[:30]
        yellow = (top[..., 0] > 200) & (top[..., 1] > 150) & (top[..., 2] < 120)
        assert (np.count_nonzero(yellow) > 100) == expected


def test_the_caution_is_written_once(slicer_window, nodes):
    show_review(nodes)
    show_review(nodes)
    view = slicer_window.slicer.app.layoutManager().sliceWidget("MedUSIS-SyntheticMR-Axial").sliceView()
    props = view.renderWindow().GetRenderers().GetFirstRenderer().GetViewProps()
    names = [props.GetItemAsObject(index).GetObjectName() for index in range(props.GetNumberOfItems())]
    assert names.count("MedUSIS caution") == 1


def test_ct_and_mr_are_grey_and_the_uncertainty_is_not(slicer_window, nodes):
    show_review(nodes)
    _without_crosshair(nodes.mr.GetScene())
    jump_to(most_uncertain(nodes)[0])
    assert _colorful(_picture(slicer_window, slice_views.CT)) == 0
    assert _colorful(_picture(slicer_window, slice_views.MR)) == 0
    assert _picture(slicer_window, slice_views.MR).max() > 50
    assert _colorful(_picture(slicer_window, slice_views.UNCERTAINTY)) > 500


def test_the_legend_stands_in_the_uncertainty_view(slicer_window, nodes):
    show_review(nodes, arrangement=ALL)
    _without_crosshair(nodes.mr.GetScene())
    bars = {}
    for orientation in slice_views.ORIENTATIONS:
        picture = _picture(slicer_window, slice_views.UNCERTAINTY, orientation)
        bars[orientation] = _colorful(picture[:, int(0.94 * picture.shape[1]) :])
    assert bars["Axial"] > 100
    assert bars["Coronal"] == bars["Sagittal"] == 0


def test_overlays_color_ct_and_mr_until_they_are_taken_away(slicer_window, nodes):
    show_review(nodes)
    _without_crosshair(nodes.mr.GetScene())
    jump_to(most_inconsistent(nodes)[0])
    for show in (overlays.show_uncertainty, overlays.show_mask_consistency):
        if show is overlays.show_uncertainty:
            jump_to(most_uncertain(nodes)[0])
        show(nodes, True)
        assert all(_colorful(_picture(slicer_window, kind)) > 20 for kind in (slice_views.CT, slice_views.MR)), show
        show(nodes, False)
        assert all(_colorful(_picture(slicer_window, kind)) == 0 for kind in (slice_views.CT, slice_views.MR)), show
        jump_to(most_inconsistent(nodes)[0])


def test_a_high_threshold_leaves_only_the_uncertain_place(slicer_window, nodes):
    show_review(nodes)
    _without_crosshair(nodes.mr.GetScene())
    jump_to(most_uncertain(nodes)[0])
    overlays.show_uncertainty(nodes, True)
    many = _colorful(_picture(slicer_window, slice_views.CT))
    overlays.set_uncertainty_threshold(nodes, 0.5 * float(arrays()["uncertainty"].max()))
    few = _colorful(_picture(slicer_window, slice_views.CT))
    assert 0 < few < many / 3


def test_fading_changes_the_mr_view_and_no_other(slicer_window, nodes):
    show_review(nodes)
    ct = _picture(slicer_window, slice_views.CT)
    mr = _picture(slicer_window, slice_views.MR)
    set_blend(nodes, 0.0)
    assert np.abs(_picture(slicer_window, slice_views.MR) - ct).max() <= 3
    set_blend(nodes, 0.5)
    middle = _picture(slicer_window, slice_views.MR)
    assert np.abs(middle - (ct + mr) / 2).max() <= 4
    set_blend(nodes, 1.0)
    assert np.array_equal(_picture(slicer_window, slice_views.MR), mr)
    assert np.array_equal(_picture(slicer_window, slice_views.CT), ct)


def test_the_views_scroll_together(slicer_window, nodes):
    show_review(nodes)
    manager = slicer_window.slicer.app.layoutManager()
    red = manager.sliceWidget("Red").sliceLogic().GetSliceOffset()
    controller = manager.sliceWidget("MedUSIS-CT-Axial").sliceController()
    controller.setSliceOffsetValue(9.0)
    slicer_window.process_events()
    for view in list(slice_views.review_slices(nodes.mr.GetScene()))[:3]:
        assert view.GetSliceOffset() == pytest.approx(9.0)
    assert manager.sliceWidget("Red").sliceLogic().GetSliceOffset() == red


def test_leaving_brings_the_users_views_back(slicer_window, nodes):
    manager = slicer_window.slicer.app.layoutManager()
    before = manager.visible_view_names()
    show_review(nodes)
    assert manager.visible_view_names() == (
        "MedUSIS-CT-Axial", "MedUSIS-SyntheticMR-Axial", "MedUSIS-Uncertainty-Axial"
    )  # fmt: skip
    hide_review(nodes.mr.GetScene())
    assert manager.visible_view_names() == before


def test_a_scene_that_was_saved_in_the_review_opens_in_it(slicer_window, nodes, tmp_path):
    slicer = slicer_window.slicer
    scene, manager = slicer.mrmlScene, slicer.app.layoutManager()
    show_review(nodes)
    slicer_window.process_events()
    assert scene.WriteToMRB(str(tmp_path / "saved.mrb"))
    scene.Clear(0)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView)
    for name in ("MedUSIS-SyntheticMR-Axial", "MedUSIS-Uncertainty-Axial"):  # as in a Slicer that was just started
        renderer = manager.sliceWidget(name).sliceView().renderWindow().GetRenderers().GetFirstRenderer()
        props = renderer.GetViewProps()
        for prop in [props.GetItemAsObject(index) for index in range(props.GetNumberOfItems())]:
            if prop.GetObjectName() == "MedUSIS caution":
                renderer.RemoveViewProp(prop)
    (tmp_path / "unpacked").mkdir()
    assert slicer.app.applicationLogic().OpenSlicerDataBundle(str(tmp_path / "saved.mrb"), str(tmp_path / "unpacked"))
    slicer_window.process_events()
    assert register_layouts(scene)
    assert is_review_shown(scene)
    (mr,) = synthetic_volumes(scene)
    shown = slice_views.composite_of(scene.GetSingletonNode("MedUSIS-SyntheticMR-Axial", "vtkMRMLSliceNode"))
    assert shown.GetBackgroundVolumeID() == mr.GetID()
    _without_crosshair(scene)
    top = _whole_picture(slicer_window, slice_views.MR)[:30]
    assert np.count_nonzero((top[..., 0] > 200) & (top[..., 2] < 120)) > 100
    hide_review(scene)
    assert "Red" in manager.visible_view_names()
