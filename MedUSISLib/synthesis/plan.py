"""Which grid, and which mode: decided once, before the network runs."""

from __future__ import annotations

from dataclasses import dataclass

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import Manifest
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.modes import SliceViews, SynthesisMode, VolumeWindows, WindowedSlices
from MedUSISLib.synthesis.slice_order import Voxel, voxel_on_grid

_ARRAY_AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}


@dataclass(frozen=True)
class SynthesisPlan:
    """The generator's grid in this CT, how it is filled, and what that is called.

    Attributes
    ----------
    grid : Geometry
    slice_axis : int
        Array axis along which the generator's slices are stacked.
    mode : SynthesisMode
    mode_name : str
        Goes into the provenance: may differ from the mode asked for.
    """

    grid: Geometry
    slice_axis: int
    mode: SynthesisMode
    mode_name: str


def plan_synthesis(
    manifest: Manifest, mode: str, body: Volume, progress: Progress, first_voxel: Voxel | None = None
) -> SynthesisPlan:
    """Lay out the work for a CT.

    Parameters
    ----------
    manifest : Manifest
        Of the generator.
    mode : {"auto", "slice", "three-view", "window"}
        "auto" is windows for a 3D generator, which knows nothing else, and slices for the others. Three-view averages
        the views that the manifest allows; with a single one it is the slice mode, and a warning says so.
    body : Volume
        Of the CT.
    progress : Progress
        Hears the warnings.
    first_voxel : (i, j, k), optional
        Of the CT: slices through it are drawn first.

    Raises
    ------
    MedUSISError
        BAD_SETTING for slices or views of a 3D generator.
    """
    mode = fitting_mode(manifest, mode)
    axis = _ARRAY_AXIS[manifest.grid.slice_axis]
    size = manifest.grid.size
    if len(size) == 3:
        grid = _grid(manifest, body, isotropic=True)
        return SynthesisPlan(grid, axis, VolumeWindows((size[2], size[1], size[0])), "window")
    if mode == "three-view":
        axes = [_ARRAY_AXIS[view] for view in manifest.grid.views]
        if len(axes) > 1:
            grid = _grid(manifest, body, isotropic=True)
            if len(axes) < 3:
                progress.warning("VIEWS_LIMITED", f"the generator knows {len(axes)} views: their mean is taken")
            first = voxel_on_grid(first_voxel, body.geometry, grid)
            return SynthesisPlan(grid, axis, SliceViews(axes, first), "three-view")
        progress.warning(
            "VIEWS_LIMITED", f"the generator knows {manifest.grid.slice_axis} slices only: the mode is slice"
        )
        mode = "slice"
    grid = _grid(manifest, body, isotropic=False)
    first = voxel_on_grid(first_voxel, body.geometry, grid)
    if mode == "window":
        # in an image the later index axis is the row: size is (i, j), an image is [j, i]
        return SynthesisPlan(grid, axis, WindowedSlices(axis, (size[1], size[0]), first), "window")
    in_plane = [n for number, n in enumerate(grid.size_ijk) if number != 2 - axis]
    if any(n > trained for n, trained in zip(in_plane, size, strict=True)):
        progress.warning(
            "FIELD_OF_VIEW",
            f"the body needs slices of {in_plane[0]}x{in_plane[1]}, the generator was trained on {size[0]}x{size[1]}: "
            "--mode window keeps to that size",
        )
    return SynthesisPlan(grid, axis, SliceViews([axis], first), "slice")


def fitting_mode(manifest: Manifest, mode: str) -> str:
    """The mode that a generator works in, given the one that was asked for.

    Raises
    ------
    MedUSISError
        BAD_SETTING for slices or views of a 3D generator.
    """
    volumes = manifest.spatial_dims == 3
    if mode == "auto":
        return "window" if volumes else "slice"
    if volumes and mode != "window":
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the generator '{manifest.id}' draws volumes, not slices: it has no mode '{mode}'",
            "use the mode 'window', or leave the mode out",
        )
    return mode


def _grid(manifest: Manifest, body: Volume, isotropic: bool) -> Geometry:
    """The generator's grid in this CT; the in-plane size of a 3D generator is that of its axial planes."""
    size = manifest.grid.size
    spec = GridSpec(
        spacing_mm=manifest.grid.spacing_mm,
        size_ij=(size[0], size[1]),
        slice_axis=manifest.grid.slice_axis if len(size) == 2 else "axial",
        isotropic=isotropic,
    )
    return plan_grid(body.geometry, spec, body.array_kji)
