"""The maps of a finished synthesis as arrays, only when they lie voxel by voxel on the CT of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.world_grid import corners, index_to_local, size_ijk, world_grid
from MedUSISLib.small_files import read_small_file, read_small_text
from MedUSISLib.strict_json import parse_json
from MedUSISLib.synthesis.writing import FILES

if TYPE_CHECKING:
    from MedUSISLib.imaging.geometry import Geometry

# NIfTI keeps its matrix as 32-bit floats: some micrometres at the far end of a volume.
_TOLERANCE_VOXEL = 0.05
_TOLERANCE_MM = 0.01


def read_map(folder: Path, name: str, ct: Any, made_on: np.ndarray | None = None) -> np.ndarray:
    """One map of a result, checked against the CT.

    Parameters
    ----------
    folder : Path
        As ``medusis synthesize`` writes it.
    name : str
        Key of ``synthesis.writing.FILES``.
    ct : vtkMRMLScalarVolumeNode
    made_on : ndarray, optional
        ``world_grid(ct).matrix`` when the synthesis began, for a CT that was moved since.

    Returns
    -------
    ndarray
        ``[k, j, i]``, one to one with the CT's voxels. The caller may keep it: it is a copy.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``; ``GEOMETRY_MISMATCH`` when it lies on another grid; ``DEPENDENCY_MISSING``.
    """
    # Neither Slicer's volume reader, which turns the k axis of a left-handed file, nor ITK, which fills a file that was
    # cut short with zeros and says nothing.
    from MedUSISLib.imaging.nifti import read_nifti

    path = folder / FILES[name]
    if not path.is_file():
        raise _not_readable(name, path)
    try:
        volume = read_nifti(path, f"the part '{name}' of the result")
    except ImportError as error:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            f"the package {error.name} is not installed",
            "install what MedUSIS needs, in its module",
        ) from None
    _check_grid(volume.geometry, ct, made_on, path)
    return volume.array_kji


def has_map(folder: Path, name: str) -> bool:
    """Whether a result holds a map."""
    return (folder / FILES[name]).is_file()


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """``quality.json`` or ``provenance.json`` of a result.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``
    """
    path = folder / name
    try:
        value = parse_json(read_small_file(path))
    except (OSError, ValueError):
        raise _not_readable(name, path) from None
    if not isinstance(value, dict):
        raise _not_readable(name, path)
    return value


def read_report(folder: Path) -> str:
    """The HTML report of a result.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``
    """
    path = folder / "report.html"
    try:
        return read_small_text(path)
    except (OSError, ValueError):
        raise _not_readable("report", path) from None


def _not_readable(name: str, path: Path) -> MedUSISError:
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        f"the part '{name}' of the result is missing or damaged",
        "run the synthesis again",
        path,
    )


def _check_grid(geometry: Geometry, ct: Any, also: np.ndarray | None, path: Path) -> None:
    size = size_ijk(ct)
    if geometry.size_ijk != size:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"the result has {geometry.size_ijk} voxels and the CT {size}",
            "choose the CT that this result was made from",
            path,
        )
    if not any(_same_places(geometry.affine_ras, grid, size) for grid in _grids(ct, also)):
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            "the result lies elsewhere than the CT, or its axes run another way",
            "choose the CT that this result was made from, and leave its transform as it was during the synthesis",
            path,
        )


def _grids(ct: Any, also: np.ndarray | None) -> Iterator[np.ndarray]:
    """Where the CT was when the synthesis began, where it is in the world now, and where it is in its own RAS."""
    if also is not None:
        yield also
    yield index_to_local(ct)
    yield world_grid(ct).matrix


def _same_places(file: np.ndarray, grid: np.ndarray, size: tuple[int, int, int]) -> bool:
    points = np.concatenate([corners(size), np.eye(3)])  # a single slice has a third axis too
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    apart = np.linalg.norm((homogeneous @ (file - grid).T)[:, :3], axis=1).max()
    spacing = np.linalg.norm(grid[:3, :3], axis=0)
    return bool(apart <= _TOLERANCE_VOXEL * spacing.min() + _TOLERANCE_MM)


def world_points(node: Any, points_ras: np.ndarray) -> np.ndarray:
    """Points of a node's own RAS in the world, through all its parent transforms; both of shape (n, 3)."""
    points = np.asarray(points_ras, float)
    if node.GetParentTransformNode() is None:
        return points
    moved = np.zeros_like(points)
    for row, point in enumerate(points):
        node.TransformPointToWorld(point.tolist(), moved[row])
    return moved
