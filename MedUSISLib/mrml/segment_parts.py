"""What a segmentation of the scene consists of: label images that segments may share, and closed surfaces.

Arrays are views of the scene's memory and nothing is changed; rarer kinds of segmentation are converted in a copy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.world_grid import as_array, index_to_local, size_ijk


@dataclass(frozen=True)
class Layer:
    """A label image of a segmentation; segments that share it have different label values in it.

    Attributes
    ----------
    array_kji : ndarray
        Label values; a view of the scene's memory.
    index_to_local : ndarray
        4x4 from the array's index (i, j, k) to the node's own RAS.
    values : dict of int to str
        Which segment (its key) each label value is.
    """

    array_kji: np.ndarray
    index_to_local: np.ndarray
    values: dict[int, str]


@dataclass(frozen=True)
class Surface:
    """A segment that exists as a closed surface in the node's own RAS."""

    mesh: Any
    key: str


def is_segmentation(node: Any) -> bool:
    """Whether a node is a segmentation with segments (and not a label map)."""
    return bool(node.IsA("vtkMRMLSegmentationNode"))


def parts(node: Any, keys: Iterable[str] | None = None) -> list[Layer | Surface]:
    """What a segmentation or label map consists of; segments without a voxel or a triangle are not in it.

    With ``keys`` the voxels of a label map are not searched for the values that it holds.
    """
    return _parts_of_segmentation(node) if is_segmentation(node) else _parts_of_label_map(node, keys)


def _parts_of_segmentation(node: Any) -> list[Layer | Surface]:
    import slicer

    converter = slicer.vtkSegmentationConverter
    voxels = converter.GetSegmentationBinaryLabelmapRepresentationName()
    surfaces = converter.GetSegmentationClosedSurfaceRepresentationName()
    segmentation = node.GetSegmentation()
    if segmentation is None or segmentation.GetNumberOfSegments() == 0:
        return []
    source = segmentation.GetSourceRepresentationName()
    if source not in (voxels, surfaces):
        if not segmentation.ContainsRepresentation(voxels):
            segmentation = _converted_copy(segmentation, voxels)
        source = voxels
    layers: dict[str, Layer] = {}
    meshes: list[Layer | Surface] = []
    for key in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(key)
        data = segment.GetRepresentation(source)
        if data is None or data.GetNumberOfPoints() == 0:
            continue
        if source == surfaces:
            if data.GetNumberOfPolys() + data.GetNumberOfStrips() > 0:
                meshes.append(Surface(data, key))
            continue
        # the address tells which segments share an image
        shared = layers.get(data.__this__)
        if shared is None:
            shared = layers.setdefault(data.__this__, _layer_of_image(data))
        shared.values[int(segment.GetLabelValue())] = key
    return [*layers.values(), *meshes]


def _layer_of_image(image: Any) -> Layer:
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = image.GetExtent()[0::2]
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    return Layer(array, as_array(matrix) @ first, {})


def _converted_copy(segmentation: Any, representation: str) -> Any:
    """A copy outside the scene in which a rarer kind of segmentation (contours, fractions) has become voxels."""
    import slicer

    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    if not copy.CreateRepresentation(representation):
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the segmentation cannot be turned into voxels",
            "create its binary labelmap in the Segmentations module, under Representations",
        )
    return copy


def _parts_of_label_map(node: Any, keys: Iterable[str] | None) -> list[Layer | Surface]:
    from vtk.util.numpy_support import vtk_to_numpy

    if node.GetImageData() is None or node.GetImageData().GetPointData().GetScalars() is None:
        return []
    array = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars()).reshape(size_ijk(node)[::-1])
    if keys is None:
        from MedUSISLib.anatomy.lookup import as_integers, unique_values

        keys = [str(value) for value in unique_values(as_integers(array)) if value != 0]
    values = {int(key): key for key in keys}
    return [Layer(array, index_to_local(node), values)] if values else []
