"""What MedUSIS brought into a scene is still one thing after the scene was saved and opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_result import AXIAL, REPORT, add_ct, add_transform, arrays, bent_transform, oblique, write_result

from MedUSISLib.mrml.overlays import uncertainty_range
from MedUSISLib.mrml.quality_nodes import quality_sentences, verdict
from MedUSISLib.mrml.result_nodes import ct_of, nodes_of, synthetic_volumes
from MedUSISLib.mrml.results import export_report, load_results, remove_results
from MedUSISLib.mrml.settings import OutputChoice
from MedUSISLib.mrml.world_grid import world_grid

TURN = np.array([[0.0, -1, 0, 5], [0.6, 0, 0.8, -20], [-0.8, 0, 0.6, 9], [0, 0, 0, 1]])


def _save_mrml(scene, folder: Path) -> Path:
    """As Slicer's Save dialog: every storable node to its own file, then the scene."""
    folder.mkdir()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLStorableNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLStorableNode")
        if not node.GetSaveWithScene() or not node.AddDefaultStorageNode():
            continue
        storage = node.GetStorageNode()
        if storage is None:
            continue
        storage.SetFileName(str(folder / f"{node.GetName()}.{storage.GetDefaultWriteFileExtension()}"))
        assert storage.WriteData(node), node.GetName()
    path = folder / "scene.mrml"
    scene.SetURL(str(path))
    scene.SetRootDirectory(str(folder))
    assert scene.Commit()
    return path


def _reopen(scene, folder: Path, kind: str) -> None:
    import slicer

    if kind == "mrml":
        path = _save_mrml(scene, folder / "saved")
        scene.Clear(0)
        scene.SetURL(str(path))
        assert scene.Connect()
    else:
        path = folder / "saved.mrb"
        assert scene.WriteToMRB(str(path))
        scene.Clear(0)
        (folder / "unpacked").mkdir()
        application = slicer.vtkMRMLApplicationLogic()
        application.SetMRMLScene(scene)
        assert application.OpenSlicerDataBundle(str(path), str(folder / "unpacked"))


@pytest.fixture(params=["mrml", "mrb"])
def reopened(request, mrml_scene, tmp_path):
    """The nodes of a result of an oblique CT under a chain of two transforms, from a scene that was opened again."""
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P"), "S")
    del hierarchy
    ct = add_ct(mrml_scene, oblique())
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(mrml_scene).CreateItem(study, ct)
    outer = add_transform(mrml_scene, TURN)
    ct.SetAndObserveTransformNodeID(add_transform(mrml_scene, np.diag([1.0, -1, 1, 1]), outer).GetID())
    folder = write_result(tmp_path / "result", world_grid(ct).matrix)
    load_results(folder, ct, OutputChoice(labels=True))
    del ct, outer
    _reopen(mrml_scene, tmp_path, request.param)
    (mr,) = synthetic_volumes(mrml_scene)
    return nodes_of(mr)


def test_all_parts_are_found_again(reopened):
    assert set(reopened.present()) == {
        "mr", "uncertainty", "mask_consistency", "labels", "quality", "quality_data", "provenance", "report"
    }  # fmt: skip
    assert ct_of(reopened).GetName() == "Head"
    assert reopened.mr.GetAttribute("MedUSIS.Seed") == "7"
    assert all("SYNTHETIC" in node.GetName() for node in reopened.present().values())


def test_voxels_lie_where_they_were(reopened):
    import slicer

    ct = ct_of(reopened)
    assert np.array_equal(slicer.util.arrayFromVolume(reopened.mr), arrays()["mr"])
    assert np.allclose(slicer.util.arrayFromVolume(reopened.uncertainty), arrays()["uncertainty"])
    for node in (reopened.mr, reopened.uncertainty, reopened.mask_consistency, reopened.labels):
        assert node.GetParentTransformNode() is ct.GetParentTransformNode()
    assert ct.GetParentTransformNode().GetParentTransformNode() is not None
    assert np.allclose(world_grid(reopened.mr).matrix, world_grid(ct).matrix, atol=1e-4)
    found = slicer.util.arrayFromSegmentBinaryLabelmap(reopened.mask_consistency, "tissue_missing", ct)
    assert np.array_equal(found != 0, arrays()["mask_consistency"] == 2)


def test_it_looks_as_before(reopened):
    display = reopened.uncertainty.GetDisplayNode()
    assert display.GetColorNode().GetName() == "MedUSIS uncertainty"
    assert not display.GetAutoWindowLevel()
    assert display.GetApplyThreshold()
    low, high = uncertainty_range(reopened)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((low, high), rel=1e-4)
    consistency = reopened.mask_consistency.GetDisplayNode()
    assert not consistency.GetSegmentVisibility("agree")
    assert consistency.GetSegmentVisibility("tissue_missing")
    assert consistency.GetVisibility2DOutline() and not consistency.GetVisibility2DFill()
    segmentation = reopened.mask_consistency.GetSegmentation()
    names = [segmentation.GetNthSegment(index).GetName() for index in range(segmentation.GetNumberOfSegments())]
    assert names == ["Agree", "Tissue missing", "Tissue too much"]
    labels = reopened.labels.GetSegmentation()
    assert labels.GetSegment("white_matter").GetName() == "Cerebral white matter"


def test_colors_are_the_same(reopened):
    from MedUSISLib.mrml.colors import uncertainty_colors, uncertainty_rgb

    node = reopened.uncertainty.GetDisplayNode().GetColorNode()
    assert uncertainty_colors(node.GetScene()) is node
    color = [0.0] * 4
    for index in (0, 100, 255):
        node.GetColor(index, color)
        assert np.allclose(color[:3], uncertainty_rgb()[index], atol=1 / 255)


def test_the_texts_still_speak(reopened, tmp_path):
    assert verdict(reopened)[0] == "worry"
    assert quality_sentences(reopened)[0] == ("worry", "Body outline, distance: 12.0 mm (95 % of 100 mm²).")
    assert export_report(reopened, tmp_path / "report.html").read_text(encoding="utf-8") == REPORT
    table = reopened.quality.GetTable()
    assert table.GetColumnName(0) == "Measure"
    assert table.GetValueByName(0, "Measure").ToString() == "Body outline, overlap"


def test_the_data_tree_is_the_same(reopened):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(reopened.mr.GetScene())
    item = hierarchy.GetItemByDataNode(reopened.mr)
    assert hierarchy.GetItemParent(item) == hierarchy.GetItemParent(hierarchy.GetItemByDataNode(ct_of(reopened)))
    assert hierarchy.GetItemName(hierarchy.GetItemParent(item)) == "S"
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(reopened.report)) == item


def test_it_can_be_removed_and_made_again(reopened, tmp_path):
    scene, ct = reopened.mr.GetScene(), ct_of(reopened)
    remove_results(reopened)
    assert synthetic_volumes(scene) == []
    again = load_results(write_result(tmp_path / "again", world_grid(ct).matrix), ct)
    assert again.mr.GetName() == "Head SYNTHETIC MR"
    number = scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode")
    names = [scene.GetNthNodeByClass(index, "vtkMRMLColorTableNode").GetName() for index in range(number)]
    assert names.count("MedUSIS uncertainty") == 1


def test_under_a_bending_transform_all_parts_stay_on_the_ct(mrml_scene, tmp_path):
    import slicer

    ct = add_ct(mrml_scene, AXIAL)
    ct.SetAndObserveTransformNodeID(bent_transform(mrml_scene).GetID())
    load_results(write_result(tmp_path / "r", AXIAL), ct)
    del ct
    _reopen(mrml_scene, tmp_path, "mrb")
    nodes = nodes_of(synthetic_volumes(mrml_scene)[0])
    ct = ct_of(nodes)
    assert nodes.mask_consistency.GetParentTransformNode() is ct.GetParentTransformNode()
    found = slicer.util.arrayFromSegmentBinaryLabelmap(nodes.mask_consistency, "tissue_too_much", ct)
    assert np.array_equal(found != 0, arrays()["mask_consistency"] == 3)
    here, there = [0.0] * 6, [0.0] * 6
    ct.GetRASBounds(here)
    nodes.mr.GetRASBounds(there)
    assert np.allclose(here, there)
