"""Where a volume's voxels lie in the world: parent transforms times IJKToRAS, and how two nodes' indices relate.

Matrices are 4x4, world coordinates RAS in millimetres, indices (i, j, k).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.imaging.geometry import Geometry

TRANSFORM_SHEARS = "TRANSFORM_SHEARS"
TRANSFORM_NONLINEAR = "TRANSFORM_NONLINEAR"

# Half of what imaging.geometry tolerates, so that the rounding of a NIfTI header cannot make the difference.
_ORTHONORMAL_TOLERANCE = 5e-4
# As the engine: half of a tenth of a voxel is a rounded header, more is another grid.
_SAME_VOXELS = 0.05
# No scanner makes such voxels; a scale like that is a broken transform.
_SPACING_MM = (1e-3, 1e3)


@dataclass(frozen=True)
class WorldGrid:
    """A rectangular voxel grid in the world.

    Attributes
    ----------
    matrix : ndarray
        4x4 from index to world RAS; perpendicular axes, either handedness.
    size_ijk : tuple of int
    warnings : tuple of (code, message)
        What of the node's true place could not be kept; empty for rigid, scaled or mirrored volumes.
    """

    matrix: np.ndarray
    size_ijk: tuple[int, int, int]
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def geometry(self) -> Geometry:
        """The same in LPS, as the engine has it."""
        from MedUSISLib.imaging.geometry import Geometry

        return Geometry.from_affine_ras(self.matrix, self.size_ijk)


def world_grid(volume: Any) -> WorldGrid:
    """The grid on which a volume is given to the engine.

    All linear parent transforms are honoured. With a nonlinear one there is no grid in the world: the volume's own
    coordinates are taken. Axes that are not perpendicular (an affine registration, a tilted gantry) give way to the
    nearest perpendicular ones around the volume's middle. Both change only what is called left, front and up and the
    millimetres, not which voxel is which, and both come with a warning.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE without voxels, GEOMETRY_MISMATCH when the transforms squash the volume flat.
    """
    size = size_ijk(volume)
    matrix = index_to_local(volume)
    warnings: list[tuple[str, str]] = []
    parent = parent_matrix(volume)
    if parent is None:
        warnings.append(
            (
                TRANSFORM_NONLINEAR,
                "The CT lies under a transform that bends it. The synthetic MR is made in the CT's own coordinates and "
                "gets the same transform.",
            )
        )
    else:
        matrix = parent @ matrix
    _require_extent(matrix, "CT")
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    directions = matrix[:3, :3] / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > _ORTHONORMAL_TOLERANCE:
        matrix = _perpendicular(matrix, directions, spacing, size)
        warnings.append(
            (
                TRANSFORM_SHEARS,
                "The CT is sheared (by its transform or a tilted gantry). The synthetic MR is made as if the CT's axes "
                "were perpendicular, and is shown where the CT is.",
            )
        )
    return WorldGrid(matrix, size, tuple(warnings))


def _require_extent(matrix: np.ndarray, role: str) -> None:
    """Refuse a matrix that squashes space flat, or out of all proportion."""
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    usable = np.all(np.isfinite(matrix)) and lengths.min() >= _SPACING_MM[0] and lengths.max() <= _SPACING_MM[1]
    if not usable or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-3:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"the {role} has no usable place in space: its spacing or its transform is damaged",
            f"check the {role}'s transform in the Transforms module",
        )


def _perpendicular(
    matrix: np.ndarray, directions: np.ndarray, spacing: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray:
    """The nearest grid with perpendicular axes (polar decomposition); its middle stays where it was."""
    left, _, right = np.linalg.svd(directions)
    result = np.eye(4)
    result[:3, :3] = (left @ right) * spacing
    middle = (np.asarray(size) - 1) / 2
    result[:3, 3] = matrix[:3, :3] @ middle + matrix[:3, 3] - result[:3, :3] @ middle
    return result


def size_ijk(volume: Any) -> tuple[int, int, int]:
    """Number of voxels along i, j, k.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when there are none.
    """
    image = volume.GetImageData()
    i, j, k = image.GetDimensions() if image is not None else (0, 0, 0)
    if min(i, j, k) < 1 or image.GetPointData().GetScalars() is None:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "the volume has no voxels", "load it again, or choose another")
    return int(i), int(j), int(k)


def index_to_local(volume: Any) -> np.ndarray:
    """4x4 from a volume's index to its own RAS, parent transforms not included."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return as_array(matrix)


def parent_matrix(node: Any) -> np.ndarray | None:
    """4x4 from a node's own RAS to the world, through all its parent transforms; None when one of them bends."""
    return matrix_between(node.GetParentTransformNode(), None)


def matrix_between(source: Any, target: Any) -> np.ndarray | None:
    """4x4 between the coordinates under two transform nodes (None is the world), or None when it is not linear.

    What both have in common above them cancels exactly, also when it bends.
    """
    import slicer
    import vtk

    # not GetMatrixTransformBetweenNodes: it complains in the log when the answer is no
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(_between(source, target), linear):
        return None
    return as_array(linear.GetMatrix())


def _between(source: Any, target: Any) -> Any:
    import slicer
    import vtk

    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, between)
    return between


def index_map(volume: Any, node: Any, local_to_index: np.ndarray) -> Any:
    """From a volume's index to the index of an image that belongs to another node.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
    node : vtkMRMLTransformableNode
        A segmentation or a label map under its own parent transforms.
    local_to_index : ndarray
        4x4 from the node's own RAS to the image's index.

    Returns
    -------
    ndarray or vtkGeneralTransform
        A 4x4 matrix where all transforms between the two are linear.

    Raises
    ------
    MedUSISError
        GEOMETRY_MISMATCH when a transform squashes the other node flat.
    """
    import vtk

    to_local = index_to_local(volume)
    source, target = volume.GetParentTransformNode(), node.GetParentTransformNode()
    above = parent_matrix(node)
    if above is not None:
        _require_extent(above, "segmentation")
    between = matrix_between(source, target)
    if between is not None:
        return local_to_index @ between @ to_local
    whole = vtk.vtkGeneralTransform()
    whole.PostMultiply()
    whole.Concatenate(as_vtk(to_local))
    whole.Concatenate(_between(source, target))
    whole.Concatenate(as_vtk(local_to_index))
    return whole


def strided(mapped: Any, strides: tuple[int, int, int]) -> Any:
    """An index map for every so many voxels (along i, j, k) of the volume that it starts from."""
    import vtk

    if strides == (1, 1, 1):
        return mapped
    step = np.diag([*map(float, strides), 1.0])
    if isinstance(mapped, np.ndarray):
        return mapped @ step
    whole = vtk.vtkGeneralTransform()
    whole.PostMultiply()
    whole.Concatenate(as_vtk(step))
    whole.Concatenate(mapped)
    return whole


def voxel_to_voxel(matrix: np.ndarray, size: tuple[int, int, int]) -> np.ndarray | None:
    """The exact whole-number version of an index map, or None where voxels do not meet voxels.

    Axes may be swapped and reversed. Corners are compared, as a small rotation moves the far end of a large volume.
    """
    whole = np.rint(matrix)
    if not np.array_equal(np.abs(whole[:3, :3]).sum(axis=0), np.ones(3)):
        return None
    if not np.array_equal(np.abs(whole[:3, :3]).sum(axis=1), np.ones(3)):
        return None
    middle = (np.asarray(size) - 1) / 2
    whole[:3, 3] = np.rint((matrix[:3, :3] @ middle + matrix[:3, 3]) - whole[:3, :3] @ middle)
    points = corners(size)
    shift = (matrix - whole)[:3] @ np.vstack([points.T, np.ones(len(points))])
    return whole if np.abs(shift).max() <= _SAME_VOXELS else None


def corners(size: tuple[int, int, int]) -> np.ndarray:
    """Indices (8, 3) of the corner voxels of a grid."""
    last = np.asarray(size, dtype=float) - 1
    return np.array([[a, b, c] for a in (0, last[0]) for b in (0, last[1]) for c in (0, last[2])])


def as_array(matrix: Any) -> np.ndarray:
    """A vtkMatrix4x4 as a 4x4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def as_vtk(matrix: np.ndarray) -> Any:
    """A 4x4 array as a vtkMatrix4x4."""
    import vtk

    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=float).ravel().tolist())
    return result
