"""Intensity scales and the bias field."""

from __future__ import annotations

import numpy as np
import pytest
from imaging_phantom import geometry_about

from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.bias_field import n4
from MedUSISLib.imaging.scaling import (
    from_network,
    min_max,
    percentile_scale,
    scale_to_white_matter,
    to_network,
    window,
)
from MedUSISLib.imaging.volume import Volume

RNG = np.random.default_rng(0)


def test_min_max_is_equation_3_8():
    x = RNG.integers(-1000, 3000, (4, 5, 6)).astype(np.int16)
    for low, high in [(0, 1), (-1, 1), (5, 2)]:
        expected = (x - x.min()) / (float(x.max()) - x.min()) * (high - low) + low
        np.testing.assert_allclose(min_max(x, low, high), expected, atol=1e-5)
    assert (min_max(np.full((2, 2), 7)) == 0).all()


def test_window_clips_and_keeps_float32():
    x = np.array([-1024, -160, 40, 240, 3000], np.int16)
    result = window(x, -160, 240)
    np.testing.assert_allclose(result, [0, 0, 0.5, 1, 1])
    assert result.dtype == np.float32


def test_percentiles_are_of_the_mask_and_ignore_single_bright_voxels():
    x = RNG.uniform(100, 200, (10, 40, 40)).astype(np.float32)
    mask = np.zeros(x.shape, bool)
    mask[:, 10:30, 10:30] = True
    x[~mask] = 0
    x[5, 20, 20] = 1e6
    scaled = percentile_scale(x, mask, 1, 99)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert np.median(scaled[mask]) == pytest.approx(0.5, abs=0.03)


def test_white_matter_lands_on_its_target():
    t1 = RNG.normal(100, 5, (8, 20, 20)).astype(np.float32)
    t1[:, :5] = 900
    wm = np.zeros(t1.shape, bool)
    wm[:, 10:] = True
    head = np.ones(t1.shape, bool)
    head[:, :, 0] = False
    scaled = scale_to_white_matter(t1, wm, head_mask=head)
    assert np.median(scaled[wm & head]) == pytest.approx(0.7, abs=0.005)
    assert scaled.max() == pytest.approx(1.2)
    assert (scaled[~head] == 0).all()
    assert scaled.dtype == np.float32


def test_an_empty_or_black_white_matter_is_named():
    t1 = np.zeros((3, 3, 3), np.float32)
    for wm in (np.zeros(t1.shape, bool), np.ones(t1.shape, bool)):
        with pytest.raises(MedUSISError):
            scale_to_white_matter(t1, wm)


def test_network_range_goes_there_and_back():
    x = np.linspace(0, 1.2, 50, dtype=np.float32)
    there = to_network(x, 0.0, 1.2)
    assert (there[0], there[-1]) == (-1, 1)
    np.testing.assert_allclose(from_network(there, 0.0, 1.2), x, atol=1e-6)
    assert to_network(np.array([5.0]), 0.0, 1.2) == 1


def test_n4_flattens_shading_and_keeps_the_level():
    geometry = geometry_about((0, 0, 0), (48, 48, 24), (2.0, 2.0, 2.0))
    k, j, i = np.indices(geometry.shape_kji)
    mask = (j - 24) ** 2 + (i - 24) ** 2 < 20**2
    shading = np.exp(0.5 * (i - 24) / 24)
    clean = np.where(mask, 100.0, 0.0) + RNG.normal(0, 1, mask.shape) * mask
    corrected = n4(Volume((clean * shading).astype(np.float32), geometry), mask, shrink=2)
    before, after = ((v[mask]).std() / v[mask].mean() for v in (clean * shading, corrected.array_kji))
    assert after < 0.4 * before
    assert np.median(corrected.array_kji[mask]) == pytest.approx(np.median((clean * shading)[mask]), rel=1e-3)
    assert corrected.geometry is geometry
    assert corrected.array_kji.dtype == np.float32


def test_n4_works_on_few_slices():
    geometry = geometry_about((0, 0, 0), (48, 48, 3), (2.0, 2.0, 6.0))
    volume = Volume(RNG.uniform(90, 110, geometry.shape_kji).astype(np.float32), geometry)
    assert np.isfinite(n4(volume).array_kji).all()
