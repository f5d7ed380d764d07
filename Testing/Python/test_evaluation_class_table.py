"""Class means and their comparison: known answers, and that pieces give the same as the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation import class_table as module
from MedUSISLib.evaluation.class_table import ClassRow, class_table, compare_class_means

HEAD = load_schema("head")


def _row(name: str, mean: float, count: int = 500) -> ClassRow:
    return ClassRow(HEAD.index_of(name), name, name, count, mean, 0.1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 64, 1 << 22]))
@settings(max_examples=25, deadline=None)
def test_means_agree_with_numpy_whatever_the_piece_size(seed: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, (5, 4, 3))
    image = rng.normal(1000.0, 1.0, labels.shape).astype(np.float32)
    before = module._CHUNK
    module._CHUNK = chunk
    try:
        rows = class_table(image, labels, HEAD)
    finally:
        module._CHUNK = before
    for row in rows:
        values = image[labels == row.index].astype(np.float64)
        assert row.count == values.size
        if values.size:
            assert row.mean == pytest.approx(values.mean(), rel=1e-9)
            assert row.std == pytest.approx(values.std(), abs=1e-6)
        else:
            assert row.mean is None and row.std is None


def test_every_class_has_a_row_in_the_order_of_the_schema() -> None:
    rows = class_table(np.zeros((1, 2, 2)), np.zeros((1, 2, 2), int), HEAD)
    assert [row.name for row in rows] == list(HEAD.names)


def test_values_that_are_not_numbers_and_unknown_indices_are_left_out() -> None:
    image = np.array([np.nan, 0.5, 9.0, 0.7])
    labels = np.array([9, 9, 99, -1])
    row = class_table(image, labels, HEAD)[9]
    assert (row.count, row.mean) == (1, 0.5)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        class_table(np.zeros(3), np.zeros(4, int), HEAD)


def test_a_swap_of_bone_and_scalp_shows_in_error_and_correlation() -> None:
    means = {"skin": 0.4, "fat": 0.9, "cortical_bone": 0.1, "white_matter": 0.7, "cortex": 0.5}
    real = [_row(name, mean) for name, mean in means.items()]
    swapped = {**means, "fat": means["cortical_bone"], "cortical_bone": means["fat"]}
    result = compare_class_means(real, [_row(name, mean) for name, mean in swapped.items()])
    assert result["mean_error"] == pytest.approx(2 * 0.8 / 5)
    assert result["correlation"] < 0
    assert result["worst_class"] in ("fat", "cortical_bone")
    assert result["errors"]["cortical_bone"] == pytest.approx(0.8)


def test_identical_tables_have_no_error_and_full_correlation() -> None:
    rows = [_row(name, mean) for name, mean in {"skin": 0.4, "fat": 0.9, "csf": 0.1}.items()]
    result = compare_class_means(rows, rows)
    assert result["mean_error"] == 0
    assert result["correlation"] == pytest.approx(1)


def test_small_classes_and_background_do_not_count() -> None:
    real = [_row("background", 0.0), _row("eyes", 0.3, count=10), _row("csf", 0.2)]
    made = [_row("background", 0.0), _row("eyes", 0.9), _row("csf", 0.25)]
    result = compare_class_means(real, made, minimum_voxels=50)
    assert result["number_of_classes"] == 1
    assert result["mean_error"] == pytest.approx(0.05)
    assert result["correlation"] is None


def test_nothing_in_common_gives_no_figures_instead_of_an_error() -> None:
    result = compare_class_means([], [])
    assert result["mean_error"] is None and result["correlation"] is None and result["worst_class"] is None
