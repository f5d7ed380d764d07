"""Every image of a study in one form: grid, orientation, grey scale, background, data type, header.

Real and synthetic images go through exactly the same steps, whatever they come as, so that nothing but the picture can
tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.crop import body_centre_lps, bounding_box
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.grid import lps_order
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.study.protocol import CommonForm

CT_RANGE_HU = (-1024, 3071)
DESCRIPTION = "Reader study - not for diagnosis"
"""The only text in a trial's header, the same in all."""

_SAMPLE = 200_000
_SIZE_STEP = 8
# With larger voxels an opening takes the scalp away, which is 4 mm thick.
_OPENED_MM = 1.5
_PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}


def mr_body_mask(mr: Volume) -> np.ndarray:
    """What of an MR is the patient: above half of Otsu's threshold, the main part, holes and skull closed.

    References
    ----------
    N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9 (1979) 62-66.
    """
    from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening, label
    from skimage.filters import threshold_otsu

    array = mr.array_kji
    low, high = np.percentile(_sampled(array), [1, 99])
    if not high > low:
        return np.zeros(array.shape, dtype=bool)
    clipped = np.clip(array, low, high)
    threshold = low + (threshold_otsu(_sampled(clipped)) - low) / 2
    mask = array > threshold
    if min(mr.geometry.spacing_mm) <= _OPENED_MM:
        mask = binary_opening(mask)
    parts, count = label(mask)
    if count:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        mask = (sizes >= 0.1 * sizes.max())[parts]
    # The skull is as dark as air; closing by 5 mm bridges where fat does not.
    along, _ = lps_order(mr.geometry)
    axial = 2 - along[2]
    in_plane = min(s for n, s in enumerate(mr.geometry.spacing_mm) if n != along[2])
    rounds = max(1, round(5.0 / in_plane))
    for plane in np.moveaxis(mask, axial, 0):
        padded = np.pad(plane, rounds)
        inner = slice(rounds, -rounds)
        plane[...] = binary_fill_holes(binary_closing(padded, iterations=rounds))[inner, inner]
    return mask


def body_extent_mm(geometry: Geometry, body: np.ndarray) -> tuple[float, float, float]:
    """How large the body is along right-left, front-back and feet-head; the whole volume when nothing is body."""
    box = bounding_box(body)
    along, _ = lps_order(geometry)
    lengths = []
    for axis in along:
        part = box[2 - axis] if box is not None else slice(0, geometry.size_ijk[axis])
        lengths.append((part.stop - part.start) * geometry.spacing_mm[axis])
    return lengths[0], lengths[1], lengths[2]


def common_size(extents_mm: Sequence[tuple[float, float, float]], form: CommonForm) -> tuple[int, int, int]:
    """The size of all trials: the protocol's, or the smallest that holds every body with a margin of two voxels.

    Examples
    --------
    >>> common_size([(100.0, 150.0, 90.0), (120.0, 140.0, 80.0)], CommonForm())
    (128, 160, 96)
    """
    if form.size_ijk is not None:
        return form.size_ijk
    sizes = []
    for axis, spacing in enumerate(form.spacing_mm):
        needed = max(extent[axis] for extent in extents_mm) / spacing + 4
        sizes.append(int(np.ceil(needed / _SIZE_STEP - 1e-6)) * _SIZE_STEP)
    if np.prod(sizes) > 1024**3:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the trials would have more than a billion voxels",
            "give a larger spacing_mm or a size_ijk in the protocol's common_form",
        )
    return sizes[0], sizes[1], sizes[2]


def case_grid(geometry: Geometry, body: np.ndarray, size: tuple[int, int, int], form: CommonForm) -> Geometry:
    """The common grid laid over a case: axes as near as possible to left, posterior, superior; centred on the body."""
    along, sign = lps_order(geometry)
    direction = np.stack([sign[n] * geometry.axes[:, along[n]] for n in range(3)], axis=1)
    half = (np.asarray(size) - 1) / 2 * np.asarray(form.spacing_mm)
    x, y, z = body_centre_lps(geometry, body) - direction @ half
    return Geometry(size, form.spacing_mm, (float(x), float(y), float(z)), tuple(direction.ravel()))


def neutral_geometry(size: tuple[int, int, int], form: CommonForm) -> Geometry:
    """The geometry in every trial's header: the middle is the origin of space, axes are left, posterior, superior."""
    x, y, z = (-(n - 1) / 2 * s for n, s in zip(size, form.spacing_mm, strict=True))
    return Geometry(size, form.spacing_mm, (x, y, z))


def covered(volume: Volume, grid: Geometry) -> np.ndarray:
    """Where on the grid the volume has voxels; bool [k, j, i]."""
    ones = Volume(np.ones(volume.array_kji.shape, np.uint8), volume.geometry)
    return resample(ones, grid, Interpolation.NEAREST, fill=0).array_kji.astype(bool)


def blinded_grey(
    volume: Volume, grid: Geometry, keep: np.ndarray, form: CommonForm, random: np.random.Generator
) -> np.ndarray:
    """An MR (or an uncertainty map) in the common form.

    Steps, the same for every image: voxels spread within the image's own grey step where that is coarser than the
    common one, resampled, percentiles of the kept voxels to black and white, values below the floor to 0, rounded to
    ``form.levels``, 0 outside ``keep``.

    Parameters
    ----------
    volume : Volume
        As it came.
    grid : Geometry
        From ``case_grid``, the same for all images of a case.
    keep : bool array [k, j, i]
        Body and common coverage of the case's images, on the grid.
    form : CommonForm
    random : numpy Generator
        For the spreading.

    Returns
    -------
    uint8 array [k, j, i]
    """
    on_grid = resample(_without_steps(volume, form, random), grid, Interpolation.LINEAR, fill=_lowest(volume)).array_kji
    if not keep.any():
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "an image has nothing in common with its case's body")
    low, high = np.percentile(_sampled(on_grid[keep]), form.percentiles)
    if not high > low:
        raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, "an image has the same value everywhere inside the body")
    scaled = np.clip((on_grid - low) / (high - low), 0.0, 1.0)
    scaled[scaled < form.floor] = 0.0
    # Stretched over all 256 values whatever the levels are: a viewer's window is the same then.
    top = form.levels - 1
    grey = np.rint(np.rint(scaled * top) * (255.0 / top)).astype(np.uint8)
    grey[~keep] = 0
    return grey


def blinded_ct(volume: Volume, grid: Geometry, keep: np.ndarray) -> np.ndarray:
    """A CT in the common form: int16 HU, air outside ``keep``."""
    low, high = CT_RANGE_HU
    hu = resample(volume, grid, Interpolation.LINEAR, fill=low).array_kji
    result = np.clip(np.rint(hu), low, high).astype(np.int16)
    result[~keep] = low
    return result


def cut_slice(volume: Volume, plane: str, index: int) -> Volume:
    """One slice as a volume of one slice, in its own place."""
    axis = 2 - _PLANES[plane]
    array = np.take(volume.array_kji, [index], axis=axis)
    start = [0, 0, 0]
    start[_PLANES[plane]] = index
    x, y, z = volume.geometry.index_to_lps([start])[0]
    geometry = Geometry(array.shape[::-1], volume.geometry.spacing_mm, (float(x), float(y), float(z)))
    return Volume(array, geometry)


def slice_index(keep: np.ndarray, plane: str, fraction: float) -> int:
    """The slice at a part of the body's extent."""
    axis = 2 - _PLANES[plane]
    box = bounding_box(keep)
    assert box is not None
    first, last = box[axis].start, box[axis].stop - 1
    return int(round(first + fraction * (last - first)))


def _without_steps(volume: Volume, form: CommonForm, random: np.random.Generator) -> Volume:
    """An 8-bit image stretched to 256 levels leaves gaps in its histogram; a network's floats leave none."""
    array = volume.array_kji
    values = np.unique(_sampled(array))
    if values.size < 2:
        return volume
    span = float(np.subtract(*np.percentile(_sampled(array), [99.5, 0.5])))
    step = float(np.min(np.diff(values)))
    if step < 0.25 * span / form.levels:
        return volume
    spread = random.random(array.shape, dtype=np.float32)
    spread -= 0.5
    spread *= step
    # The lowest value is background as a rule; it stays, or its noise would be seen where nothing was measured.
    spread[array == array.min()] = 0.0
    return volume.with_array(array.astype(np.float32) + spread)


def _lowest(volume: Volume) -> float:
    return float(volume.array_kji.min())


def _sampled(array: np.ndarray) -> np.ndarray:
    flat = array.ravel()
    return flat[:: max(1, flat.size // _SAMPLE)]
