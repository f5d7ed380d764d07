"""A small finished synthesis for tests of the scene: a CT node, and the folder that a synthesis would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIZE_KJI = (14, 18, 22)
UNCERTAIN_KJI = (5, 7, 15)
MISSING_KJI = (9, 5, 8)
TOO_MUCH_KJI = (9, 13, 8)

AXIAL = np.diag([1.5, 1.5, 3.0, 1.0])
LEFT_HANDED = np.array([[-2.0, 0, 0, 30], [0, -1.0, 0, 20], [0, 0, -4.0, 70], [0, 0, 0, 1]])
"""RAS of a usual CT's columns and rows, but slices run downwards: a reader that hates this turns it round."""


def oblique(spacing: tuple[float, float, float] = (1.0, 2.0, 3.5)) -> np.ndarray:
    """IJK to RAS of a tilted anisotropic grid."""
    axes, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = axes * np.asarray(spacing)
    matrix[:3, 3] = (11.0, -37.0, 102.0)
    return matrix


def as_vtk(matrix: np.ndarray) -> Any:
    """A 4x4 array as a vtkMatrix4x4."""
    import vtk

    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    return result


def body_kji() -> np.ndarray:
    """A box of tissue with air around."""
    body = np.zeros(SIZE_KJI, bool)
    body[2:-2, 3:-3, 3:-3] = True
    return body


def add_ct(scene: Any, ijk_to_ras: np.ndarray = AXIAL, name: str = "Head") -> Any:
    """A CT node: air, and a box of 40 HU."""
    import slicer

    ct = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(ct, np.where(body_kji(), 40, -1000).astype(np.int16))
    ct.SetIJKToRASMatrix(as_vtk(ijk_to_ras))
    ct.CreateDefaultDisplayNodes()
    return ct


def add_transform(scene: Any, matrix: np.ndarray, parent: Any = None) -> Any:
    """A linear transform node."""
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    node.SetMatrixTransformToParent(as_vtk(matrix))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def bent_transform(scene: Any) -> Any:
    """A transform node that bends space by some millimetres."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    grid = vtk.vtkImageData()
    grid.SetDimensions(4, 4, 4)
    grid.SetSpacing(80, 80, 80)
    grid.SetOrigin(-100, -100, -100)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    vtk_to_numpy(grid.GetPointData().GetScalars())[:] = np.random.default_rng(3).normal(scale=6, size=(64, 3))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Bent")
    node.SetAndObserveTransformFromParent(transform)
    return node


def arrays() -> dict[str, np.ndarray]:
    """The maps of the result, [k, j, i]; one uncertain place, one with tissue missing, one with too much."""
    body = body_kji()
    rng = np.random.default_rng(1)
    k, j, i = np.indices(SIZE_KJI)

    def near(place: tuple[int, int, int]) -> np.ndarray:
        return (k - place[0]) ** 2 + (j - place[1]) ** 2 + (i - place[2]) ** 2

    variance = np.where(body, 1e-4 * (1 + rng.random(SIZE_KJI)), 0.0)
    variance += np.where(body, 0.02 * np.exp(-near(UNCERTAIN_KJI) / 4), 0.0)
    variance[UNCERTAIN_KJI] += 0.01
    consistency = body.astype(np.uint8)
    consistency[(near(MISSING_KJI) <= 4) & body] = 2
    consistency[near(TOO_MUCH_KJI) <= 5] = 3
    return {
        "mr": np.where(body, 0.2 + 0.05 * k + 0.001 * i, 0.0).astype(np.float32),
        "uncertainty": variance.astype(np.float32),
        "mask_consistency": consistency,
        "labels": np.where(body, np.where(i > 10, 9, 3), 0).astype(np.uint8),
    }


def quality() -> dict[str, Any]:
    """quality.json of a result with one thing that worries and one to look at."""
    return {
        "notice": "SYNTHETIC - not for diagnosis",
        "body": {"dice": 0.97, "hd95_mm": 12.0},
        "mask_consistency": {"dice": 0.98, "missing_fraction": 0.01, "threshold": None},
        "resegmentation": {
            "available": True,
            "reason": "",
            "mean_dice": 0.7,
            "classes": [
                {"index": 3, "title": "Muscle and other soft tissue", "dice": 0.8, "volume_ml": 30.0},
                {"index": 9, "title": "Cerebral white matter", "dice": None, "volume_ml": 20.0},
            ],
        },
        "uncertainty": {"passes": 4, "global": 0.001, "threshold": 0.002, "threshold_passes": 4, "review": False},
        "stripes": {"index": 1.1, "flicker": 0.001, "slice_distance_over_pixel": 2.0},
        "flags": [
            {"level": "worry", "key": "body.hd95_mm", "message": "Body outline, distance: 12.0 mm (95 % of 100 mm²)."},
            {"level": "look", "key": "resegmentation.classes", "message": "Found again badly: Fat."},
        ],
        "verdict": "worry",
        "review": False,
    }


def provenance(passes: int = 4) -> dict[str, Any]:
    """provenance.json of the result."""
    return {
        "notice": "SYNTHETIC - not for diagnosis",
        "created": "2026-01-02T03:04:05+00:00",
        "generator": {"id": "head-t1w", "version": "0.1.0", "sha256": "ab" * 32, "schema": "head"},
        "seed": 7,
        "passes": passes,
        "mode": "slice",
        "truncation": 2.0,
        "software": {"medusis": "0.1.0"},
    }


REPORT = "<!DOCTYPE html><html><body><p>SYNTHETIC - 1 550 mm² é</p>" + "<p>picture</p>" * 100 + "</body></html>\n"


def write_result(folder: Path, ijk_to_ras: np.ndarray, passes: int = 4, **replaced: np.ndarray) -> Path:
    """Write the result as the engine does, on a grid given as index to world RAS."""
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.synthesis.writing import FILES, write_json

    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (arrays() | replaced).items():
        geometry = Geometry.from_affine_ras(ijk_to_ras, array.shape[::-1])
        write_volume(Volume(array, geometry), folder / FILES[name])
    write_json(quality(), folder / "quality.json")
    write_json(provenance(passes), folder / "provenance.json")
    (folder / "report.html").write_text(REPORT, encoding="utf-8", newline="\n")
    return folder


def node_ids(scene: Any) -> list[str]:
    """Ids of all nodes, to see whether something was left behind."""
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]
