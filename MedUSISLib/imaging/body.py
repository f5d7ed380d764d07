"""What of a CT is the patient: body mask, couch removal, and the artefact removal of the thesis (section 3.2.1)."""

from __future__ import annotations

import numpy as np

from MedUSISLib.imaging.grid import lps_order
from MedUSISLib.imaging.modality import AIR_HU, zero_exterior
from MedUSISLib.imaging.volume import Volume

# Half way between air and fat is -550; -300 keeps blankets, foam cushions and the couch's core out.
_TISSUE_HU = -300
# The search runs on about this spacing: shells of couches are thinner than twice the opening below.
_COARSE_MM = 2.0
_OPENING_MM = 4.0
# Arms beside the trunk are kept, a separate head holder is not.
_SMALLEST_PART = 0.1


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
    from scipy.ndimage import binary_dilation, binary_fill_holes, label

    iterations = [
        int(round(_OPENING_MM / s)) if n > 1 else 0 for s, n in zip(spacing_kji, tissue.shape, strict=True)
    ]
    core = _eroded(tissue, iterations)
    if not core.any():
        core = tissue
    parts, count = label(core)
    if count == 0:
        return tissue
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    core = (sizes >= _SMALLEST_PART * sizes.max())[parts]
    # Back over what the opening took (nose, ears, fingers), but not far along a couch that touches the back.
    body = binary_dilation(core, iterations=max(iterations) + 2, mask=tissue)
    moved = np.moveaxis(body, superior, 0)
    for plane in moved:
        plane[...] = binary_fill_holes(plane)
    return binary_fill_holes(body) if min(body.shape) > 2 else body


def _eroded(mask: np.ndarray, iterations: list[int]) -> np.ndarray:
    """Erosion by a box of a given half width per axis; the volume's faces count as inside (bodies are cut there)."""
    from scipy.ndimage import minimum_filter1d

    result = mask.view(np.uint8)
    for axis, n in enumerate(iterations):
        if n > 0:
            result = minimum_filter1d(result, 2 * n + 1, axis=axis, mode="nearest")
    return result.astype(bool)


def _refined(ct: Volume, coarse: np.ndarray, steps: list[int], threshold_hu: float, zero_outside: bool) -> np.ndarray:
    """The coarse body with the outline of the full resolution: sure inside, or tissue near the coarse body."""
    array = ct.array_kji
    if max(steps) == 1:
        return coarse
    from scipy.ndimage import binary_dilation, binary_erosion

    structure = np.zeros((3, 3, 3), dtype=bool)
    structure[1, 1, :] = structure[1, :, 1] = structure[:, 1, 1] = True
    for axis in range(3):
        if steps[axis] == 1:
            structure.swapaxes(0, axis)[[0, 2]] = False
    structure[1, 1, 1] = True
    near = binary_dilation(coarse, structure)
    sure = binary_erosion(coarse, structure, border_value=1)
    result = np.empty(array.shape, dtype=bool)
    j = np.arange(array.shape[1]) // steps[1]
    i = np.arange(array.shape[2]) // steps[2]
    window = np.ix_(j, i)
    for k in range(array.shape[0]):
        plane = array[k] > threshold_hu
        if zero_outside:
            plane &= array[k] != 0
        result[k] = (plane & near[k // steps[0]][window]) | sure[k // steps[0]][window]
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
