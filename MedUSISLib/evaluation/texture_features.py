"""Ten numbers for every patch of a slice, its brightness and its detail at three sizes, without a trained network.

A patch is described by its mean and by the logarithm of the strength of the Haar transform's three detail bands at
three scales (structures of 2, 4 and 8 pixels): the first moments of a wavelet scattering (Bruna, Mallat, IEEE TPAMI 35
(2013)), or, in radiology's words, first-order features of wavelet bands, whose Frechet distance is steadier on few
images than that of a network's features (Konz, Osuala et al., "Frechet radiomic distance", arXiv:2412.01496).

They were chosen over the pooled features of `head-seg`'s encoder by measurement (docs/training.md, "Validation"): that
network was trained not to see noise and blur, and its features of two halves of one head's patches lie further apart
than those of a head and of its blurred copy.
"""

from __future__ import annotations

import numpy as np

PATCH = 32
"""Side of a patch in pixels; small enough that a slice of a head gives about sixteen."""

SCALES = 3

_FAINT = 1e-5
"""Added to a band's power: detail below 0.003 (white matter is 0.7) is no detail."""


def texture_features(slices: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Features of all patches that lie at least half in the body.

    Parameters
    ----------
    slices : ndarray [N, H, W]
        Intensities, white matter = 0.7.
    masks : ndarray of bool [N, H, W]
        The body.

    Returns
    -------
    ndarray of float64 [M, 10]
        No row when no patch holds enough of the body.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    slices, masks = np.asarray(slices), np.asarray(masks, bool)
    if slices.ndim != 3 or slices.shape != masks.shape:
        raise ValueError(f"slices and masks [N, H, W] of one shape: {slices.shape}, {masks.shape}")
    slices, masks = _whole_patches(slices), _whole_patches(masks)
    # Taken together slice by slice, so that the bands of a large set are never held at once.
    rows = [
        _patches(one)[_means(mask.astype(np.float64), PATCH) >= 0.5] for one, mask in zip(slices, masks, strict=True)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, 1 + 3 * SCALES))


def _patches(image: np.ndarray) -> np.ndarray:
    import torch

    from MedUSISLib.networks.haar import haar_forward

    low = torch.from_numpy(np.nan_to_num(image.astype(np.float64)))[None, None]
    columns = [_means(low[0, 0].numpy(), PATCH)]
    for scale in range(SCALES):
        bands = haar_forward(low)[0].numpy()
        columns += [0.5 * np.log(_means(band**2, PATCH >> (scale + 1)) + _FAINT) for band in bands[1:]]
        low = torch.from_numpy(bands[:1] / 2)[None]
    return np.stack(columns, axis=-1)


def _means(image: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (size // side for size in image.shape)
    return image.reshape(rows, side, columns, side).mean((1, 3))


def _whole_patches(stack: np.ndarray) -> np.ndarray:
    """Cut about the middle to a multiple of the patch."""
    parts = []
    for size in stack.shape[1:]:
        kept = size // PATCH * PATCH
        first = (size - kept) // 2
        parts.append(slice(first, first + kept))
    return stack[:, parts[0], parts[1]]
