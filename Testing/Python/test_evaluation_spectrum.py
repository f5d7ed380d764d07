"""Spectra: white noise has its variance everywhere, blur lowers the high band, upsampling patterns stand out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedUSISLib.evaluation.spectrum import (
    band_ratios,
    checkerboard_index,
    checkerboard_peaks,
    high_frequency_ratio,
    radial_power_spectrum,
)


def _noise(seed: int = 0, shape: tuple[int, ...] = (6, 64, 64)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@given(st.floats(0.1, 10.0))
@settings(max_examples=10, deadline=None)
def test_white_noise_has_its_variance_at_every_frequency(deviation: float) -> None:
    frequencies, power = radial_power_spectrum(_noise() * deviation)
    assert frequencies[0] > 0 and frequencies[-1] < 0.5
    assert np.median(power) == pytest.approx(deviation**2, rel=0.15)


def test_the_power_does_not_depend_on_how_much_of_the_frame_the_body_fills() -> None:
    noise = _noise(shape=(8, 96, 96))
    ratios = []
    for radius in (20, 40):
        y, x = np.ogrid[-48:48, -48:48]
        mask = np.broadcast_to(y**2 + x**2 < radius**2, noise.shape)
        ratios.append(high_frequency_ratio(noise * mask, noise, mask, None))
    assert ratios == pytest.approx([1, 1], rel=0.25)


@given(st.floats(0.2, 5.0), st.floats(-10, 10))
@settings(max_examples=15, deadline=None)
def test_the_ratio_is_of_powers_and_ignores_brightness(scale: float, offset: float) -> None:
    assert high_frequency_ratio(_noise() * scale + offset, _noise()) == pytest.approx(scale**2, rel=1e-6)


def test_blur_takes_the_high_band_first() -> None:
    sharp = _noise()
    ratios = band_ratios(ndimage.gaussian_filter(sharp, (0, 1, 1)), sharp)
    assert ratios["high"] < ratios["fine"] < ratios["middle"] < ratios["low"]
    assert ratios["high"] < 0.1
    assert ratios["low"] > 0.8


@pytest.mark.parametrize(
    ("pattern", "peak"),
    [
        (lambda y, x: y % 2, "period 2 rows"),
        (lambda y, x: x % 2, "period 2 columns"),
        (lambda y, x: (x + y) % 2, "period 2 diagonal"),
        (lambda y, x: np.cos(np.pi * y / 2), "period 4 rows"),
    ],
)
def test_a_pattern_of_the_upsampling_stands_out_at_its_own_peak(pattern, peak: str) -> None:
    y, x = np.indices((64, 64))
    peaks = checkerboard_peaks(_noise() + pattern(y, x))
    assert max(peaks, key=lambda name: peaks[name]) == peak
    assert peaks[peak] > 20


def test_a_smooth_image_and_noise_have_no_checkerboard() -> None:
    assert checkerboard_index(_noise(shape=(12, 64, 64))) < 2
    assert checkerboard_index(ndimage.gaussian_filter(_noise(shape=(12, 64, 64)), (0, 2, 2))) < 2


def test_zeros_between_the_samples_show_as_soon_as_the_image_has_a_mean() -> None:
    board = np.zeros((6, 64, 64))
    board[:, ::2, ::2] = 3 + _noise(shape=(6, 32, 32))  # a transposed convolution whose kernel covers unevenly
    assert checkerboard_index(board) > 5


def test_one_slice_is_enough_and_empty_ones_are_left_out() -> None:
    slices = np.concatenate([_noise(shape=(1, 64, 64)), np.zeros((3, 64, 64))])
    assert high_frequency_ratio(slices, slices[0]) == pytest.approx(1)
    assert np.isnan(high_frequency_ratio(np.zeros((2, 64, 64)), slices))
    assert np.isnan(checkerboard_index(np.zeros((2, 64, 64))))


def test_slices_of_different_size_and_tiny_slices_are_refused() -> None:
    with pytest.raises(ValueError, match="same size"):
        radial_power_spectrum([_noise()[0], _noise(shape=(32, 32))])
    with pytest.raises(ValueError, match="at least 8"):
        radial_power_spectrum(_noise(shape=(2, 4, 4)))
    with pytest.raises(ValueError, match="32 x 32"):
        checkerboard_index(_noise(shape=(2, 16, 16)))
