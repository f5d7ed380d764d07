"""Nodes for tests of ``MedUSISLib.mrml``: volumes, label maps, segmentations and transforms, and slow plain checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def add_volume(
    array_kji: np.ndarray, ijk_to_ras: np.ndarray | None = None, name: str = "CT", label_map: bool = False
) -> Any:
    """A volume node with these voxels at this place."""
    import slicer

    kind = "vtkMRMLLabelMapVolumeNode" if label_map else "vtkMRMLScalarVolumeNode"
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    node.SetIJKToRASMatrix(vtk_matrix(np.eye(4) if ijk_to_ras is None else ijk_to_ras))
    slicer.util.updateVolumeFromArray(node, array_kji)
    return node


def add_segmentation(
    masks_kji: Mapping[str, np.ndarray], ijk_to_ras: np.ndarray | None = None, name: str = "Segmentation"
) -> Any:
    """A segmentation node with one layer (own label image) for each mask; an empty mask makes an empty segment."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for key, mask in masks_kji.items():
        add_segment(node, key, mask, ijk_to_ras)
    return node


def add_segment(
    node: Any, key: str, mask_kji: np.ndarray, ijk_to_ras: np.ndarray | None = None, name: str | None = None
) -> Any:
    """A segment with a label image of its own."""
    import slicer

    segment = slicer.vtkSegment()
    segment.SetName(name or key)
    if mask_kji.any():
        segment.AddRepresentation("Binary labelmap", oriented_image(mask_kji.astype(np.uint8), ijk_to_ras))
        segment.SetLabelValue(1)
    node.GetSegmentation().AddSegment(segment, key)
    return segment


def add_shared_layer(
    node: Any, labels_kji: np.ndarray, names: Mapping[int, str], ijk_to_ras: np.ndarray | None = None
) -> None:
    """Segments that share one label image, as the segment editor makes them."""
    import slicer

    image = oriented_image(labels_kji, ijk_to_ras)
    for value, name in names.items():
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetLabelValue(value)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment, name)


def oriented_image(array_kji: np.ndarray, ijk_to_ras: np.ndarray | None = None) -> Any:
    """Label image as a segment holds it, cropped to what is not empty: its extent does not begin at 0."""
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    array = np.asarray(array_kji)
    where = [np.flatnonzero(array.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    k, j, i = ((int(w[0]), int(w[-1])) for w in where)
    part = np.ascontiguousarray(array[k[0] : k[1] + 1, j[0] : j[1] + 1, i[0] : i[1] + 1])
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*i, *j, *k)
    image.GetPointData().SetScalars(numpy_to_vtk(part.ravel(), deep=True, array_type=vtk_type(part.dtype)))
    image.SetImageToWorldMatrix(vtk_matrix(np.eye(4) if ijk_to_ras is None else ijk_to_ras))
    assert image.GetPointData().GetScalars().GetNumberOfTuples() == part.size
    assert isinstance(image, vtk.vtkImageData)
    return image


def vtk_type(dtype: np.dtype) -> int:
    """VTK's number for an array type."""
    from vtk.util.numpy_support import get_vtk_array_type

    return int(get_vtk_array_type(dtype))


def put_under(node: Any, *matrices: np.ndarray) -> list[Any]:
    """A chain of linear parent transforms above a node, the nearest first; returns the transform nodes."""
    import slicer

    made = []
    for matrix in matrices:
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(vtk_matrix(matrix))
        node.SetAndObserveTransformNodeID(transform.GetID())
        made.append(transform)
        node = transform
    return made


def bending_transform(amount_mm: float = 4.0, size_mm: float = 60.0) -> Any:
    """A thin-plate spline node that pulls the middle aside and leaves the corners."""
    import slicer
    import vtk

    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for a in (-1, 1):
        for b in (-1, 1):
            for c in (-1, 1):
                corner = [size_mm * a, size_mm * b, size_mm * c]
                source.InsertNextPoint(corner)
                target.InsertNextPoint(corner)
    source.InsertNextPoint(0, 0, 0)
    target.InsertNextPoint(amount_mm, -amount_mm, amount_mm / 2)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    spline.SetBasisToR()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "bending")
    node.SetAndObserveTransformToParent(spline)
    return node


def rotation(axis: Sequence[float], degrees: float) -> np.ndarray:
    """4x4 rotation about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    result = np.eye(4)
    result[:3, :3] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return result


def shift(*offset_mm: float) -> np.ndarray:
    """4x4 translation."""
    result = np.eye(4)
    result[:3, 3] = offset_mm
    return result


def scale(*factors: float) -> np.ndarray:
    """4x4 scaling; negative factors mirror."""
    return np.diag([*factors, 1.0])


def vtk_matrix(matrix: np.ndarray) -> Any:
    """A 4x4 array as a vtkMatrix4x4."""
    import vtk

    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=float).ravel().tolist())
    return result


def world_position(volume: Any, index_ijk: Sequence[float]) -> np.ndarray:
    """World RAS of a voxel by Slicer's own functions: IJKToRAS, then TransformPointToWorld."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    local = matrix.MultiplyPoint([*map(float, index_ijk), 1.0])[:3]
    return np.array(to_world(volume, local))


def to_world(node: Any, point: Sequence[float]) -> list[float]:
    """A point of a node's own coordinates in the world."""
    import slicer
    import vtk

    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    return list(transform.TransformPoint(*point))


def from_world(node: Any, point: Sequence[float]) -> list[float]:
    """A world point in a node's own coordinates."""
    import slicer
    import vtk

    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), transform)
    return list(transform.TransformPoint(*point))


def brute_force(ct: Any, node: Any, array_kji: np.ndarray, ijk_to_ras: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels on the CT's voxels, point by point through the world; and where rounding leaves no doubt.

    ``array_kji`` on ``ijk_to_ras`` is what the node holds, in its own coordinates.
    """
    size = ct.GetImageData().GetDimensions()
    inverse = np.linalg.inv(ijk_to_ras)
    expected = np.zeros(size[::-1], array_kji.dtype)
    certain = np.ones(size[::-1], bool)
    for k in range(size[2]):
        for j in range(size[1]):
            for i in range(size[0]):
                local = from_world(node, world_position(ct, (i, j, k)))
                index = (inverse @ [*local, 1.0])[:3]
                nearest = np.floor(index + 0.5).astype(int)
                certain[k, j, i] = np.abs(index + 0.5 - np.rint(index + 0.5)).min() > 1e-5
                if np.all(nearest >= 0) and np.all(nearest < array_kji.shape[::-1]):
                    expected[k, j, i] = array_kji[nearest[2], nearest[1], nearest[0]]
    return expected, certain
