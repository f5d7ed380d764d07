"""Where the voxels of a volume lie in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from MedUSISLib.errors import ErrorCode, MedUSISError

# Headers hold direction cosines with about six digits; a scanner's own rounding stays below this.
_ORTHONORMAL_TOLERANCE = 1e-3


def _mismatch(message: str, hint: str) -> MedUSISError:
    return MedUSISError(ErrorCode.GEOMETRY_MISMATCH, message, hint)


@dataclass(frozen=True)
class Geometry:
    """Size, spacing, origin and axes of a voxel grid; LPS, millimetres.

    Parameters
    ----------
    size_ijk : tuple of int
        Number of voxels along i (fastest), j, k.
    spacing_mm : tuple of float
        Distance of voxel centres along i, j, k.
    origin_lps_mm : tuple of float
        Centre of voxel (0, 0, 0).
    direction : tuple of 9 floats
        Row-major 3x3 matrix whose *columns* are the unit vectors of the i, j and k axes. May be left-handed.

    Raises
    ------
    MedUSISError
        ``GEOMETRY_MISMATCH`` when a size or spacing is not positive, a number is not finite, or the axes are not
        perpendicular unit vectors (a sheared grid, as a tilted gantry gives).

    Examples
    --------
    >>> grid = Geometry((4, 3, 2), (1.0, 1.0, 5.0), (10.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    >>> grid.index_to_lps([(3, 0, 1)]).tolist()
    [[13.0, 0.0, 5.0]]
    >>> grid.shape_kji
    (2, 3, 4)
    """

    size_ijk: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin_lps_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        direction = np.asarray(self.direction, dtype=np.float64).ravel()
        lengths = (len(self.size_ijk), len(self.spacing_mm), len(self.origin_lps_mm), len(direction))
        if lengths != (3, 3, 3, 9):
            raise _mismatch("a geometry needs 3 sizes, 3 spacings, 3 origins and 9 direction cosines", "")
        if any(int(n) != n or n < 1 for n in self.size_ijk):
            raise _mismatch(f"a volume of size {tuple(self.size_ijk)} has no voxels", "check the file")
        spacing = np.asarray(self.spacing_mm, dtype=np.float64)
        if not np.all(np.isfinite(spacing)) or np.any(spacing <= 0):
            raise _mismatch(
                f"the voxel spacing {tuple(spacing.tolist())} mm is not positive", "repair the header of the file"
            )
        if not np.all(np.isfinite(np.asarray(self.origin_lps_mm, dtype=np.float64))):
            raise _mismatch("the origin is not a finite number", "repair the header of the file")
        matrix = direction.reshape(3, 3)
        if not np.all(np.isfinite(matrix)) or (np.abs(matrix.T @ matrix - np.eye(3)).max() > _ORTHONORMAL_TOLERANCE):
            raise _mismatch(
                "the axes of the volume are not perpendicular unit vectors (sheared, singular or tilted gantry)",
                "resample the volume to a rectangular grid first",
            )
        # Plain Python numbers, so that geometries compare, hash and go into JSON.
        object.__setattr__(self, "size_ijk", tuple(int(n) for n in self.size_ijk))
        object.__setattr__(self, "spacing_mm", tuple(float(s) for s in self.spacing_mm))
        object.__setattr__(self, "origin_lps_mm", tuple(float(o) for o in self.origin_lps_mm))
        object.__setattr__(self, "direction", tuple(float(d) for d in direction))

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Shape of the array of this grid."""
        i, j, k = self.size_ijk
        return k, j, i

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return float(np.prod(self.spacing_mm))

    @property
    def axes(self) -> np.ndarray:
        """3x3 direction matrix, columns = axes."""
        return np.asarray(self.direction).reshape(3, 3)

    @property
    def matrix(self) -> np.ndarray:
        """4x4 matrix from index (i, j, k, 1) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_lps_mm
        return matrix

    @property
    def affine_ras(self) -> np.ndarray:
        """4x4 matrix from index to RAS millimetres, as NIfTI headers hold it."""
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.matrix

    @property
    def centre_lps(self) -> np.ndarray:
        """Middle of the grid in LPS millimetres, shape (3,)."""
        return self.index_to_lps([(np.asarray(self.size_ijk) - 1) / 2])[0]

    def index_to_lps(self, points_ijk: ArrayLike) -> np.ndarray:
        """World positions of (fractional) voxel indices; both of shape (n, 3)."""
        points = np.asarray(points_ijk, dtype=np.float64).reshape(-1, 3)
        return points @ self.matrix[:3, :3].T + np.asarray(self.origin_lps_mm)

    def lps_to_index(self, points_lps: ArrayLike) -> np.ndarray:
        """Fractional voxel indices (i, j, k) of world positions; both of shape (n, 3)."""
        points = np.asarray(points_lps, dtype=np.float64).reshape(-1, 3)
        return (points - np.asarray(self.origin_lps_mm)) @ np.linalg.inv(self.matrix[:3, :3]).T

    def same_grid(self, other: Geometry, tolerance_voxel: float = 1e-3) -> bool:
        """True when both grids have the same size and no corner differs by more than a part of a voxel.

        Corners rather than matrices are compared, because a rotation that is negligible for a small volume moves
        the far end of a large one.
        """
        if self.size_ijk != other.size_ijk:
            return False
        last = np.asarray(self.size_ijk) - 1
        corners = np.array([[a, b, c] for a in (0, last[0]) for b in (0, last[1]) for c in (0, last[2])])
        # One more point per axis: a single slice still has a direction.
        corners = np.concatenate([corners, np.eye(3)])
        shift = np.abs(self.index_to_lps(corners) - other.index_to_lps(corners)).max()
        return bool(shift <= tolerance_voxel * min(self.spacing_mm))

    @classmethod
    def from_affine_ras(cls, affine: np.ndarray, size_ijk: Sequence[int]) -> Geometry:
        """Geometry of a NIfTI-like RAS affine.

        Raises
        ------
        MedUSISError
            ``GEOMETRY_MISMATCH`` for a singular or sheared affine.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # of a damaged header; refused below
            lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=np.float64)
            spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
        if not np.all(np.isfinite(spacing)) or np.any(spacing <= 0):
            raise _mismatch("the affine of the volume is singular", "repair the header of the file")
        i, j, k = size_ijk
        return cls(
            (i, j, k),
            tuple(spacing),
            tuple(lps[:3, 3]),
            tuple((lps[:3, :3] / spacing).ravel()),
        )
