"""Places to look at first: found where they were planted, in the world, and the views go there."""

from __future__ import annotations

import numpy as np
import pytest
from small_result import (
    AXIAL,
    LEFT_HANDED,
    MISSING_KJI,
    SIZE_KJI,
    TOO_MUCH_KJI,
    UNCERTAIN_KJI,
    add_ct,
    add_transform,
    bent_transform,
    body_kji,
    oblique,
    write_result,
)

from MedUSISLib.mrml.hotspots import APART_MM, INCONSISTENT, UNCERTAIN, jump_to, most_inconsistent, most_uncertain
from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.world_grid import index_to_local, world_grid

TURN = np.array([[0.0, -1, 0, 5], [0.6, 0, 0.8, -20], [-0.8, 0, 0.6, 9], [0, 0, 0, 1]])


def _world(ct, kji):
    local = index_to_local(ct) @ np.array([*kji[::-1], 1.0])
    world = np.zeros(3)
    ct.TransformPointToWorld(local[:3].tolist(), world)
    return world


def _distance(hotspot, place):
    return np.linalg.norm(np.asarray(hotspot.ras) - place)


@pytest.mark.parametrize("matrix", [AXIAL, LEFT_HANDED, oblique()], ids=["axial", "left-handed", "oblique"])
@pytest.mark.parametrize("kind", ["still", "moved", "bent"])
def test_places_are_found_where_they_were_planted(mrml_scene, tmp_path, matrix, kind):
    ct = add_ct(mrml_scene, matrix)
    if kind == "moved":
        ct.SetAndObserveTransformNodeID(add_transform(mrml_scene, TURN, add_transform(mrml_scene, TURN)).GetID())
    if kind == "bent":
        ct.SetAndObserveTransformNodeID(bent_transform(mrml_scene).GetID())
    nodes = load_results(write_result(tmp_path, world_grid(ct).matrix), ct)
    near = 1.5 * np.linalg.norm(matrix[:3, :3], axis=0).max()
    first = most_uncertain(nodes)[0]
    assert first.kind == UNCERTAIN
    assert _distance(first, _world(ct, UNCERTAIN_KJI)) < near
    places = most_inconsistent(nodes)
    assert {place.kind for place in places} == {INCONSISTENT}
    missing = next(place for place in places if "tissue missing" in place.text)
    assert _distance(missing, _world(ct, MISSING_KJI)) < near
    other = next(place for place in places if "too much tissue" in place.text)
    assert _distance(other, _world(ct, TOO_MUCH_KJI)) < near


def test_places_lie_apart_and_are_numbered(mrml_scene, tmp_path):
    rng = np.random.default_rng(0)
    size = (30, 50, 50)
    variance = (rng.random(size) ** 8).astype(np.float32)
    maps = {name: np.ones(size, dtype) for name, dtype in (("mr", np.float32), ("labels", np.uint8))}
    folder = write_result(
        tmp_path, np.diag([2.0, 2, 2, 1]), uncertainty=variance, mask_consistency=np.ones(size, np.uint8), **maps
    )
    ct = add_ct(mrml_scene, np.diag([2.0, 2, 2, 1]))
    import slicer

    slicer.util.updateVolumeFromArray(ct, np.zeros(size, np.int16))
    nodes = load_results(folder, ct)
    places = most_uncertain(nodes, 4)
    assert [place.text.split(":")[0] for place in places] == [f"Place {n} of 4" for n in (1, 2, 3, 4)]
    points = np.array([place.ras for place in places])
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(4, 1)]
    assert apart.min() >= APART_MM
    assert most_inconsistent(nodes) == []


def test_a_fine_volume_is_searched_on_a_coarse_grid(mrml_scene, tmp_path):
    import slicer

    size = (20, 120, 120)
    matrix = np.diag([0.5, 0.5, 1.0, 1.0])
    variance = np.full(size, 1e-4, np.float32)
    variance[8:12, 90:100, 20:30] = 0.04
    consistency = np.ones(size, np.uint8)
    folder = write_result(
        tmp_path,
        matrix,
        mr=np.ones(size, np.float32),
        labels=np.ones(size, np.uint8),
        uncertainty=variance,
        mask_consistency=consistency,
    )
    ct = add_ct(mrml_scene, matrix)
    slicer.util.updateVolumeFromArray(ct, np.zeros(size, np.int16))
    (first, *_) = most_uncertain(load_results(folder, ct), 1)
    assert _distance(first, matrix[:3, :3] @ [24.5, 94.5, 9.5]) < 2.0
    assert "standard deviation 0.08" in first.text


def test_nothing_is_found_where_nothing_is(mrml_scene, tmp_path):
    flat = np.where(body_kji(), 0.0, 0.0).astype(np.float32)
    clean = body_kji().astype(np.uint8)
    folder = write_result(tmp_path, AXIAL, uncertainty=flat, mask_consistency=clean)
    nodes = load_results(folder, add_ct(mrml_scene))
    assert most_uncertain(nodes) == [] and most_inconsistent(nodes) == []
    only_mr = SynthesisNodes(nodes.mr)
    assert most_uncertain(only_mr) == [] and most_inconsistent(only_mr) == []


def test_a_thin_rim_is_not_a_place(mrml_scene, tmp_path):
    consistency = body_kji().astype(np.uint8)
    consistency[:, :, SIZE_KJI[2] - 4] = np.where(consistency[:, :, SIZE_KJI[2] - 4], 3, 0)
    consistency[3, 5, 5] = 2
    folder = write_result(tmp_path, np.diag([1.0, 1, 1, 1]), mask_consistency=consistency)
    places = most_inconsistent(load_results(folder, add_ct(mrml_scene, np.eye(4))))
    assert all("missing" not in place.text for place in places)


def test_a_defect_in_a_single_slice_is_a_place(mrml_scene, tmp_path):
    consistency = body_kji().astype(np.uint8)
    consistency[6, 5:13, 5:13] = 2
    folder = write_result(tmp_path, np.eye(4), mask_consistency=consistency)
    ct = add_ct(mrml_scene, np.eye(4))
    (place,) = most_inconsistent(load_results(folder, ct))
    assert _distance(place, np.array([8.5, 8.5, 6.0])) < 2.0
    assert place.text == "Place 1 of 1: tissue missing, 0.064 ml nearby"


def test_jumping_moves_crosshair_and_views(mrml_scene, tmp_path):
    import slicer

    crosshair = mrml_scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is None:
        crosshair = mrml_scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    view.SetName("Red")
    view = mrml_scene.AddNode(view)
    view.SetOrientation("Axial")
    view.SetDimensions(200, 200, 1)
    view.SetFieldOfView(60, 60, 1)
    place = most_uncertain(load_results(write_result(tmp_path, AXIAL), add_ct(mrml_scene)))[0]
    jump_to(place)
    assert np.allclose(crosshair.GetCrosshairRAS(), place.ras)
    assert view.GetSliceOffset() == pytest.approx(place.ras[2])


def test_a_place_outside_the_shown_part_comes_to_the_middle(mrml_scene):
    import slicer

    from MedUSISLib.mrml.slice_views import jump

    view = slicer.vtkMRMLSliceNode()
    view.SetLayoutName("Red")
    view = mrml_scene.AddNode(view)
    view.SetOrientation("Axial")
    view.SetSliceOffset(0)
    view.SetDimensions(200, 200, 1)
    view.SetFieldOfView(50, 50, 1)
    jump(view, (10.0, -10.0, 5.0))
    matrix = view.GetSliceToRAS()
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx([0, 0, 5])
    jump(view, (100.0, 0.0, 8.0))
    assert [matrix.GetElement(row, 3) for row in range(3)] == pytest.approx([100, 0, 8])
