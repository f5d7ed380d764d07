"""Is the texture right? Power spectra of slices, their high-frequency part, and the checkerboard of upsampling.

All frequencies are in cycles per pixel (0.5 = Nyquist), so compared images must have the same pixel size.

References
----------
Welch, IEEE Trans. Audio Electroacoust. 15 (1967): averaged, windowed periodograms.
Odena, Dumoulin, Olah, Distill (2016), "Deconvolution and checkerboard artifacts".
Durall, Keuper, Keuper, CVPR (2020), "Watch your up-convolution": spectra of generated images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy import ndimage

HIGH_BAND = (0.25, 0.5)
"""The high-frequency band in cycles per pixel: structures of two to four pixels."""

BANDS = {"low": (0.02, 0.0625), "middle": (0.0625, 0.125), "fine": (0.125, 0.25), "high": HIGH_BAND}
"""Octaves (roughly) of the spectrum, in cycles per pixel."""

_PEAKS = {2: ((0.5, 0.0), (0.0, 0.5), (0.5, 0.5)), 4: ((0.25, 0.0), (0.0, 0.25), (0.25, 0.25))}

Slices = np.ndarray | Sequence[np.ndarray]


def radial_power_spectrum(slices: Slices, masks: Slices | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Power spectral density of slices, averaged over slices and over directions.

    Each slice has its weighted mean removed and is multiplied by a weight: a Hann window, and the mask, eroded by
    four pixels and tapered, where one is given. The power is divided by the weight's energy, so that it is variance
    per pixel and does not depend on how much of the frame the body fills. Without a mask the outline of the body and
    the empty frame are part of the spectrum.

    Parameters
    ----------
    slices : ndarray [N, H, W], ndarray [H, W] or sequence of [H, W]
        Intensities. Slices that are constant (empty) or whose mask is empty are left out.
    masks : same shape, optional
        Where the body is.

    Returns
    -------
    frequencies : ndarray [M]
        Centres of the bins in cycles per pixel, 0 to 0.5; M is half the smaller side.
    power : ndarray [M]
        Variance density; white noise of standard deviation s gives s**2 everywhere. All NaN when no slice is left.

    Raises
    ------
    ValueError
        If a slice is not two-dimensional or is smaller than 8 pixels, or when slices differ in size.
    """
    power = _mean_power(slices, masks)
    if power is None:
        return np.array([0.25]), np.array([np.nan])
    radius = _radius(power.shape)
    number = min(power.shape) // 2
    bins = np.minimum((radius * 2 * number).astype(np.intp), number)  # the corners beyond 0.5 fall into bin `number`
    total = np.bincount(bins.ravel(), power.ravel(), number + 1)[:number]
    count = np.bincount(bins.ravel(), minlength=number + 1)[:number]
    return (np.arange(number) + 0.5) / (2 * number), total / np.maximum(count, 1)


def band_power(slices: Slices, band: tuple[float, float] = HIGH_BAND, masks: Slices | None = None) -> float:
    """Mean power spectral density between two radial frequencies (cycles per pixel); NaN without a usable slice."""
    power = _mean_power(slices, masks)
    if power is None:
        return float("nan")
    radius = _radius(power.shape)
    return float(power[(radius >= band[0]) & (radius < band[1])].mean())


def high_frequency_ratio(
    synthetic: Slices,
    real: Slices,
    synthetic_masks: Slices | None = None,
    real_masks: Slices | None = None,
    band: tuple[float, float] = HIGH_BAND,
) -> float:
    """Power of synthetic slices over power of real slices in the high band (0.25 to 0.5 cycles per pixel).

    1 is as much fine detail as in real images, 0.125 eight times too weak (blurred), 2 twice too strong (noisy,
    checkerboard). It is a ratio of *powers*; the ratio of amplitudes is its square root.

    Parameters
    ----------
    synthetic, real : ndarray [N, H, W] or sequence of [H, W]
        Slices on the same intensity scale and pixel size; not necessarily of the same people, nor equally many.
    synthetic_masks, real_masks : same shapes, optional
        The body. Recommended: without them the amount of empty frame matters.
    band : (float, float)
        Radial frequencies in cycles per pixel.

    Returns
    -------
    float
        Ratio, NaN when either side has no usable slice.
    """
    reference = band_power(real, band, real_masks)
    made = band_power(synthetic, band, synthetic_masks)
    return made / reference if reference > 0 else float("nan")


def band_ratios(
    synthetic: Slices,
    real: Slices,
    synthetic_masks: Slices | None = None,
    real_masks: Slices | None = None,
) -> dict[str, float]:
    """`high_frequency_ratio` for each of `BANDS`: shows whether only the finest detail is missing or all contrast."""
    return {
        name: high_frequency_ratio(synthetic, real, synthetic_masks, real_masks, band) for name, band in BANDS.items()
    }


def checkerboard_index(slices: Slices, periods: Iterable[int] = (2, 4)) -> float:
    """How strongly a pattern with the period of the generator's upsampling stands out of the spectrum.

    The largest of `checkerboard_peaks`. About 1 for an image without such a pattern (real T1 slices: 0.9 to 1.7),
    above 3 a visible checkerboard.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(4, 64, 64))
    >>> board = (np.indices((64, 64)).sum(axis=0) % 2) - 0.5
    >>> checkerboard_index(noise) < 2 < 50 < checkerboard_index(noise + board)
    True
    """
    peaks = checkerboard_peaks(slices, periods)
    return max(peaks.values()) if peaks else float("nan")


def checkerboard_peaks(slices: Slices, periods: Iterable[int] = (2, 4)) -> dict[str, float]:
    """Power at the lattice frequencies of upsampling over the power around them.

    Parameters
    ----------
    slices : ndarray [N, H, W] or sequence of [H, W]
        Intensities, at least 32 x 32 pixels, in the generator's own grid (resampling moves the peaks).
    periods : iterable of int
        2 (the last upsampling: peaks at (1/2, 0), (0, 1/2), (1/2, 1/2) cycles per pixel) and 4 (the one before).

    Returns
    -------
    dict
        By peak, "period 2 rows" for instance: mean power of the 3 x 3 frequency bins there over that of the ring of
        bins five to nine away from it. Empty without a usable slice.
    """
    power = _mean_power(slices, None)
    if power is None:
        return {}
    height, width = power.shape
    if min(height, width) < 32:
        raise ValueError(f"a checkerboard needs slices of at least 32 x 32 pixels, not {height} x {width}")
    floor = 1e-12 * float(power.mean())  # zero-filled scans have next to nothing near Nyquist: 0 / 0
    ys, xs = np.arange(height), np.arange(width)
    result: dict[str, float] = {}
    for period in periods:
        for (fy, fx), name in zip(_PEAKS[period], ("rows", "columns", "diagonal"), strict=True):
            dy = _circular_distance(ys, round(fy * height), height)
            dx = _circular_distance(xs, round(fx * width), width)
            distance = np.maximum(dy[:, None], dx[None, :])
            peak = float(power[distance <= 1].mean())
            around = float(power[(distance >= 5) & (distance <= 9)].mean())
            result[f"period {period} {name}"] = (peak + floor) / (around + floor)
    return result


def _mean_power(slices: Slices, masks: Slices | None) -> np.ndarray | None:
    """Mean over slices of |FFT|**2 / sum(weight**2), [H, W] in FFT order; None when no slice is usable."""
    total: np.ndarray | None = None
    used = 0
    for image, mask in _pairs(slices, masks):
        if image.ndim != 2 or min(image.shape) < 8:
            raise ValueError(f"slices must be two-dimensional and at least 8 x 8 pixels, not {image.shape}")
        if total is not None and image.shape != total.shape:
            raise ValueError(f"all slices must have the same size: {image.shape} after {total.shape}")
        weight = np.outer(np.hanning(image.shape[0] + 2)[1:-1], np.hanning(image.shape[1] + 2)[1:-1])
        if mask is not None:
            weight = weight * _tapered(mask)
        energy = float((weight**2).sum())
        image = image.astype(np.float64)
        if energy < 1e-6 or np.ptp(image) == 0 or not np.isfinite(image).all():
            continue
        image = image - (image * weight).sum() / weight.sum()
        power = np.abs(np.fft.fft2(image * weight)) ** 2 / energy
        total = power if total is None else total + power
        used += 1
    return total / used if total is not None else None


def _pairs(slices: Slices, masks: Slices | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    images = [np.asarray(slices)] if getattr(slices, "ndim", 3) == 2 else slices
    if masks is None:
        for image in images:
            yield np.asarray(image), None
        return
    stack = [np.asarray(masks)] if getattr(masks, "ndim", 3) == 2 else masks
    for image, mask in zip(images, stack, strict=True):
        yield np.asarray(image), np.asarray(mask, dtype=bool)


def _tapered(mask: np.ndarray) -> np.ndarray:
    """The mask with soft edges inside itself: a sharp edge would write its own spectrum into the image's."""
    return np.asarray(ndimage.gaussian_filter(ndimage.binary_erosion(mask, iterations=4).astype(np.float64), 1.5))


def _radius(shape: tuple[int, ...]) -> np.ndarray:
    return np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :])


def _circular_distance(positions: np.ndarray, centre: int, size: int) -> np.ndarray:
    distance = np.abs(positions - centre % size)
    return np.minimum(distance, size - distance)
