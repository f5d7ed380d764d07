"""Nodes become files at their true place in the world, and a segmentation lands on the right voxels of the CT.

All checks compare with Slicer's own way from voxel to world and with a slow point-by-point resampling.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene_nodes import (
    add_segment,
    add_segmentation,
    add_shared_layer,
    add_volume,
    bending_transform,
    brute_force,
    from_world,
    put_under,
    rotation,
    scale,
    shift,
    world_position,
)

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.mrml.bent_map import quick_map, transformed
from MedUSISLib.mrml.ct_input import ct_voxels, prepare_ct
from MedUSISLib.mrml.labels_input import nearest_slabs, paint
from MedUSISLib.mrml.world_grid import TRANSFORM_NONLINEAR, TRANSFORM_SHEARS, index_map, index_to_local, world_grid

LPS = np.diag([-1.0, -1.0, 1.0])
SCENE = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

angles = st.floats(-180, 180)
axes = st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 2, 3), (-1, 0.3, 0.2)])
offsets = st.tuples(*[st.floats(-200, 200)] * 3)
rigid = st.builds(lambda axis, angle, offset: shift(*offset) @ rotation(axis, angle), axes, angles, offsets)
flips = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3).map(lambda signs: scale(*signs))
spacings = st.tuples(*[st.floats(0.3, 5.0)] * 3).map(lambda spacing: scale(*spacing))
grids = st.builds(lambda r, f, s: r @ f @ s, rigid, flips, spacings)
sizes = st.tuples(*[st.integers(1, 7)] * 3)
chains = st.lists(st.one_of(rigid, flips, st.floats(0.5, 2).map(lambda f: scale(f, f, f))), max_size=3)


def some_voxels(size_ijk: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1024, 2000, size_ijk[::-1]).astype(np.int16)


def assert_same_places(path: Path, ct: Any, tolerance_mm: float = 1e-3) -> None:
    """Every corner and some voxels of the file lie where Slicer shows them, with the same value."""
    volume = read_volume(path)
    size = ct.GetImageData().GetDimensions()
    assert volume.geometry.size_ijk == size
    np.testing.assert_array_equal(volume.array_kji, ct_voxels(ct))
    rng = np.random.default_rng(1)
    indices = np.vstack([np.zeros((1, 3), int), [np.array(size) - 1], rng.integers(0, size, (6, 3))])
    ours = volume.geometry.index_to_lps(indices) @ LPS
    theirs = np.array([world_position(ct, index) for index in indices])
    np.testing.assert_allclose(ours, theirs, atol=tolerance_mm)


@SCENE
@given(grid=grids, size=sizes, chain=chains)
def test_ct_file_holds_the_voxels_where_slicer_shows_them(
    mrml_scene: Any, tmp_path: Path, grid: np.ndarray, size: tuple[int, int, int], chain: list[np.ndarray]
) -> None:
    mrml_scene.Clear(0)
    ct = add_volume(some_voxels(size), grid)
    put_under(ct, *chain)
    path, warnings = prepare_ct(ct, tmp_path)
    assert warnings == ()
    assert_same_places(path, ct)


def test_a_mirrored_ct_stays_left_handed_in_its_file(mrml_scene: Any, tmp_path: Path) -> None:
    ct = add_volume(some_voxels((4, 5, 6)), scale(0.7, 0.8, 2.5))
    put_under(ct, scale(-1, 1, 1))
    path, _ = prepare_ct(ct, tmp_path)
    assert_same_places(path, ct)
    # RAS with a mirrored left-right axis: determinant -1, in LPS as well
    assert np.linalg.det(read_volume(path).geometry.axes) == pytest.approx(-1)


def test_an_inverted_transform_is_honoured(mrml_scene: Any, tmp_path: Path) -> None:
    ct = add_volume(some_voxels((4, 5, 6)), scale(0.7, 0.8, 2.5))
    (transform,) = put_under(ct, shift(10, 20, 30) @ rotation((1, 2, 3), 33))
    transform.Inverse()
    assert_same_places(prepare_ct(ct, tmp_path)[0], ct)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_voxels_of_every_type_are_kept(mrml_scene: Any, tmp_path: Path, dtype: type) -> None:
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        values = values + 0.25
    ct = add_volume(values, scale(1, 2, 3))
    volume = read_volume(prepare_ct(ct, tmp_path)[0])
    np.testing.assert_array_equal(volume.array_kji, values)


def test_a_sheared_ct_gets_the_nearest_grid_around_its_middle(mrml_scene: Any, tmp_path: Path) -> None:
    ct = add_volume(some_voxels((11, 13, 15)), scale(1, 1, 2))
    shear = np.eye(4)
    shear[1, 2] = 0.3
    put_under(ct, shift(5, 6, 7) @ shear)
    path, warnings = prepare_ct(ct, tmp_path)
    assert [code for code, _ in warnings] == [TRANSFORM_SHEARS]
    geometry = read_volume(path).geometry
    np.testing.assert_allclose(geometry.centre_lps @ LPS, world_position(ct, (5, 6, 7)), atol=1e-3)
    # half of the shear's angle of 17 degrees goes to each of the two axes
    assert np.degrees(np.arccos(geometry.axes[2, 2])) == pytest.approx(8.35, abs=0.2)
    np.testing.assert_array_equal(read_volume(path).array_kji, ct_voxels(ct))


def test_a_rounded_header_is_not_called_a_shear(mrml_scene: Any) -> None:
    matrix = np.round(rotation((1, 2, 3), 20), 4)
    assert world_grid(add_volume(some_voxels((4, 4, 4)), matrix)).warnings == ()


def test_under_a_bending_transform_the_ct_keeps_its_own_coordinates(mrml_scene: Any, tmp_path: Path) -> None:
    ct = add_volume(some_voxels((5, 5, 5)), shift(1, 2, 3))
    ct.SetAndObserveTransformNodeID(bending_transform().GetID())
    path, warnings = prepare_ct(ct, tmp_path)
    assert [code for code, _ in warnings] == [TRANSFORM_NONLINEAR]
    np.testing.assert_allclose(read_volume(path).geometry.affine_ras, shift(1, 2, 3), atol=1e-6)


def test_a_ct_squashed_flat_is_a_clear_error(mrml_scene: Any, tmp_path: Path) -> None:
    ct = add_volume(some_voxels((5, 5, 5)))
    put_under(ct, scale(1, 1, 0))
    with pytest.raises(MedUSISError) as caught:
        prepare_ct(ct, tmp_path)
    assert caught.value.code is ErrorCode.GEOMETRY_MISMATCH
    assert list(tmp_path.iterdir()) == []


@SCENE
@given(ct_grid=grids, seg_grid=grids, ct_chain=chains, seg_chain=chains, as_label_map=st.booleans(), data=st.data())
def test_labels_land_on_the_voxels_that_brute_force_finds(
    mrml_scene: Any,
    ct_grid: np.ndarray,
    seg_grid: np.ndarray,
    ct_chain: list[np.ndarray],
    seg_chain: list[np.ndarray],
    as_label_map: bool,
    data: Any,
) -> None:
    mrml_scene.Clear(0)
    labels = np.random.default_rng(2).integers(0, 4, data.draw(sizes)).astype(np.uint8)
    labels[0, 0, 0] = 1
    ct = add_volume(some_voxels(data.draw(sizes)), ct_grid)
    put_under(ct, *ct_chain)
    if as_label_map:
        node = add_volume(labels, seg_grid, "labels", label_map=True)
    else:
        node = add_segmentation({})
        present = [value for value in (1, 2, 3) if (labels == value).any()]
        add_shared_layer(node, labels, {value: str(value) for value in present}, seg_grid)
    put_under(node, *seg_chain)
    # bring the two together: the segmentation's middle voxel onto a voxel of the CT
    middle_ct = world_position(ct, (np.array(ct.GetImageData().GetDimensions()) - 1) / 2)
    middle = (seg_grid @ [*((np.array(labels.shape[::-1]) - 1) / 2 + 0.07), 1.0])[:3]
    move = shift(*(np.array(from_world(node, middle_ct)) - middle))
    if as_label_map:
        import slicer
        from scene_nodes import vtk_matrix

        assert isinstance(node, slicer.vtkMRMLLabelMapVolumeNode)
        node.SetIJKToRASMatrix(vtk_matrix(move @ seg_grid))
    else:
        from scene_nodes import vtk_matrix

        node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap").SetImageToWorldMatrix(
            vtk_matrix(move @ seg_grid)
        )
    painted, _ = paint(ct, node, {"1": 1, "2": 2, "3": 3})
    expected, certain = brute_force(ct, node, labels, move @ seg_grid)
    np.testing.assert_array_equal(painted[certain], expected[certain])


@pytest.mark.parametrize("bent", ["segmentation", "ct", "both"])
def test_bending_transforms_are_followed(mrml_scene: Any, bent: str) -> None:
    rng = np.random.default_rng(3)
    labels = np.kron(rng.integers(0, 3, (4, 4, 4)), np.ones((3, 3, 3))).astype(np.uint8)
    grid = shift(-20, -20, -20) @ scale(3, 3, 3)
    ct = add_volume(some_voxels((9, 8, 7)), shift(-18, -18, -18) @ rotation((1, 1, 0), 10) @ scale(4, 4.5, 5))
    node = add_volume(labels, grid, "labels", label_map=True)
    transform = bending_transform(8.0)
    if bent in ("segmentation", "both"):
        node.SetAndObserveTransformNodeID(transform.GetID())
    if bent in ("ct", "both"):
        ct.SetAndObserveTransformNodeID(transform.GetID())
    painted, resampled = paint(ct, node, {"1": 1, "2": 2})
    expected, certain = brute_force(ct, node, labels, grid)
    assert resampled
    # the inverse of a spline is found by iteration, to some hundredths of a millimetre
    assert np.mean(painted[certain] != expected[certain]) < (0.0 if bent != "both" else 0.01) + 0.01
    assert len(np.unique(painted)) == 3


@pytest.mark.parametrize("inverse", [False, True])
def test_a_large_bent_volume_is_painted_quickly_and_as_exactly(mrml_scene: Any, inverse: bool) -> None:
    labels = np.kron(np.random.default_rng(3).integers(0, 3, (8, 8, 8)), np.ones((8, 8, 8))).astype(np.uint8)
    ct = add_volume(np.zeros((70, 75, 80), np.int16), shift(-40, -37, -35) @ rotation((1, 1, 0), 10))
    node = add_volume(labels, shift(-32, -32, -32), "labels", label_map=True)
    transform = bending_transform(1.0)
    (ct if inverse else node).SetAndObserveTransformNodeID(transform.GetID())
    exact = index_map(ct, node, np.linalg.inv(index_to_local(node)))
    quick = quick_map(exact, (80, 75, 70))
    assert type(quick).__name__ == "vtkGridTransform"
    points = np.random.default_rng(9).uniform(0, (79, 74, 69), (500, 3))
    assert np.abs(transformed(quick, points) - transformed(exact, points)).max() < 0.06
    painted, _ = paint(ct, node, {"1": 1, "2": 2})
    expected = np.concatenate([slab.copy() for _, slab in nearest_slabs(labels, exact, ((0, 79), (0, 74), (0, 69)))])
    assert np.mean(painted != expected) < 0.01
    assert len(np.unique(painted)) == 3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
def test_swapped_and_reversed_axes_are_no_resampling(
    mrml_scene: Any, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    ct_grid = shift(3, 4, 5) @ rotation((1, 2, 3), 25) @ scale(2, 2, 2)
    labels = np.random.default_rng(4).integers(0, 3, (5, 6, 7)).astype(np.uint8)
    ct = add_volume(some_voxels((7, 6, 5)), ct_grid)
    moved = np.transpose(labels, order)
    relation = np.zeros((4, 4))
    relation[3, 3] = 1
    for new, old in enumerate(order):  # array axes; index axes run the other way
        relation[2 - old, 2 - new] = 1
    for axis, sign in enumerate(signs):
        if sign < 0:
            moved = np.flip(moved, axis)
            flip = np.eye(4)
            flip[2 - axis, 2 - axis], flip[2 - axis, 3] = -1, moved.shape[axis] - 1
            relation = relation @ flip
    node = add_volume(np.ascontiguousarray(moved), ct_grid @ relation, "labels", label_map=True)
    painted, resampled = paint(ct, node, {"1": 1, "2": 2})
    assert not resampled
    np.testing.assert_array_equal(painted, labels)


def test_a_grid_shifted_by_a_third_of_a_voxel_is_called_resampled(mrml_scene: Any) -> None:
    labels = np.ones((4, 4, 4), np.uint8)
    ct = add_volume(some_voxels((4, 4, 4)))
    exact, moved = (add_segmentation({"a": labels}, shift(offset, 0, 0)) for offset in (0.001, 0.34))
    assert paint(ct, exact, {"a": 1})[1] is False
    painted, resampled = paint(ct, moved, {"a": 1})
    assert resampled
    np.testing.assert_array_equal(painted, labels)


def test_layers_and_shared_layers_and_empty_segments_go_together(mrml_scene: Any) -> None:
    ct = add_volume(some_voxels((8, 8, 8)))
    shared = np.zeros((8, 8, 8), np.uint8)
    shared[1:4], shared[4:7] = 5, 9
    node = add_segmentation({"own": np.ones((8, 8, 8)), "empty": np.zeros((8, 8, 8))})
    add_shared_layer(node, shared, {5: "five", 9: "nine"})
    hidden = np.zeros((8, 8, 8))
    hidden[6:8] = 1
    add_segment(node, "hidden", hidden)
    node.GetDisplayNode().SetSegmentVisibility("hidden", False)
    painted, resampled = paint(ct, node, {"own": 1, "nine": 2, "empty": 3, "hidden": 4})
    assert not resampled
    assert painted[:, 0, 0].tolist() == [1, 1, 1, 1, 2, 2, 4, 4]
    assert paint(ct, node, {"five": 1})[0][:, 0, 0].tolist() == [0, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("together", [True, False])
def test_under_common_transforms_slicers_own_export_agrees(mrml_scene: Any, together: bool) -> None:
    import slicer

    labels = np.kron(np.random.default_rng(0).integers(0, 4, (5, 5, 5)), np.ones((4, 4, 4))).astype(np.uint8)
    ct = add_volume(np.zeros((24, 22, 20), np.int16), shift(-10, -11, -12) @ scale(1, 1.05, 1))
    node = add_segmentation({})
    add_shared_layer(node, labels, {1: "1", 2: "2", 3: "3"}, shift(-10, -10, -10) @ rotation((1, 0, 0), 14))
    put_under(node, rotation((0, 1, 0), 15))
    if together:
        put_under(ct, rotation((0, 1, 0), 15))
    exported = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.modules.segmentations.logic()
    assert logic.ExportSegmentsToLabelmapNode(node, ["1", "2", "3"], exported, ct)
    painted, _ = paint(ct, node, {"1": 1, "2": 2, "3": 3})
    np.testing.assert_array_equal(painted, slicer.util.arrayFromVolume(exported))


def sphere_surface(radius: float, centre: tuple[float, float, float]) -> Any:
    import vtk

    source = vtk.vtkSphereSource()
    source.SetRadius(radius)
    source.SetCenter(centre)
    source.SetThetaResolution(60)
    source.SetPhiResolution(60)
    source.Update()
    return source.GetOutput()


@pytest.mark.parametrize("mirror", [1, -1])
def test_closed_surfaces_are_filled_where_they_lie(mrml_scene: Any, mirror: int) -> None:
    import slicer

    ct = add_volume(some_voxels((24, 20, 12)), shift(-20, -20, -18) @ rotation((1, 2, 3), 20) @ scale(2, 2.1, 3.3))
    put_under(ct, shift(3, 2, 1) @ scale(mirror, 1, 1))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetSourceRepresentationToClosedSurface()
    segment = slicer.vtkSegment()
    segment.AddRepresentation("Closed surface", sphere_surface(12.0, (1.0, 2.0, 3.0)))
    node.GetSegmentation().AddSegment(segment, "ball")
    put_under(node, shift(-2, 0, 4), rotation((0, 0, 1), 70))
    painted, resampled = paint(ct, node, {"ball": 1})
    assert resampled
    distance = np.empty(painted.shape)
    for k, j, i in np.ndindex(painted.shape):
        local = np.array(from_world(node, world_position(ct, (i, j, k))))
        distance[k, j, i] = np.linalg.norm(local - (1.0, 2.0, 3.0))
    assert painted.sum() > 100
    assert painted[distance < 11.8].all()
    assert not painted[distance > 12.1].any()
    # the user's segmentation has no voxels now either
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap")
