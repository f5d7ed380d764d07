"""A CT in the scene becomes a segmentation in the scene, named and coloured, with nothing left to guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from logic_doubles import PATIENT, Ear, Later, ScriptedProcess, scripted_worker

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.nifti import read_nifti
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.mrml.segment_classes import segment_rows
from MedUSISLib.mrml.segmentation_logic import SegmentationLogic
from MedUSISLib.mrml.segmentation_nodes import labels_file


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def ct_under_transform(scene: Any) -> Any:
    """A small CT, left-handed and oblique, under a transform and in a study of a patient."""
    import slicer
    import slicer.util
    import vtk

    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", PATIENT)
    slicer.util.updateVolumeFromArray(ct, np.full((6, 7, 8), 40, np.int16))
    matrix = vtk.vtkMatrix4x4()
    for row, values in enumerate(((0.9, 0, 0, 5), (0, 0.8, 0, -3), (0, 0, -1.5, 20))):
        for column, value in enumerate(values):
            matrix.SetElement(row, column, value)
    ct.SetIJKToRASMatrix(matrix)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "couch")
    shift = vtk.vtkTransform()
    shift.RotateZ(20)
    shift.Translate(10, 20, 30)
    transform.SetMatrixTransformToParent(shift.GetMatrix())
    ct.SetAndObserveTransformNodeID(transform.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), PATIENT), "study")
    item = hierarchy.GetItemByDataNode(ct)
    hierarchy.SetItemParent(item, study) if item else hierarchy.CreateItem(study, ct)
    return ct


class Bench:
    def __init__(self, scene: Any) -> None:
        self.process = ScriptedProcess()
        self.logic = SegmentationLogic(scripted_worker(self.process, Later()), scene=lambda: scene)
        self.ear = Ear(self.logic)
        self.ct = ct_under_transform(scene)

    def answer(self, labels_kji: np.ndarray) -> None:
        """What the child does: labels on the grid of the file that it was given."""
        assert self.logic._job._run is not None
        folder = self.logic._job._run.folder
        ct = read_nifti(folder / "ct.nii", "the CT")
        assert ct.array_kji.shape == labels_kji.shape
        write_volume(Volume(labels_kji, ct.geometry), labels_file(folder))
        self.process.succeed()


@pytest.fixture
def bench(mrml_scene: Any) -> Any:
    made = Bench(mrml_scene)
    yield made
    made.logic.close()


def labels() -> np.ndarray:
    array = np.zeros((6, 7, 8), np.uint8)
    array[1:5, 2:4, 1:7] = load_schema("head").index_of("white_matter")
    array[1:5, 4:6, 1:7] = load_schema("head").index_of("csf")
    return array


def test_segments_bear_names_colours_and_terms_of_the_schema(bench: Bench) -> None:
    bench.logic.start(bench.ct)
    bench.answer(labels())
    ((node,),) = bench.ear.all("finished")
    assert node.GetName() == f"{PATIENT} segmentation (MedUSIS)"
    head = load_schema("head")
    segmentation = node.GetSegmentation()
    assert set(segmentation.GetSegmentIDs()) == {"white_matter", "csf"}
    segment = segmentation.GetSegment("white_matter")
    white_matter = head.class_named("white_matter")
    assert segment.GetName() == white_matter.title
    assert np.allclose(np.array(segment.GetColor()) * 255, white_matter.color)
    import vtk

    entry = vtk.reference("")
    assert segment.GetTag("TerminologyEntry", entry) and white_matter.snomed_code in str(entry)


def test_classes_need_no_guessing(bench: Bench) -> None:
    bench.logic.start(bench.ct)
    bench.answer(labels())
    node = bench.ear.all("finished")[0][0]
    rows = segment_rows(node, load_schema("head"))
    assert {(row.key, row.class_name, row.known_by) for row in rows} == {
        ("white_matter", "white_matter", "stored"),
        ("csf", "csf", "stored"),
    }


def test_node_lies_on_the_ct_with_its_transform_and_study(bench: Bench) -> None:
    import slicer
    import slicer.util

    bench.logic.start(bench.ct)
    bench.answer(labels())
    node = bench.ear.all("finished")[0][0]
    assert node.GetTransformNodeID() == bench.ct.GetTransformNodeID()
    back = slicer.util.arrayFromSegmentBinaryLabelmap(node, "csf", bench.ct)
    assert np.array_equal(back > 0, labels() == load_schema("head").index_of("csf"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(bench.ct.GetScene())
    parents = [hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in (node, bench.ct)]
    assert parents[0] == parents[1] != hierarchy.GetSceneItemID()


def test_caution_about_grey_and_white_matter_is_passed_on(bench: Bench) -> None:
    bench.logic.start(bench.ct)
    bench.process.say('{"event": "stage", "name": "segmenting"}')
    bench.process.say('{"event": "warning", "code": "PRIOR_ONLY", "message": "a shape prior"}')
    bench.answer(labels())
    assert bench.ear.all("warned") == [("PRIOR_ONLY", "a shape prior")]
    assert ("Segmenting the CT",) in bench.ear.all("stage")
    assert bench.ear.outcomes() == ["finished"]


def test_totalsegmentator_keeps_its_names_and_has_classes_for_head_and_torso(bench: Bench) -> None:
    bench.logic.start(bench.ct, "totalsegmentator")
    array = np.zeros((6, 7, 8), np.uint8)
    array[1:3], array[3:5] = 5, 90  # liver, brain
    bench.answer(array)
    node = bench.ear.all("finished")[0][0]
    head = {row.name: (row.class_name, row.known_by) for row in segment_rows(node, load_schema("head"))}
    assert head == {"liver": ("soft_tissue", "stored"), "brain": ("brain", "stored")}
    torso = {row.name: row.class_name for row in segment_rows(node, load_schema("torso"))}
    assert torso["liver"] == "liver"


def test_empty_answer_is_an_error_and_adds_no_node(bench: Bench, temporary_folder: Path) -> None:
    bench.logic.start(bench.ct)
    before = bench.ct.GetScene().GetNumberOfNodes()
    bench.answer(np.zeros((6, 7, 8), np.uint8))
    assert bench.ear.all("failed")[0][0].code == "EMPTY_SEGMENTATION"
    assert bench.ct.GetScene().GetNumberOfNodes() == before
    assert list(temporary_folder.iterdir()) == []


def test_ct_that_was_moved_meanwhile_still_gets_its_segmentation(bench: Bench) -> None:
    bench.logic.start(bench.ct)
    bench.ct.SetAndObserveTransformNodeID(None)
    bench.answer(labels())
    assert bench.ear.outcomes() == ["finished"]


@pytest.mark.parametrize(("ct", "tool"), [(None, "head-seg"), ("ct", "no-such-tool")])
def test_wrong_choices_are_refused_before_anything_is_said(bench: Bench, ct: str | None, tool: str) -> None:
    with pytest.raises(MedUSISError):
        bench.logic.start(bench.ct if ct else None, tool)
    assert bench.ear.heard == [] and not bench.logic.running
