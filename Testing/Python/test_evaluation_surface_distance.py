"""Surface distances: known shifts in mm, agreement with MONAI, and no number where none is defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedUSISLib.evaluation.surface_distance import hd95, mean_surface_distance, surface_points_mm

SPACING = (2.5, 0.8, 1.0)


def _box(shift: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    mask = np.zeros((16, 24, 24), bool)
    mask[4 + shift[0] : 10 + shift[0], 6 + shift[1] : 16 + shift[1], 6 + shift[2] : 16 + shift[2]] = True
    return mask


@given(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3)))
@settings(max_examples=15, deadline=None)
def test_the_hausdorff_distance_of_a_shifted_box_is_the_shift_in_mm(shift: tuple[int, int, int]) -> None:
    expected = float(np.linalg.norm(np.array(shift) * SPACING))
    assert hd95(_box(), _box(shift), SPACING, percentile=100) == pytest.approx(expected, abs=1e-4)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_it_is_symmetric_and_zero_for_the_same_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((2, 6, 7, 8)) > 0.6
    assert hd95(a, a, SPACING) == 0
    assert hd95(a, b, SPACING) == hd95(b, a, SPACING)


def test_an_outlier_counts_in_the_maximum_and_not_in_the_95th_percentile() -> None:
    other = _box()
    other[0, 0, 0] = True
    assert hd95(_box(), other, SPACING) == 0
    assert hd95(_box(), other, SPACING, percentile=100) > 5


def test_it_agrees_with_monai() -> None:
    torch = pytest.importorskip("torch")
    from monai.metrics import compute_hausdorff_distance

    rng = np.random.default_rng(3)
    a = np.pad(rng.random((8, 9, 10)) > 0.5, 2)
    b = np.pad(rng.random((8, 9, 10)) > 0.5, 2)
    pair = [torch.from_numpy(m[None, None].astype(np.float32)) for m in (a, b)]
    theirs = compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=SPACING)
    assert hd95(a, b, SPACING) == pytest.approx(float(theirs[0, 0]), abs=1e-3)


def test_an_empty_mask_has_no_distance() -> None:
    empty = np.zeros_like(_box())
    assert hd95(_box(), empty, SPACING) is None
    assert mean_surface_distance(empty, empty, SPACING) is None


def test_the_surface_is_what_touches_the_outside_by_a_face() -> None:
    assert len(surface_points_mm(_box(), SPACING)) == 6 * 10 * 10 - 4 * 8 * 8


def test_two_dimensional_masks_work() -> None:
    assert hd95(_box()[6], _box((0, 2, 0))[6], (0.8, 1.0), percentile=100) == pytest.approx(1.6)


def test_wrong_shapes_and_spacings_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        hd95(_box(), _box()[1:], SPACING)
    with pytest.raises(ValueError, match="voxel sizes"):
        hd95(_box(), _box(), (1.0, 1.0))
