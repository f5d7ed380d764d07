"""Growing, shrinking and filling are those of scipy.ndimage, for every mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from MedUSISLib.imaging.morphology import closed, dilated, eroded, filled, shrunk_by_box

AXES = [(0, 1, 2), (1, 2), (0, 2), (1,)]
masks = arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=7))


def cross(axes: tuple[int, ...]) -> np.ndarray:
    structure = np.zeros((3, 3, 3), bool)
    for axis in axes:
        structure[tuple(slice(None) if other == axis else 1 for other in range(3))] = True
    return structure


@settings(max_examples=40, deadline=None)
@given(mask=masks, iterations=st.integers(1, 4), axes=st.sampled_from(AXES), seed=st.integers(0, 9))
def test_grown_shrunk_and_closed_as_scipy_does_it(
    mask: np.ndarray, iterations: int, axes: tuple[int, ...], seed: int
) -> None:
    structure, before = cross(axes), mask.copy()
    within = np.random.default_rng(seed).random(mask.shape) < 0.6
    arguments = {"structure": structure, "iterations": iterations}
    assert np.array_equal(dilated(mask, iterations, axes), ndimage.binary_dilation(mask, **arguments))
    assert np.array_equal(
        dilated(mask, iterations, axes, within), ndimage.binary_dilation(mask, mask=within, **arguments)
    )
    for outside in (False, True):
        expected = ndimage.binary_erosion(mask, border_value=int(outside), **arguments)
        assert np.array_equal(eroded(mask, iterations, axes, outside), expected)
    assert np.array_equal(closed(mask, iterations, axes), ndimage.binary_closing(mask, **arguments))
    assert np.array_equal(mask, before)


@settings(max_examples=40, deadline=None)
@given(mask=masks, axes=st.sampled_from(AXES))
def test_filled_as_scipy_does_it(mask: np.ndarray, axes: tuple[int, ...]) -> None:
    # scipy fills in all directions: planes and rows are looked at one by one
    others = [axis for axis in range(3) if axis not in axes]
    expected = mask.copy()
    for place in np.ndindex(*(mask.shape[axis] for axis in others)):
        part: list[int | slice] = [slice(None)] * 3
        for axis, number in zip(others, place, strict=True):
            part[axis] = number
        expected[tuple(part)] = ndimage.binary_fill_holes(mask[tuple(part)])
    assert np.array_equal(filled(mask, axes), expected)


@settings(max_examples=40, deadline=None)
@given(mask=masks, half_widths=st.tuples(*[st.integers(0, 8)] * 3))
def test_a_box_continues_beyond_the_array_as_at_its_faces(
    mask: np.ndarray, half_widths: tuple[int, int, int]
) -> None:
    size = [2 * half_width + 1 for half_width in half_widths]
    expected = ndimage.minimum_filter(mask.view(np.uint8), size, mode="nearest").view(bool)
    assert np.array_equal(shrunk_by_box(mask, half_widths), expected)


@pytest.mark.parametrize("full", [False, True])
def test_empty_and_full_masks(full: bool) -> None:
    mask = np.full((3, 4, 5), full)
    for result in (dilated(mask, 2), filled(mask), shrunk_by_box(mask, (1, 1, 1)), eroded(mask, 1, outside=True)):
        assert np.array_equal(result, mask) and result is not mask
