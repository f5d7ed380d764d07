"""A finished synthesis comes into the scene: where it lies, what it carries, what happens when it does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_result import (
    AXIAL,
    LEFT_HANDED,
    REPORT,
    SIZE_KJI,
    add_ct,
    add_transform,
    arrays,
    bent_transform,
    node_ids,
    oblique,
    write_result,
)

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.result_nodes import ct_of, nodes_of, synthetic_volumes
from MedUSISLib.mrml.results import export_report, load_results, remove_results
from MedUSISLib.mrml.settings import OutputChoice
from MedUSISLib.mrml.slice_views import overlay_of, set_overlay
from MedUSISLib.mrml.world_grid import index_to_local, world_grid

TURN = np.array([[0.0, -1, 0, 5], [0.6, 0, 0.8, -20], [-0.8, 0, 0.6, 9], [0, 0, 0, 1]])
SHEAR = np.array([[1.0, 0.2, 0, 5], [0, 1, 0, 0], [0, 0.1, 1.2, 9], [0, 0, 0, 1]])


@pytest.mark.parametrize("matrix", [AXIAL, LEFT_HANDED, oblique()], ids=["axial", "left-handed", "oblique"])
def test_voxels_and_grid_are_the_cts_own(mrml_scene, tmp_path, matrix):
    import slicer

    ct = add_ct(mrml_scene, matrix)
    nodes = load_results(write_result(tmp_path, matrix), ct)
    for name in ("mr", "uncertainty"):
        volume = getattr(nodes, name)
        assert np.array_equal(slicer.util.arrayFromVolume(volume), arrays()[name])
        assert np.array_equal(index_to_local(volume), index_to_local(ct))
    for number, segment in enumerate(("agree", "tissue_missing", "tissue_too_much"), start=1):
        found = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.mask_consistency, segment, ct)
        assert np.array_equal(found != 0, arrays()["mask_consistency"] == number)


@pytest.mark.parametrize("kind", ["rigid", "chain", "shear", "bent"])
def test_a_moved_ct_gives_its_transform_to_all_outputs(mrml_scene, tmp_path, kind):
    ct = add_ct(mrml_scene, oblique())
    parent = (
        bent_transform(mrml_scene) if kind == "bent" else add_transform(mrml_scene, SHEAR if kind == "shear" else TURN)
    )
    if kind == "chain":
        parent = add_transform(mrml_scene, np.linalg.inv(TURN) @ np.diag([1, -1, 1, 1]), parent)
    ct.SetAndObserveTransformNodeID(parent.GetID())
    nodes = load_results(write_result(tmp_path, world_grid(ct).matrix), ct, OutputChoice(labels=True))
    for node in (nodes.mr, nodes.uncertainty, nodes.mask_consistency, nodes.labels):
        assert node.GetParentTransformNode() is parent
    here, there = [0.0] * 6, [0.0] * 6
    ct.GetRASBounds(here)
    nodes.mr.GetRASBounds(there)
    assert np.allclose(here, there)


def test_a_result_of_the_untransformed_file_fits_too(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    ct.SetAndObserveTransformNodeID(add_transform(mrml_scene, TURN).GetID())
    assert load_results(write_result(tmp_path, AXIAL), ct).mr.GetParentTransformNode() is ct.GetParentTransformNode()


def test_a_ct_that_was_moved_during_the_run_still_gets_its_result(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    ct.SetAndObserveTransformNodeID(add_transform(mrml_scene, TURN).GetID())
    before = world_grid(ct).matrix
    folder = write_result(tmp_path, before)
    ct.GetParentTransformNode().SetMatrixTransformToParent(
        add_transform(mrml_scene, AXIAL).GetMatrixTransformToParent()
    )
    with pytest.raises(MedUSISError, match="GEOMETRY_MISMATCH"):
        load_results(folder, ct)
    assert load_results(folder, ct, made_on=before).mr is not None


def test_every_output_says_that_it_is_synthetic_and_how_it_came_to_be(mrml_scene, tmp_path):
    nodes = load_results(write_result(tmp_path, AXIAL), add_ct(mrml_scene), OutputChoice(labels=True))
    assert set(nodes.present()) == {
        "mr", "uncertainty", "mask_consistency", "labels", "quality", "quality_data", "provenance", "report"
    }  # fmt: skip
    for node in nodes.present().values():
        assert "SYNTHETIC" in node.GetName()
        assert node.GetAttribute("MedUSIS.Synthetic") == "1"
        assert node.GetAttribute("MedUSIS.Notice") == "SYNTHETIC - not for diagnosis"
        assert node.GetAttribute("MedUSIS.Generator") == "head-t1w"
        assert node.GetAttribute("MedUSIS.GeneratorVersion") == "0.1.0"
        assert node.GetAttribute("MedUSIS.Seed") == "7"
    assert nodes.mr.GetName() == "Head SYNTHETIC MR"
    assert json.loads(nodes.provenance.GetText())["seed"] == 7
    assert nodes.report.GetText() == REPORT


def test_nodes_find_each_other(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    nodes = load_results(write_result(tmp_path, AXIAL), ct)
    assert nodes_of(nodes.mr) == nodes
    assert ct_of(nodes) is ct
    assert synthetic_volumes(mrml_scene) == [nodes.mr]
    assert nodes_of(ct) is None and nodes_of(nodes.uncertainty) is None and nodes_of(None) is None
    mrml_scene.RemoveNode(nodes.uncertainty)
    assert nodes_of(nodes.mr).uncertainty is None


def test_only_the_maps_that_were_chosen_come(mrml_scene, tmp_path):
    choice = OutputChoice(uncertainty=False, mask_consistency=False)
    nodes = load_results(write_result(tmp_path, AXIAL), add_ct(mrml_scene), choice)
    assert (nodes.uncertainty, nodes.mask_consistency, nodes.labels) == (None, None, None)


def test_one_pass_has_no_uncertainty(mrml_scene, tmp_path):
    zeros = np.zeros(SIZE_KJI, np.float32)
    folder = write_result(tmp_path, AXIAL, passes=1, uncertainty=zeros)
    assert load_results(folder, add_ct(mrml_scene)).uncertainty is None


def test_the_noise_spread_comes_when_it_was_made(mrml_scene, tmp_path):
    folder = write_result(tmp_path, AXIAL, noise_spread=np.full(SIZE_KJI, 0.25, np.float32))
    nodes = load_results(folder, add_ct(mrml_scene))
    assert nodes.noise_spread.GetName() == "Head SYNTHETIC MR noise spread"
    assert nodes_of(nodes.mr).noise_spread is nodes.noise_spread


def test_an_empty_consistency_map_makes_empty_segments(mrml_scene, tmp_path):
    folder = write_result(tmp_path, AXIAL, mask_consistency=np.zeros(SIZE_KJI, np.uint8))
    nodes = load_results(folder, add_ct(mrml_scene))
    assert nodes.mask_consistency.GetSegmentation().GetNumberOfSegments() == 3


def test_a_single_slice_is_loaded(mrml_scene, tmp_path):
    import slicer

    ct = add_ct(mrml_scene)
    parts = {name: array[5:6] for name, array in arrays().items()}
    slicer.util.updateVolumeFromArray(ct, np.zeros((1, 18, 22), np.int16))
    nodes = load_results(write_result(tmp_path, AXIAL, **parts), ct)
    assert slicer.util.arrayFromVolume(nodes.mr).shape == (1, 18, 22)


def test_outputs_lie_beside_the_ct_in_the_study(mrml_scene, tmp_path):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P")
    study = hierarchy.CreateStudyItem(patient, "S")
    ct = add_ct(mrml_scene)
    hierarchy.CreateItem(study, ct)
    nodes = load_results(write_result(tmp_path, AXIAL), ct)
    mr_item = hierarchy.GetItemByDataNode(nodes.mr)
    assert hierarchy.GetItemParent(mr_item) == study
    for node in (nodes.uncertainty, nodes.mask_consistency, nodes.quality, nodes.provenance, nodes.report):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == mr_item
    assert hierarchy.GetItemByDataNode(nodes.quality_data) == 0


def test_outputs_of_a_ct_without_a_study_lie_at_the_top(mrml_scene, tmp_path):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene)
    nodes = load_results(write_result(tmp_path, AXIAL), add_ct(mrml_scene))
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes.mr)) == hierarchy.GetSceneItemID()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("elsewhere", "GEOMETRY_MISMATCH"),
        ("flipped", "GEOMETRY_MISMATCH"),
        ("size", "GEOMETRY_MISMATCH"),
        ("no quality", "INPUT_NOT_READABLE"),
        ("broken json", "INPUT_NOT_READABLE"),
        ("no mr", "INPUT_NOT_READABLE"),
        ("cut uncertainty", "INPUT_NOT_READABLE"),
        ("other uncertainty", "GEOMETRY_MISMATCH"),
    ],
)
def test_a_result_that_does_not_fit_leaves_the_scene_as_it_was(mrml_scene, tmp_path, damage, code):
    import slicer

    ct = add_ct(mrml_scene)
    earlier = load_results(write_result(tmp_path / "a", AXIAL), ct)
    matrix, maps = AXIAL.copy(), {}
    if damage == "elsewhere":
        matrix[0, 3] += 1.0
    if damage == "flipped":
        matrix[2, 3] += matrix[2, 2] * (SIZE_KJI[0] - 1)
        matrix[2, 2] *= -1
    if damage == "size":
        maps = {name: array[:-1] for name, array in arrays().items()}
    folder = write_result(tmp_path / "b", matrix, **maps)
    if damage == "no quality":
        (folder / "quality.json").unlink()
    if damage == "broken json":
        (folder / "provenance.json").write_text("{")
    if damage == "no mr":
        (folder / "mr.nii.gz").unlink()
    if damage == "cut uncertainty":
        (folder / "uncertainty.nii.gz").write_bytes((folder / "uncertainty.nii.gz").read_bytes()[:3000])
    if damage == "other uncertainty":
        other = write_result(tmp_path / "c", AXIAL + np.eye(4, k=3) * 9)
        (folder / "uncertainty.nii.gz").write_bytes((other / "uncertainty.nii.gz").read_bytes())
    before = node_ids(mrml_scene)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene)
    items = hierarchy.GetNumberOfItems()
    with pytest.raises(MedUSISError, match=code) as caught:
        load_results(folder, ct, OutputChoice(replace=earlier))
    assert str(tmp_path) not in str(caught.value)
    assert node_ids(mrml_scene) == before
    assert hierarchy.GetNumberOfItems() == items


def test_a_second_result_gets_another_name_and_a_replacement_the_same(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    folder = write_result(tmp_path, AXIAL)
    first = load_results(folder, ct)
    second = load_results(folder, ct)
    assert second.mr.GetName() == "Head SYNTHETIC MR 2"
    remove_results(second)
    number = len(node_ids(mrml_scene))
    replacement = load_results(folder, ct, OutputChoice(replace=first))
    assert replacement.mr.GetName() == "Head SYNTHETIC MR"
    assert synthetic_volumes(mrml_scene) == [replacement.mr]
    assert len(node_ids(mrml_scene)) == number


def test_a_view_that_showed_the_replaced_mr_shows_the_new_one(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    folder = write_result(tmp_path, AXIAL)
    first = load_results(folder, ct)
    view = mrml_scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetBackgroundVolumeID(ct.GetID())
    view.SetForegroundVolumeID(first.mr.GetID())
    set_overlay(view, first.uncertainty.GetID())
    second = load_results(folder, ct, OutputChoice(replace=first))
    assert view.GetForegroundVolumeID() == second.mr.GetID()
    assert overlay_of(view) == second.uncertainty.GetID()
    assert view.GetBackgroundVolumeID() == ct.GetID()


def test_removal_leaves_only_the_color_map(mrml_scene, tmp_path):
    import slicer

    ct = add_ct(mrml_scene)
    before = set(node_ids(mrml_scene))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene)
    items = hierarchy.GetNumberOfItems()
    nodes = load_results(write_result(tmp_path, AXIAL), ct, OutputChoice(labels=True))
    remove_results(nodes)
    left = [mrml_scene.GetNodeByID(id_).GetName() for id_ in set(node_ids(mrml_scene)) - before]
    assert left == ["MedUSIS uncertainty"]
    assert hierarchy.GetNumberOfItems() == items


def test_the_report_can_be_exported(mrml_scene, tmp_path):
    nodes = load_results(write_result(tmp_path / "r", AXIAL), add_ct(mrml_scene))
    path = export_report(nodes, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == REPORT
    mrml_scene.RemoveNode(nodes.report)
    with pytest.raises(MedUSISError, match="no longer in the scene"):
        export_report(nodes_of(nodes.mr), tmp_path / "again.html")


def test_a_ct_that_left_the_scene_is_an_error(mrml_scene, tmp_path):
    ct = add_ct(mrml_scene)
    mrml_scene.RemoveNode(ct)
    with pytest.raises(MedUSISError, match="no longer in the scene"):
        load_results(write_result(tmp_path, AXIAL), ct)


def test_a_missing_package_is_named(mrml_scene, tmp_path, monkeypatch):
    import sys

    folder = write_result(tmp_path, AXIAL)
    ct = add_ct(mrml_scene)
    before = node_ids(mrml_scene)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MedUSISError, match="DEPENDENCY_MISSING: the package nibabel"):
        load_results(folder, ct)
    assert node_ids(mrml_scene) == before
