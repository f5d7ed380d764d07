"""A segmentation of the scene, whatever its kind, painted onto a CT's voxels.

Every voxel of the CT asks each layer of the segmentation for the nearest voxel there, through all transforms between
the two nodes; closed surfaces are brought into the CT's index space and filled there. So one path serves all grids,
rotations, shears and bending transforms, and neither node is touched: no temporary nodes, no new representation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedUSISLib.mrml.bent_map import quick_map
from MedUSISLib.mrml.world_grid import as_array, as_vtk, index_map, index_to_local, size_ijk, strided, voxel_to_voxel

# Voxels painted at once: a slab of the largest type stays below 130 MB.
_SLAB_VOXELS = 1 << 25


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


def paint(
    ct: Any, node: Any, ranks: Mapping[str, int], strides: tuple[int, int, int] = (1, 1, 1)
) -> tuple[np.ndarray, bool]:
    """The segments on the CT's voxels.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
    node : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
    ranks : mapping of str to int
        Number (1 or more) to paint for each segment's key; where segments overlap the highest wins. Others are left
        out.
    strides : tuple of int
        Along i, j, k: paint only every so many voxels, for a quick look.

    Returns
    -------
    ndarray
        [k, j, i] as the CT (with its strides); uint8, or int16 when there are more than 255 ranks. 0 is unlabelled.
    bool
        True when the segmentation's voxels are not the CT's, so that the nearest were taken.
    """
    whole = size_ijk(ct)
    size = (-(-whole[0] // strides[0]), -(-whole[1] // strides[1]), -(-whole[2] // strides[2]))
    highest = max(ranks.values(), default=0)
    result = np.zeros(size[::-1], dtype=np.uint8 if highest <= 255 else np.int16)
    resampled = False
    for part in parts(node, ranks):
        if isinstance(part, Surface):
            if part.key in ranks:
                _paint_surface(part, strided(index_map(ct, node, np.eye(4)), strides), ranks[part.key], result)
                resampled = True
            continue
        wanted = {value: ranks[key] for value, key in part.values.items() if key in ranks}
        if not wanted:
            continue
        mapped = index_map(ct, node, np.linalg.inv(part.index_to_local))
        if isinstance(mapped, np.ndarray):
            exact = voxel_to_voxel(mapped, whole)
            mapped, resampled = (mapped, True) if exact is None else (exact, resampled)
        else:
            resampled = True
        mapped = strided(mapped, strides)
        if not isinstance(mapped, np.ndarray):
            mapped = quick_map(mapped, size)
        for place, slab in nearest_slabs(part.array_kji, mapped, _reach(part.array_kji.shape, mapped, size)):
            target = result[place]
            np.maximum(target, _ranked(slab, wanted, result.dtype), out=target)
    return result, resampled


Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and last index along i, j and k."""


def nearest_slabs(
    array_kji: np.ndarray, index_map: Any, box: Box
) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
    """An image sampled on a part of a grid, nearest neighbour, 0 beyond half a voxel outside.

    Parameters
    ----------
    array_kji : ndarray
    index_map : ndarray or vtkAbstractTransform
        From the grid's index to the array's index (i, j, k).
    box : Box
        The part of the grid.

    Yields
    ------
    tuple of slice
        Where the slab belongs, [k, j, i].
    ndarray
        The slab in the array's type; valid until the next one.
    """
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    (i_first, i_last), (j_first, j_last), (k_first, k_last) = box
    if i_last < i_first or j_last < j_first or k_last < k_first:
        return
    flat = np.ascontiguousarray(array_kji).reshape(-1)  # kept alive here while vtk looks at it
    image = vtk.vtkImageData()
    image.SetDimensions(array_kji.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(flat))
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetInterpolationModeToNearestNeighbor()
    reslice.SetBackgroundLevel(0)
    reslice.SetOutputDimensionality(3)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    if isinstance(index_map, np.ndarray):
        # as axes, not as a transform: vtk then recognises grids that are parallel and copies rows
        reslice.SetResliceAxes(as_vtk(index_map))
    else:
        reslice.SetResliceTransform(index_map)
    width, height = i_last - i_first + 1, j_last - j_first + 1
    depth = max(1, _SLAB_VOXELS // (width * height))
    for first in range(k_first, k_last + 1, depth):
        last = min(first + depth - 1, k_last)
        reslice.SetOutputExtent(i_first, i_last, j_first, j_last, first, last)
        reslice.Update()
        scalars = reslice.GetOutput().GetPointData().GetScalars()
        place = (slice(first, last + 1), slice(j_first, j_last + 1), slice(i_first, i_last + 1))
        yield place, vtk_to_numpy(scalars).reshape(last - first + 1, height, width)


def _reach(shape_kji: tuple[int, ...], index_map: Any, size: tuple[int, int, int]) -> Box:
    """The part of a grid that an image can reach: most segments are small, and there can be a hundred."""
    if not isinstance(index_map, np.ndarray):
        return (0, size[0] - 1), (0, size[1] - 1), (0, size[2] - 1)
    ends = [(-0.5, n - 0.5) for n in reversed(shape_kji)]
    corners = np.array([[i, j, k, 1.0] for i in ends[0] for j in ends[1] for k in ends[2]])
    return _box(np.linalg.solve(index_map, corners.T)[:3], size)


def _box(points: np.ndarray, size: tuple[int, int, int]) -> Box:
    """The indices of a grid within the bounds of points (3, n), with a margin for rounding; last < first: none."""
    low = np.clip(np.floor(points.min(axis=1) - 0.01), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(axis=1) + 0.01), -1, np.asarray(size) - 1).astype(int)
    (a, b, c), (d, e, f) = low.tolist(), high.tolist()
    return (a, d), (b, e), (c, f)


def _ranked(slab: np.ndarray, ranks: Mapping[int, int], dtype: np.dtype) -> np.ndarray:
    """Label values replaced by ranks; values without one become 0."""
    if len(ranks) == 1:
        ((value, rank),) = ranks.items()
        return (slab == value) * dtype.type(rank)
    from MedUSISLib.anatomy.lookup import LookupTable, as_integers, chunks

    table = LookupTable(ranks, other=0, dtype=dtype)
    result = np.empty(slab.shape, dtype=dtype)
    flat = result.reshape(-1)
    for part, chunk in chunks(as_integers(slab)):
        flat[part] = table.look_up(chunk)
    return result


def _paint_surface(surface: Surface, to_local: Any, rank: int, result: np.ndarray) -> None:
    """Fill a closed surface; ``to_local`` leads from the result's index to the surface's coordinates."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    transform = vtk.vtkMatrixToLinearTransform()
    if isinstance(to_local, np.ndarray):
        transform.SetInput(as_vtk(np.linalg.inv(to_local)))
    else:
        transform = to_local.GetInverse()
    moved = vtk.vtkTransformPolyDataFilter()
    moved.SetInputData(surface.mesh)
    moved.SetTransform(transform)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(moved.GetOutputPort())
    triangles.PassLinesOff()
    triangles.PassVertsOff()
    moved.Update()
    i, j, k = _box(np.array(moved.GetOutput().GetBounds()).reshape(3, 2), result.shape[::-1])
    if i[1] < i[0] or j[1] < j[0] or k[1] < k[0]:
        return
    stencil = vtk.vtkPolyDataToImageStencil()
    stencil.SetInputConnection(triangles.GetOutputPort())
    stencil.SetOutputOrigin(0, 0, 0)
    stencil.SetOutputSpacing(1, 1, 1)
    stencil.SetOutputWholeExtent(*i, *j, *k)
    image = vtk.vtkImageStencilToImage()
    image.SetInputConnection(stencil.GetOutputPort())
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.SetOutputScalarTypeToUnsignedChar()
    image.Update()
    target = result[k[0] : k[1] + 1, j[0] : j[1] + 1, i[0] : i[1] + 1]
    inside = vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(target.shape)
    np.maximum(target, inside * result.dtype.type(rank), out=target)


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

    from MedUSISLib.errors import ErrorCode, MedUSISError

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
