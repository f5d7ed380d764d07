"""Parts found from runs are those that scipy finds voxel by voxel, whatever the mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from MedUSISLib.imaging import connected_parts
from MedUSISLib.imaging.connected_parts import ConnectedParts, cross

masks = arrays(bool, array_shapes(min_dims=1, max_dims=3, max_side=7))


@settings(max_examples=60, deadline=None)
@given(mask=masks, seed=st.integers(0, 3), solid=st.booleans())
def test_parts_are_those_of_scipy(mask: np.ndarray, seed: int, solid: bool) -> None:
    last = mask.ndim - 1
    axes = [axis for axis in range(last) if seed >> axis & 1] + [last]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connected_parts, "_VOXELS_PER_RUN", 1 if solid else 1000)  # joined runs, or numbered voxels
        parts = ConnectedParts.of(mask, axes)
    numbers, count = ndimage.label(mask, cross(mask.ndim, axes))
    assert parts.count == count
    assert np.array_equal(parts.chosen(np.ones(count, bool)), mask)
    for one in range(count):
        voxels = parts.chosen(np.arange(count) == one)
        number = int(numbers[voxels][0])
        assert np.array_equal(voxels, numbers == number)
        assert parts.sizes[one] == np.count_nonzero(voxels)
        box = ndimage.find_objects(numbers)[number - 1]
        assert parts.extents[one].tolist() == [side.stop - side.start for side in box]
        for axis, side in enumerate(box):
            assert parts.at_faces([axis])[one] == (side.start == 0 or side.stop == mask.shape[axis])


def test_a_long_snake_is_one_part() -> None:
    snake = np.ones((1, 400, 31), bool)
    snake[0, 1::4, :-1] = snake[0, 3::4, 1:] = False  # each row hangs on the next by one end
    assert ConnectedParts.of(snake).count == 1
    snake[0, 201] = False
    assert ConnectedParts.of(snake).sizes.tolist() == [
        np.count_nonzero(snake[0, :201]),
        np.count_nonzero(snake[0, 202:]),
    ]


def test_rows_must_hang_together() -> None:
    with pytest.raises(ValueError, match="last axis"):
        ConnectedParts.of(np.ones((2, 2), bool), axes=[0])
