"""The place that the user looks at, as a voxel of the CT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_result import AXIAL, SIZE_KJI, add_ct

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.settings import SynthesisSettings
from MedUSISLib.mrml.slice_in_view import voxel_in_view
from MedUSISLib.mrml.synthesis_logic import synthesis_request
from MedUSISLib.mrml.world_grid import as_vtk

MIDDLE = (np.array(SIZE_KJI[::-1]) - 1) / 2


@pytest.fixture
def scene(mrml_scene: Any) -> Any:
    """A scene with the three usual slice views."""
    import slicer

    for name, orient in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        node = slicer.vtkMRMLSliceNode()
        node.SetLayoutName(name)
        node.SetName(name)
        node = mrml_scene.AddNode(node)
        getattr(node, f"SetOrientationTo{orient}")()
        slice_views.composite_of(node)
    return mrml_scene


def view(scene: Any, name: str) -> Any:
    return next(node for node in slice_views.other_slices(scene) if node.GetLayoutName() == name)


def look_at(scene: Any, ct: Any, name: str, ras: np.ndarray) -> None:
    slice_views.show_volume(view(scene, name), ct)
    view(scene, name).JumpSliceByOffsetting(*ras)


def place(ct: Any, voxel: tuple[float, float, float]) -> np.ndarray:
    """World RAS of a voxel."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    ct.GetIJKToRASMatrix(matrix)
    point = np.array(matrix.MultiplyPoint((*voxel, 1.0)))
    if ct.GetParentTransformNode() is not None:
        world = vtk.vtkMatrix4x4()
        ct.GetParentTransformNode().GetMatrixTransformToWorld(world)
        point = np.array(world.MultiplyPoint(point))
    return point[:3]


def test_nobody_looks(scene: Any) -> None:
    assert voxel_in_view(add_ct(scene, AXIAL)) is None


def test_one_view_gives_its_slice_and_the_middle_of_the_others(scene: Any) -> None:
    ct = add_ct(scene, AXIAL)
    look_at(scene, ct, "Red", place(ct, (1.0, 1.0, 3.0)))
    assert voxel_in_view(ct) == pytest.approx((MIDDLE[0], MIDDLE[1], 3.0), abs=1e-6)


def test_three_views_cross_in_a_voxel_also_under_a_transform(scene: Any) -> None:
    ct = add_ct(scene, AXIAL)
    moved = np.eye(4)
    moved[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    moved[:3, 3] = (30.0, -4.0, 11.0)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(as_vtk(moved))
    ct.SetAndObserveTransformNodeID(node.GetID())
    voxel = (2.0, 5.0, 3.0)
    for name in ("Red", "Yellow", "Green"):
        look_at(scene, ct, name, place(ct, voxel))
    assert voxel_in_view(ct) == pytest.approx(voxel, abs=1e-6)


def test_a_view_beside_the_volume_gives_its_nearest_slice(scene: Any) -> None:
    ct = add_ct(scene, AXIAL)
    look_at(scene, ct, "Red", place(ct, (0.0, 0.0, 900.0)))
    found = voxel_in_view(ct)
    assert found is not None and found[2] == SIZE_KJI[0] - 1


def test_the_request_says_it(tmp_path: Any) -> None:
    request = synthesis_request(SynthesisSettings(), tmp_path, None, (1.0, 2.0, 3.5))
    assert request.first_voxel == (1.0, 2.0, 3.5) and "first_voxel" not in request.settings()
