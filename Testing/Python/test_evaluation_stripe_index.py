"""The stripe index: one for isotropic texture, grows with flicker, blind to anatomy when labels are given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedUSISLib.evaluation.stripe_index import slice_flicker, stripe_index


def _texture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(24, 24, 24)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_isotropic_texture_has_index_one_along_every_axis(axis: int) -> None:
    assert stripe_index(_texture(), slice_axis=axis) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flicker_raises_the_index_of_its_own_axis_only(axis: int) -> None:
    shape = [1, 1, 1]
    shape[axis] = 24
    volume = _texture() + 4 * np.random.default_rng(1).normal(size=shape)
    values = [stripe_index(volume, slice_axis=a) for a in range(3)]
    assert int(np.argmax(values)) == axis and values[axis] > 2
    assert all(v < 1.2 for a, v in enumerate(values) if a != axis)


@given(st.floats(0.01, 100), st.floats(-100, 100))
@settings(max_examples=10, deadline=None)
def test_scale_and_offset_do_not_matter(scale: float, offset: float) -> None:
    volume = _texture().astype(np.float64)
    assert stripe_index(volume * scale + offset) == pytest.approx(stripe_index(volume), rel=1e-2)


def test_with_labels_a_step_of_anatomy_does_not_count() -> None:
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[12:] = 1
    volume = _texture() + 100 * labels
    assert stripe_index(volume) > 3
    assert stripe_index(volume, labels=labels) == pytest.approx(1, abs=0.05)


def test_only_pairs_inside_the_mask_count() -> None:
    volume, mask = _texture(), np.zeros((24, 24, 24), bool)
    mask[4:20, 4:20, 4:20] = True
    volume[~mask] = 1e6
    assert stripe_index(volume, mask) == pytest.approx(1, abs=0.08)


def test_a_single_slice_a_flat_volume_and_an_empty_mask_have_no_index() -> None:
    assert stripe_index(_texture()[:1]) is None
    assert stripe_index(np.ones((4, 4, 4))) is None
    assert stripe_index(_texture(), np.zeros((24, 24, 24), bool)) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_flicker_is_the_deviation_of_whole_slices(axis: int) -> None:
    shape = [40, 40, 40]
    volume = 0.05 * np.random.default_rng(0).normal(size=shape)
    jumps = [1, 1, 1]
    jumps[axis] = 40
    volume += 0.02 * np.random.default_rng(1).normal(size=jumps)
    values = [slice_flicker(volume, slice_axis=a) for a in range(3)]
    assert values[axis] == pytest.approx(0.02, rel=0.35)
    assert all(v < 0.004 for a, v in enumerate(values) if a != axis)


def test_a_slow_trend_is_not_flicker() -> None:
    volume = _texture() * 0.01 + np.linspace(0, 5, 24)[:, None, None]
    assert slice_flicker(volume) < 0.002


def test_anatomy_does_not_flicker_when_labels_are_given() -> None:
    labels = np.zeros((24, 24, 24), np.uint8)
    labels[9:13, 4:20] = 1
    volume = 0.01 * _texture() + labels
    assert slice_flicker(volume) > 0.1
    assert slice_flicker(volume, labels=labels) < 0.002


def test_two_slices_have_no_flicker() -> None:
    assert slice_flicker(_texture()[:2]) is None
