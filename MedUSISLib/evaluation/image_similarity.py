"""How alike two images of the same person are: SSIM, PSNR and mean absolute error, on a fixed data range.

Only for a synthetic MR against a real, registered MR of the same person. The published work computed SSIM with a
data range of 255 on images in [0, 1]; that gives 0.9997 where the truth is 0.30, so the range has no default that
follows the dtype here.

References
----------
Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Process. 13 (2004): SSIM, with its Gaussian window.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Similarity:
    """``ssim`` in [-1, 1]; ``psnr_db`` ``None`` for identical images; ``mae`` in intensity units."""

    ssim: float | None
    psnr_db: float | None
    mae: float
    voxels: int

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, for JSON."""
        return asdict(self)


def image_similarity(
    image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None, data_range: float = 1.0
) -> Similarity:
    """SSIM, PSNR and MAE of an image against a reference.

    Parameters
    ----------
    image, reference : ndarray [H, W] or [k, j, i]
        Same shape and intensity scale. Of a volume, SSIM is computed slice by slice along axis 0 and averaged over
        voxels.
    mask : ndarray of bool, optional
        Where to average. Without it the empty frame counts, and lifts every measure.
    data_range : float
        Difference between the largest and smallest possible intensity: 1 for images in [0, 1], 1.2 for head T1.

    Returns
    -------
    Similarity
        ``ssim`` is ``None`` for slices smaller than the 11-pixel window.

    Raises
    ------
    ValueError
        If the shapes differ, the mask is empty or the data range is not positive.
    """
    image, reference = np.asarray(image), np.asarray(reference)
    if image.shape != reference.shape or image.ndim not in (2, 3):
        raise ValueError(f"image and reference must be 2D or 3D of the same shape: {image.shape}, {reference.shape}")
    if mask is not None and mask.shape != image.shape:
        raise ValueError(f"the mask must have the image's shape {image.shape}, not {mask.shape}")
    if data_range <= 0:
        raise ValueError("data_range must be positive")
    slices = [np.s_[:]] if image.ndim == 2 else list(range(image.shape[0]))
    absolute = square = similarity = 0.0
    voxels = ssim_voxels = 0
    for position in slices:
        a, b = image[position].astype(np.float64), reference[position].astype(np.float64)
        inside = np.ones(a.shape, bool) if mask is None else np.asarray(mask[position], bool)
        count = int(np.count_nonzero(inside))
        if count == 0:
            continue
        difference = (a - b)[inside]
        absolute += float(np.abs(difference).sum())
        square += float((difference**2).sum())
        voxels += count
        if min(a.shape) >= 11:
            similarity += float(_ssim_map(a, b, data_range)[inside].sum())
            ssim_voxels += count
    if voxels == 0:
        raise ValueError("the mask is empty")
    error = square / voxels
    return Similarity(
        ssim=similarity / ssim_voxels if ssim_voxels else None,
        psnr_db=float(10 * np.log10(data_range**2 / error)) if error > 0 else None,
        mae=absolute / voxels,
        voxels=voxels,
    )


def _ssim_map(a: np.ndarray, b: np.ndarray, data_range: float) -> np.ndarray:
    from skimage.metrics import structural_similarity

    _, full = structural_similarity(
        a, b, data_range=data_range, full=True, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return np.asarray(full)
