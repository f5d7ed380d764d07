"""How much memory a synthesis will take, before it begins: measured figures, laid over the sizes of this run."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import lps_order

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest

# Measured with Testing/Benchmarks/memory_512x512x400.py, one pass, CPU; peak in GB at (million voxels of the CT,
# million voxels of the generator's grid): 0.93 at (0.16, 2.6), 1.66 at (13, 13), 1.29 at (26, 6.6), 1.88 at (52, 13),
# 2.26 at (105, 16). Passes make no difference.
_SEGMENTING_BASE = 0.73e9
_PER_CT_VOXEL = 4  # int16 CT, labels, body; held from the beginning
_GRID_PER_VOXEL = 12  # labels, HU, body, mean, variance
_SEGMENTING_PER_VOXEL = 55  # scores of all classes, bias field
_MEASURING_BASE = 0.70e9
_MEASURING_PER_CT_VOXEL = 15  # CT, labels, body, MR, uncertainty, mask consistency, and one measure at work
_SPREAD_PER_VOXEL = 4

_SEGMENTED_AT_ONCE = 18_000_000
"""``second_look.VOXELS_AT_ONCE``, written again because that module loads the networks."""

# Of the stage "synthesizing", 40 slices of 256x256: 0.52, 0.90 and 1.43 GB in batches of 2, 16 and 40 on two cores.
_SYNTHESIZING_BASE = 0.44e9
_PER_PIXEL_IN_FLIGHT = 380
_DEFAULT_PIXELS_IN_FLIGHT = 2 * 256 * 256

_SIZE_STEP = 64


def estimated_peak_bytes(
    ct: Geometry,
    manifest: Manifest,
    mode: str = "slice",
    batch_size: int | None = None,
    noise_samples: int = 0,
    on_cpu: bool = True,
) -> int:
    """Peak resident memory of the process of a synthesis, in bytes; within a fifth of what was measured.

    Parameters
    ----------
    ct : Geometry
    manifest : Manifest
        Of the generator. Its weights are taken to be small (some 10 MB) beside the volumes.
    mode : {"auto", "slice", "three-view", "window"}
    batch_size : int, optional
        Slices or windows at once; the engine's own choice is part of the measured figures.
    noise_samples : int
        More than none adds a map.
    on_cpu : bool
        On an accelerator batches lie in its own memory.
    """
    ct_voxels = ct.size_ijk[0] * ct.size_ijk[1] * ct.size_ijk[2]
    grid = generator_grid_size(ct, manifest, mode)
    grid_voxels = grid[0] * grid[1] * grid[2]
    spread = _SPREAD_PER_VOXEL if noise_samples else 0
    # the synthetic MR is segmented again where there is a network for that: heads, today
    segmented = min(grid_voxels, _SEGMENTED_AT_ONCE) if manifest.schema_id == "head" else 0
    segmenting = (
        _SEGMENTING_BASE
        + _PER_CT_VOXEL * ct_voxels
        + (_GRID_PER_VOXEL + spread) * grid_voxels
        + _SEGMENTING_PER_VOXEL * segmented
    )
    measuring = _MEASURING_BASE + (_MEASURING_PER_CT_VOXEL + spread) * ct_voxels
    in_flight = _DEFAULT_PIXELS_IN_FLIGHT
    if manifest.spatial_dims == 3 and on_cpu:
        in_flight = max(in_flight, _image_size(manifest, grid, mode))  # one box, however large
    if batch_size is not None and on_cpu:
        in_flight = max(in_flight, batch_size * _image_size(manifest, grid, mode))
    synthesizing = (
        _SYNTHESIZING_BASE
        + _PER_CT_VOXEL * ct_voxels
        + (_GRID_PER_VOXEL + spread) * grid_voxels
        + _PER_PIXEL_IN_FLIGHT * in_flight
    )
    return int(max(synthesizing, segmenting, measuring))


def generator_grid_size(ct: Geometry, manifest: Manifest, mode: str) -> tuple[int, int, int]:
    """Size (left-right, back-front, feet-head) of the generator's grid in a CT whose body fills its field of view.

    The engine makes it no larger than that (``imaging.grid.plan_grid``).
    """
    along, _ = lps_order(ct)
    extent = [ct.size_ijk[axis] * ct.spacing_mm[axis] for axis in along]
    own = [ct.spacing_mm[axis] for axis in along]
    size = manifest.grid.size
    slice_axis = {"sagittal": 0, "coronal": 1, "axial": 2}[manifest.grid.slice_axis if len(size) == 2 else "axial"]
    isotropic = mode == "three-view" or len(size) == 3
    result = [0, 0, 0]
    trained = list(size[:2])
    for axis in range(3):
        spacing = manifest.grid.spacing_mm[axis]
        if axis == slice_axis:
            result[axis] = max(1, ceil(extent[axis] / (spacing if isotropic else max(spacing, own[axis])) - 1e-3))
            continue
        wanted, needed = trained.pop(0), ceil(extent[axis] / spacing - 1e-3)
        result[axis] = wanted if needed <= wanted else ceil(needed / _SIZE_STEP) * _SIZE_STEP
    return result[0], result[1], result[2]


def _image_size(manifest: Manifest, grid: tuple[int, int, int], mode: str) -> int:
    """Pixels (or voxels) of one slice or window."""
    size = manifest.grid.size
    if len(size) == 3:
        return size[0] * size[1] * size[2]
    if mode == "window":
        return size[0] * size[1]
    areas = {"sagittal": grid[1] * grid[2], "coronal": grid[0] * grid[2], "axial": grid[0] * grid[1]}
    return max(areas.values()) if mode == "three-view" else areas[manifest.grid.slice_axis]
