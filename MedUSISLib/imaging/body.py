"""What of a CT is the patient: body mask, couch removal, and the artefact removal of the thesis (section 3.2.1)."""

from __future__ import annotations

import numpy as np

from MedUSISLib.imaging.connected_parts import ConnectedParts
from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.imaging.grid import lps_order
from MedUSISLib.imaging.modality import AIR_HU, zero_exterior
from MedUSISLib.imaging.morphology import closed, dilated, eroded, filled, shrunk_by_box
from MedUSISLib.imaging.volume import Volume

# Half way between air and fat is -550; -300 keeps blankets, foam cushions and the couch's core out.
_TISSUE_HU = -300
# The search runs on about this spacing: shells of couches are thinner than twice the opening below.
_COARSE_MM = 2.0
_OPENING_MM = 4.0
# Nostrils and ear canals are narrower than twice this.
_CLOSING_MM = 5.0
# How far thin tissue is followed from the thick core: the nose with the bones behind it.
_REACH_MM = 40.0
# An ear is shorter; what is left of couches, straps and streaks is longer.
_LONGEST_THIN_PART_MM = 60.0
# Arms beside the trunk are kept, a separate head holder is not.
_SMALLEST_PART = 0.1
_IN_PLANE = (1, 2)
# Planes are filled so many voxels at a time: what goes over them again and again then stays in the processor's cache.
_VOXELS_AT_ONCE = 1 << 19


def body_mask(ct: Volume, threshold_hu: float = _TISSUE_HU) -> np.ndarray:
    """The patient, with air inside (lungs, sinuses, bowel) and without couch, head holder and clothes.

    Threshold, opening by 4 mm (a couch is a thin shell, bodies are thick), largest component and those of at least a
    tenth of it, back to the tissue that was opened away, holes filled slice by slice. The components are found at
    about 2 mm; the outline is that of the full resolution.

    Parameters
    ----------
    ct : Volume
        In HU. Padding of any value below the threshold and a constant 0 outside the body are air.
    threshold_hu : float
        Tissue is above.

    Returns
    -------
    bool array [k, j, i]
        All false when nothing is above the threshold.
    """
    array, spacing = ct.array_kji, ct.geometry.spacing_mm
    steps = [max(1, int(_COARSE_MM / spacing[2 - axis] + 1e-3)) for axis in range(3)]
    steps = [min(step, n) for step, n in zip(steps, array.shape, strict=True)]
    coarse_array = array[:: steps[0], :: steps[1], :: steps[2]]
    tissue = coarse_array > threshold_hu
    exterior = zero_exterior(coarse_array)
    if exterior is not None:
        tissue &= ~exterior
    coarse_spacing = [spacing[2 - axis] * steps[axis] for axis in range(3)]
    superior = 2 - lps_order(ct.geometry)[0][2]
    coarse = _body_of_tissue(tissue, coarse_spacing, superior)
    return _refined(ct, coarse, steps, threshold_hu, zero_outside=exterior is not None)


def _body_of_tissue(tissue: np.ndarray, spacing_kji: list[float], superior: int) -> np.ndarray:
    """The body among everything that is dense; all on the coarse grid."""
    box = bounding_box(tissue)
    if box is None:
        return tissue
    finest = min(s for s, n in zip(spacing_kji, tissue.shape, strict=True) if n > 1 or max(tissue.shape) == 1)
    half_widths = [round(_OPENING_MM / s) if n > 1 else 0 for s, n in zip(spacing_kji, tissue.shape, strict=True)]
    deep = min(tissue.shape) > 2
    result = np.zeros_like(tissue)
    # one voxel of air around the box says what lies beyond it
    around = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
    result[around] = _body_in_box(
        np.ascontiguousarray(tissue[around]), spacing_kji, superior, half_widths, finest, deep
    )
    return result


def _body_in_box(
    tissue: np.ndarray, spacing_kji: list[float], superior: int, half_widths: list[int], finest: float, deep: bool
) -> np.ndarray:
    """The same for the tissue with no more air around it than needed; ``half_widths`` of the opening."""
    rounds = max(1, max(half_widths)) + 1
    in_plane = min(s for axis, s in enumerate(spacing_kji) if axis != superior)
    closing = max(1, round(_CLOSING_MM / in_plane))
    core = _main_parts(shrunk_by_box(tissue, half_widths))
    if not core.any():
        core = _main_parts(tissue)
    # Thin bone before the sinuses, the nose and the ears are behind the opening; so is a shell that touches the skin.
    reach = dilated(core, round(_REACH_MM / finest), within=tissue)
    solid = _filled(reach, superior, closing, deep)
    # Filled, a face is thick and a patch of a shell still thin: the second opening tells them apart.
    solid_core = _main_parts(shrunk_by_box(solid, half_widths))
    if not solid_core.any():
        return solid
    body = dilated(solid_core, rounds, within=solid)
    return _filled(_with_thin_parts(body, reach, spacing_kji), superior, closing, deep)


def _main_parts(mask: np.ndarray) -> np.ndarray:
    """The largest component and those of at least a tenth of its size."""
    box = bounding_box(mask)
    if box is None:
        return mask
    parts = ConnectedParts.of(mask[box])
    sizes = parts.sizes
    result = np.zeros_like(mask)
    result[box] = parts.chosen(sizes >= _SMALLEST_PART * sizes.max())
    return result


def _with_thin_parts(body: np.ndarray, reach: np.ndarray, spacing_kji: list[float]) -> np.ndarray:
    """Adds what the opening took away from the body and is small: tip of the nose, ears, fingers."""
    thin = reach & ~body
    box = bounding_box(thin)
    if box is None:
        return body
    parts = ConnectedParts.of(thin[box])
    length_mm = (parts.extents * spacing_kji).max(axis=1)
    result = body.copy()
    result[box] |= parts.chosen(length_mm <= _LONGEST_THIN_PART_MM)
    return result


def _filled(mask: np.ndarray, superior: int, closing: int, deep: bool) -> np.ndarray:
    """Air inside the body filled, in axial slices and then, unless there are few slices, in space (``deep``)."""
    planes = np.moveaxis(mask, superior, 0)
    result = np.empty(planes.shape, bool)
    together = max(1, _VOXELS_AT_ONCE // max(1, planes[0].size))
    for first in range(0, len(planes), together):
        part = slice(first, first + together)
        result[part] = _filled_planes(planes[part], closing)
    result = np.moveaxis(result, 0, superior)
    return filled(result) if deep else result


def _filled_planes(planes: np.ndarray, closing: int) -> np.ndarray:
    """Air inside each plane filled, also where a passage up to twice ``closing`` wide (nostril, ear canal) leads out.

    Closing also rounds off the folds of the skin, which are outside: only what it enclosed counts, grown back.
    """
    margin = closing + 1
    padded = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)))
    bridged = closed(padded, closing, _IN_PLANE)
    whole = filled(bridged, _IN_PLANE)
    holes = whole & ~bridged
    result = padded | filled(padded, _IN_PLANE)
    if holes.any():
        result |= dilated(holes, closing, _IN_PLANE, within=whole)
    return result[:, margin:-margin, margin:-margin]


def _refined(ct: Volume, coarse: np.ndarray, steps: list[int], threshold_hu: float, zero_outside: bool) -> np.ndarray:
    """The coarse body with the outline of the full resolution: sure inside, or tissue near the coarse body."""
    array = ct.array_kji
    if max(steps) == 1:
        return coarse
    axes = [axis for axis, step in enumerate(steps) if step > 1]
    near, sure = dilated(coarse, 1, axes), eroded(coarse, 1, axes, outside=True)
    result = np.empty(array.shape, dtype=bool)
    rows, columns = array.shape[1:]
    for k in range(array.shape[0]):
        if k % steps[0] == 0:
            around, inside = (
                part[k // steps[0]].repeat(steps[2], axis=1).repeat(steps[1], axis=0)[:rows, :columns]
                for part in (near, sure)
            )
        plane = result[k]
        np.greater(array[k], threshold_hu, out=plane)
        if zero_outside:
            plane &= array[k] != 0
        plane &= around
        plane |= inside
    return result


def remove_couch(ct: Volume, margin_mm: float = 3.0, mask: np.ndarray | None = None) -> Volume:
    """The CT with air (-1024 HU) wherever the patient is not.

    Parameters
    ----------
    ct : Volume
        In HU.
    margin_mm : float
        This much around the body is kept, so that the skin's gradual edge stays as measured.
    mask : bool array, optional
        The body, when it is known already.
    """
    from scipy.ndimage import binary_dilation

    if mask is None:
        mask = body_mask(ct)
    array = ct.array_kji.copy()
    rounds = max(1, round(margin_mm / min(ct.geometry.spacing_mm[:2])))
    for k in range(array.shape[0]):
        if mask[k].any():
            array[k][~binary_dilation(mask[k], iterations=rounds)] = AIR_HU
        else:
            array[k] = AIR_HU
    return ct.with_array(array)


def remove_artifacts(slice_or_volume: np.ndarray, threshold: float = 45, min_area: int = 1000) -> np.ndarray:
    """Keep the significant regions of grey-value slices; everything else becomes 0 (thesis, section 3.2.1).

    Values above ``threshold`` are foreground; 4-connected regions of fewer than ``min_area`` pixels are dropped; the
    slice is multiplied by the mask of the rest. A volume [k, j, i] is treated slice by slice. This is the published
    form for 8-bit pictures; for HU use ``remove_couch``.

    Examples
    --------
    >>> picture = np.zeros((40, 60), np.uint8); picture[:, :30] = 200; picture[5, 50] = 99
    >>> kept = remove_artifacts(picture)
    >>> int(kept[5, 5]), int(kept[5, 50])
    (200, 0)
    """
    from scipy.ndimage import label

    if slice_or_volume.ndim == 3:
        return np.stack([remove_artifacts(plane, threshold, min_area) for plane in slice_or_volume])
    regions, _ = label(slice_or_volume > threshold)
    areas = np.bincount(regions.ravel())
    keep = areas >= min_area
    keep[0] = False
    return slice_or_volume * keep[regions].astype(slice_or_volume.dtype)
