"""The bundled head in the scene: what the Sample Data module and the tutorial load."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def sample_data(mrml_scene: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "MedUSIS"))
    import MedUSISGui.sample_data as module

    return module


def test_ct_keeps_its_values_and_its_place(sample_data: Any) -> None:
    import slicer
    import vtk

    ct, _ = sample_data.load_sample_data()
    image = sitk.ReadImage(REPOSITORY / "Resources" / "SampleData" / "head_ct.nii.gz")
    assert np.array_equal(slicer.util.arrayFromVolume(ct), sitk.GetArrayFromImage(image))
    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    corner_lps = image.TransformIndexToPhysicalPoint((10, 20, 30))
    corner_ras = matrix.MultiplyPoint((10, 20, 30, 1))
    assert np.allclose(corner_ras[:3], np.array(corner_lps) * (-1, -1, 1), atol=1e-3)


def test_segments_have_names_colours_and_terms_of_the_schema(sample_data: Any) -> None:
    _, node = sample_data.load_sample_data()
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
    by_value = {segment.GetLabelValue(): segment for segment in segments}
    assert sorted(by_value) == list(range(1, 15))
    assert by_value[9].GetName() == "Cerebral white matter"
    assert np.allclose(by_value[14].GetColor(), np.array((210, 30, 40)) / 255, atol=1e-6)
    entry = node_tag(by_value[9], "TerminologyEntry")
    assert "SCT^68523003^Cerebral White Matter" in entry and entry.count("~") == 6


def node_tag(segment: Any, name: str) -> str:
    import vtk

    text = vtk.reference("")
    segment.GetTag(name, text)
    return str(text)


def test_terms_are_read_by_slicer(sample_data: Any) -> None:
    import slicer

    _, node = sample_data.load_sample_data()
    segment = node.GetSegmentation().GetNthSegment(0)
    term = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    assert logic.DeserializeTerminologyEntry(node_tag(segment, "TerminologyEntry"), term)
    assert term.GetTypeObject().GetCodeValue() == "39937001"


def test_segmentation_covers_the_voxels_of_the_file(sample_data: Any) -> None:
    import slicer

    ct, node = sample_data.load_sample_data()
    labels = sitk.GetArrayFromImage(sitk.ReadImage(REPOSITORY / "Resources" / "SampleData" / "head_seg.nii.gz"))
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName("Eyes")
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, ct)
    assert np.array_equal(mask > 0, labels == 13)


def test_both_stand_in_one_study_and_nothing_else_is_left(sample_data: Any) -> None:
    import slicer

    ct, node = sample_data.load_sample_data()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in (ct, node)}
    assert [hierarchy.GetItemName(item) for item in parents] == ["Head"]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode") == 0


def test_a_second_copy_has_another_name(sample_data: Any) -> None:
    first, _ = sample_data.load_sample_data()
    second, _ = sample_data.load_sample_data()
    assert first.GetName() != second.GetName()


def test_registering_twice_offers_the_sample_once(sample_data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[Any] = []
    logic = SimpleNamespace(
        sampleDataSourcesByCategory=lambda category: sources,
        registerCustomSampleDataSource=lambda **source: sources.append(SimpleNamespace(**source)),
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    sample_data.register_sample_data()
    sample_data.register_sample_data()
    (source,) = sources
    assert source.category == "MedUSIS" and source.sampleName == "MedUSIS head CT"
    assert Path(source.thumbnailFileName).read_bytes().startswith(b"\x89PNG")
    assert all(uri.startswith("file://") for uri in source.uris)
    ct, node = source.customDownloader(source)
    assert ct.IsA("vtkMRMLScalarVolumeNode") and node.IsA("vtkMRMLSegmentationNode")


def test_sample_loads_where_nothing_was_installed(sample_data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pydantic", "psutil", "torch", "monai", "skimage", "nibabel", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("MedUSISLib.anatomy")]:
        monkeypatch.delitem(sys.modules, name)
    assert len(sample_data.load_sample_data()) == 2
