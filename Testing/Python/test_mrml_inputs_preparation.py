"""Nodes become the three files of a synthesis, and the engine makes of them what it makes of the original files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scene_nodes import (
    add_segment,
    add_segmentation,
    add_volume,
    bending_transform,
    put_under,
    rotation,
    scale,
    shift,
)

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.coverage import align_labels
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.mrml.preparation import prepare_inputs
from MedUSISLib.mrml.settings import SynthesisInputs
from MedUSISLib.resources import resource_path

HEAD = load_schema("head")
SHAPE = (6, 7, 8)
BOTH = {"a": "skin", "b": "fat"}
GRID = shift(-3, 4, 5) @ rotation((1, 2, 3), 15) @ scale(1, 1, 2)


def some_ct(grid: np.ndarray = GRID) -> Any:
    return add_volume(np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16), grid)


def mask(*first_and_last_slice: int) -> np.ndarray:
    result = np.zeros(SHAPE)
    result[slice(*first_and_last_slice)] = 1
    return result


def class_names(prepared: Any) -> np.ndarray:
    """Class index of each voxel as the engine reads the files."""
    labels = read_label_map(prepared.segmentation_file)
    return load_mapping(str(prepared.labels_file), HEAD).apply(labels.array_kji)


def representations(node: Any) -> list[str]:
    kinds = ("Binary labelmap", "Closed surface", "Fractional labelmap", "Planar contour")
    return [kind for kind in kinds if node.GetSegmentation().ContainsRepresentation(kind)]


def fingerprint(scene: Any) -> list[Any]:
    """Everything of the scene that preparing could have touched."""
    import slicer

    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    segmentations = [node for node in nodes if node.IsA("vtkMRMLSegmentationNode")]
    return [
        [(node.GetID(), node.GetMTime()) for node in nodes],
        hierarchy.GetNumberOfItems(),
        [(node.GetSegmentation().GetMTime(), representations(node)) for node in segmentations],
        scene.GetUndoFlag(),
    ]


def test_files_hold_ct_segments_and_their_meaning(mrml_scene: Any, tmp_path: Path) -> None:
    ct = some_ct()
    node = add_segmentation({"a": mask(0, 2), "b": mask(2, 4), "out": mask(4, 6)}, GRID)
    node.GetSegmentation().GetSegment("b").SetName('The "second",\n one; b')
    before = fingerprint(mrml_scene)
    prepared = prepare_inputs(
        SynthesisInputs(ct, node, {"a": "skin", "b": "White Matter", "out": "background"}), HEAD, tmp_path / "new"
    )
    assert fingerprint(mrml_scene) == before
    assert not prepared.segmentation_was_resampled and prepared.warnings == ()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["ct.nii", "labels.csv", "segmentation.nii"]
    with prepared.labels_file.open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [["value", "name", "class"], ["1", "a", "skin"], ["2", 'The "second", one; b', "white_matter"]]
    assert read_label_map(prepared.segmentation_file).array_kji[:, 0, 0].tolist() == [1, 1, 2, 2, 0, 0]
    assert class_names(prepared)[:, 0, 0].tolist() == [1, 1, 9, 9, 0, 0]
    ours, cts = read_label_map(prepared.segmentation_file).geometry, read_volume(prepared.ct_file).geometry
    assert ours == cts


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        # a part of the brain, listed before the whole brain: it stays visible
        ({"part": "cortex", "first": "skin", "second": "fat", "all": "brain"}, ["cortex", "cortex"] + ["brain"] * 4),
        (
            {"part": "skin", "first": "fat", "second": "fat", "all": "soft_tissue"},
            ["skin", "skin", "soft_tissue", "fat", "fat", "fat"],
        ),
        # classes that have nothing to do with each other: the later segment wins
        ({"part": "brain", "first": "skin", "second": "csf", "all": "vessels"}, ["vessels"] * 6),
        (
            {"part": "brain", "first": "csf", "second": "skin", "all": "background"},
            ["brain", "brain", None, "csf", "skin", "skin"],
        ),
    ],
)
def test_finer_classes_stay_visible_and_otherwise_later_segments_win(
    mrml_scene: Any, tmp_path: Path, classes: dict[str, str], expected: list[str | None]
) -> None:
    node = add_segmentation({"part": mask(0, 2), "first": mask(3, 6), "second": mask(4, 6), "all": mask(0, 6)}, GRID)
    found = class_names(prepare_inputs(SynthesisInputs(some_ct(), node, classes), HEAD, tmp_path))
    names = [HEAD.names[index] if index else None for index in found[:, 0, 0]]
    assert names == expected


def test_what_becomes_background_does_not_cover_other_segments(mrml_scene: Any, tmp_path: Path) -> None:
    node = add_segmentation({"brain": mask(0, 6), "cutout": mask(0, 3)}, GRID)
    inputs = SynthesisInputs(some_ct(), node, {"brain": "brain", "cutout": "background"})
    assert (class_names(prepare_inputs(inputs, HEAD, tmp_path)) == HEAD.index_of("brain")).all()


def test_more_than_255_segments(mrml_scene: Any, tmp_path: Path) -> None:
    labels = np.arange(1, 1 + np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    node = add_volume(labels, GRID, "labels", label_map=True)
    classes = {str(value): HEAD.names[1 + value % 12] for value in labels.ravel()}
    found = class_names(prepare_inputs(SynthesisInputs(some_ct(), node, classes), HEAD, tmp_path))
    np.testing.assert_array_equal(found, 1 + labels % 12)


def test_a_label_map_under_another_transform(mrml_scene: Any, tmp_path: Path) -> None:
    ct = some_ct()
    put_under(ct, rotation((0, 1, 1), 30), shift(5, 5, 5))
    labels = add_volume(np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.uint8), GRID, "l", label_map=True)
    classes = {"1": "fat", "2": "skin"}
    put_under(labels, rotation((0, 1, 1), 30), shift(5, 5, 5))
    prepared = prepare_inputs(SynthesisInputs(ct, labels, classes), HEAD, tmp_path)
    assert not prepared.segmentation_was_resampled  # the same transform above both, in two nodes
    labels.SetAndObserveTransformNodeID(None)
    prepared = prepare_inputs(SynthesisInputs(ct, labels, classes), HEAD, tmp_path)
    assert prepared.segmentation_was_resampled


def test_the_warnings_of_the_transform_come_along(mrml_scene: Any, tmp_path: Path) -> None:
    ct, node = some_ct(), add_segmentation({"a": mask(0, 6)}, GRID)
    bent = bending_transform().GetID()
    ct.SetAndObserveTransformNodeID(bent)
    node.SetAndObserveTransformNodeID(bent)
    prepared = prepare_inputs(SynthesisInputs(ct, node, {"a": "skin"}), HEAD, tmp_path)
    assert [code for code, _ in prepared.warnings] == ["TRANSFORM_NONLINEAR"]
    assert not prepared.segmentation_was_resampled  # under the same bending transform the grids are the same
    assert class_names(prepared).all()


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda ct, node: {"a": "skin"}, ErrorCode.UNKNOWN_LABELS, "1 segment has no class: Second"),
        (lambda ct, node: {"a": "skin", "b": "nothing"}, ErrorCode.UNKNOWN_LABELS, "no class 'nothing'"),
        (lambda ct, node: {"a": "background", "b": "background"}, ErrorCode.EMPTY_SEGMENTATION, "no segment"),
        (
            lambda ct, node: put_under(node, shift(500, 0, 0)) and BOTH,
            ErrorCode.EMPTY_SEGMENTATION,
            "does not overlap",
        ),
        (lambda ct, node: ct.SetAndObserveImageData(None) or BOTH, ErrorCode.INPUT_NOT_READABLE, "no voxels"),
        (lambda ct, node: put_under(ct, scale(1, 1, 0)) and BOTH, ErrorCode.GEOMETRY_MISMATCH, "no usable place"),
    ],
)
def test_errors_are_named_and_leave_nothing(
    mrml_scene: Any, tmp_path: Path, change: Callable[[Any, Any], dict[str, str]], code: ErrorCode, says: str
) -> None:
    ct, node = some_ct(), add_segmentation({"a": mask(0, 2), "b": mask(2, 4)}, GRID)
    node.GetSegmentation().GetSegment("b").SetName("Second")
    classes = change(ct, node)
    before = fingerprint(mrml_scene)
    with pytest.raises(MedUSISError) as caught:
        prepare_inputs(SynthesisInputs(ct, node, classes), HEAD, tmp_path)
    assert caught.value.code is code and says in caught.value.message
    assert caught.value.hint
    assert fingerprint(mrml_scene) == before
    assert list(tmp_path.iterdir()) == []


def test_an_empty_segmentation_is_named(mrml_scene: Any, tmp_path: Path) -> None:
    node = add_segmentation({"a": np.zeros(SHAPE)})
    with pytest.raises(MedUSISError) as caught:
        prepare_inputs(SynthesisInputs(some_ct(), node, {"a": "skin"}), HEAD, tmp_path)
    assert caught.value.code is ErrorCode.EMPTY_SEGMENTATION and "is empty" in caught.value.message


def test_a_colour_volume_is_refused(mrml_scene: Any, tmp_path: Path) -> None:
    import slicer

    ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    slicer.util.updateVolumeFromArray(ct, np.zeros((3, 4, 5, 3), np.uint8))
    node = add_segmentation({"a": mask(0, 2)})
    with pytest.raises(MedUSISError) as caught:
        prepare_inputs(SynthesisInputs(ct, node, {"a": "skin"}), HEAD, tmp_path)
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "colour" in caught.value.message


def test_contours_and_other_kinds_are_converted_in_a_copy(mrml_scene: Any, tmp_path: Path) -> None:
    import slicer
    from vtk.util.numpy_support import vtk_to_numpy

    node = add_segmentation({"a": np.ones(SHAPE)}, GRID)
    segmentation = node.GetSegmentation()
    image = segmentation.GetSegment("a").GetRepresentation("Binary labelmap")
    fractional = slicer.vtkOrientedImageData()
    fractional.DeepCopy(image)
    vtk_to_numpy(fractional.GetPointData().GetScalars())[:] = 100
    segmentation.RemoveAllSegments()
    segment = slicer.vtkSegment()
    segment.AddRepresentation("Fractional labelmap", fractional)
    segmentation.SetSourceRepresentationName("Fractional labelmap")
    segmentation.AddSegment(segment, "a")
    before = representations(node)
    assert before == ["Fractional labelmap"]
    try:
        prepare_inputs(SynthesisInputs(some_ct(), node, {"a": "skin"}), HEAD, tmp_path)
    except MedUSISError as error:
        assert error.code is ErrorCode.INPUT_NOT_READABLE
        assert "Representations" in error.hint
    assert representations(node) == before


def sample_nodes(as_segmentation: bool) -> tuple[Any, Any, Any]:
    """The sample CT and segmentation as nodes, and their volumes as the engine reads them."""
    ct_file = read_volume(resource_path("SampleData", "head_ct.nii.gz"))
    seg_file = read_label_map(resource_path("SampleData", "head_seg.nii.gz"))
    ct = add_volume(ct_file.array_kji, ct_file.geometry.affine_ras)
    if not as_segmentation:
        return ct, add_volume(seg_file.array_kji, seg_file.geometry.affine_ras, "s", label_map=True), seg_file
    node = add_segmentation({})
    for value in np.unique(seg_file.array_kji):
        if value:
            add_segment(node, str(value), seg_file.array_kji == value, seg_file.geometry.affine_ras)
    return ct, node, seg_file


@pytest.mark.parametrize("as_segmentation", [True, False])
@pytest.mark.parametrize("transformed", [True, False])
def test_the_sample_case_gives_the_engine_the_same_voxels(
    mrml_scene: Any, tmp_path: Path, as_segmentation: bool, transformed: bool
) -> None:
    ct, node, seg_file = sample_nodes(as_segmentation)
    classes = {str(value): HEAD.names[value] for value in np.unique(seg_file.array_kji) if value}
    if transformed:
        for each in (ct, node):
            put_under(each, shift(3, 2, 1) @ rotation((0, 0, 1), 5))
    prepared = prepare_inputs(SynthesisInputs(ct, node, classes), HEAD, tmp_path)
    original = read_volume(resource_path("SampleData", "head_ct.nii.gz"))
    ours = read_volume(prepared.ct_file)
    assert ours.array_kji.dtype == original.array_kji.dtype
    np.testing.assert_array_equal(ours.array_kji, original.array_kji)
    assert ours.geometry.same_grid(original.geometry, 1e-4) is not transformed
    expected, _ = align_labels(seg_file, original.geometry)
    aligned, was_resampled = align_labels(read_label_map(prepared.segmentation_file), ours.geometry)
    assert not was_resampled
    np.testing.assert_array_equal(
        load_mapping(str(prepared.labels_file), HEAD).apply(aligned.array_kji), expected.array_kji
    )


@pytest.mark.parametrize("case", ["mirrored", "rotated", "sheared", "bent", "left-handed grid"])
def test_the_mr_belongs_voxel_by_voxel_to_the_ct(
    mrml_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Through files and engine with a network that draws each class with its own intensity, and nothing else."""
    from painter import Painter
    from test_synthesis_geometry import landmark_phantom
    from tiny_generator import tiny_bundle

    from MedUSISLib.generators.bundle import Bundle
    from MedUSISLib.imaging.geometry import Geometry

    monkeypatch.setattr(Bundle, "load_network", lambda self, device="cpu": Painter())
    axes = (1.0, 0, 0, 0, 1.0, 0, 0, 0, -1.0) if case == "left-handed grid" else (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    origin = (20 - 29.5, -30 - 28.5, 40 + (12.0 if case == "left-handed grid" else -12.0))
    phantom, labels = landmark_phantom(Geometry((60, 58, 9), (1.0, 1.0, 3.0), origin, axes))
    ct = add_volume(phantom.array_kji, phantom.geometry.affine_ras)
    node = add_volume(labels.array_kji, phantom.geometry.affine_ras, "labels", label_map=True)
    shear = np.eye(4)
    shear[0, 2] = 0.25
    above = {"mirrored": scale(-1, 1, 1), "rotated": rotation((1, 2, 3), 40), "sheared": shear}.get(case)
    for each in (ct, node):
        if above is not None:
            put_under(each, above)
        elif case == "bent":
            each.SetAndObserveTransformNodeID(bending_transform().GetID())
    prepared = prepare_inputs(SynthesisInputs(ct, node, {"3": "soft_tissue", "13": "eyes"}), HEAD, tmp_path)
    generator = tiny_bundle(tmp_path / "tiny", dropout=0.0, noise=0)
    result = synthesized(
        prepared.ct_file, prepared.segmentation_file, str(prepared.labels_file), False, str(generator.directory)
    )
    np.testing.assert_array_equal(result.labels.array_kji, labels.array_kji)
    np.testing.assert_allclose(result.mr.array_kji, 1.2 * labels.array_kji / 15, atol=1e-5)


def test_the_engine_makes_the_same_mr_of_nodes_and_of_files(mrml_scene: Any, tmp_path: Path) -> None:
    """Some slices of the sample: by way of the scene, and straight from files."""
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    names, slices = ("head_ct.nii.gz", "head_seg.nii.gz"), slice(60, 63)
    nodes = []
    for name in names:
        volume = read_volume(resource_path("SampleData", name))
        array = np.ascontiguousarray(volume.array_kji[slices])
        affine = volume.geometry.affine_ras @ shift(0, 0, slices.start)
        node = add_volume(array, affine, label_map=name == names[1])
        nodes.append(node)
        geometry = volume.geometry.from_affine_ras(affine, array.shape[::-1])
        write_volume(Volume(array, geometry), tmp_path / name)
    values = np.unique(array[array > 0])
    prepared = prepare_inputs(SynthesisInputs(*nodes, {str(v): HEAD.names[v] for v in values}), HEAD, tmp_path / "in")
    from_nodes = synthesized(prepared.ct_file, prepared.segmentation_file, str(prepared.labels_file), True)
    from_files = synthesized(tmp_path / names[0], tmp_path / names[1], "head", False)
    np.testing.assert_array_equal(from_nodes.mr.array_kji, from_files.mr.array_kji)
    np.testing.assert_array_equal(from_nodes.labels.array_kji, from_files.labels.array_kji)
    assert from_nodes.mr.array_kji.std() > 0.05
    # said by the caller, reported as the engine's own
    assert from_nodes.statistics["segmentation_was_resampled"] is True
    assert "SEGMENTATION_RESAMPLED" in [warning.code for warning in from_nodes.warnings]
    assert from_nodes.provenance["inputs"]["segmentation"]["was_resampled"] is True
    assert from_files.statistics["segmentation_was_resampled"] is False
    assert "segmentation_was_resampled" not in from_nodes.provenance["settings"]


def synthesized(
    ct: Path, segmentation: Path, labels: str, was_resampled: bool, generator: str = "head-t1w"
) -> Any:
    from MedUSISLib.synthesis.bookkeeping import RecordingProgress
    from MedUSISLib.synthesis.engine import synthesize_case
    from MedUSISLib.synthesis.inputs import read_case
    from MedUSISLib.synthesis.loaded_generators import load_generator
    from MedUSISLib.synthesis.request import SynthesisRequest

    request = SynthesisRequest(
        ct=ct,
        segmentation=segmentation,
        labels=labels,
        generator=generator,
        out=ct.parent / "never written",
        passes=1,
        device="cpu",
        segmentation_was_resampled=was_resampled,
    )
    bundle, schema = load_generator(request.generator)
    progress = RecordingProgress()
    return synthesize_case(read_case(request, schema, progress), bundle, schema, request, progress)
