"""Dice of masks and label maps, and when fine classes are compared as their coarse partner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.dice import confusion_matrix, dice, dice_per_class

HEAD = load_schema("head")
MASKS = hnp.arrays(bool, (3, 4, 5))


@given(MASKS, MASKS)
def test_dice_is_symmetric_and_between_zero_and_one(first: np.ndarray, second: np.ndarray) -> None:
    value = dice(first, second)
    assert value == dice(second, first)
    assert value is None or 0 <= value <= 1
    assert (value is None) == (not first.any() and not second.any())


@given(MASKS)
def test_a_mask_agrees_with_itself(mask: np.ndarray) -> None:
    assert dice(mask, mask) == (1 if mask.any() else None)


def test_half_overlap_is_one_half() -> None:
    assert dice(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0])) == 0.5


def test_confusion_matrix_counts_pairs_and_checks_the_range() -> None:
    matrix = confusion_matrix(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2]), 3)
    assert matrix.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match="between 0 and 1"):
        confusion_matrix(np.array([0, 2]), np.array([0, 0]), 2)


def _by_name(reference: list[str], predicted: list[str]) -> dict[str, float | None]:
    a = np.array([HEAD.index_of(name) for name in reference], np.uint8)
    b = np.array([HEAD.index_of(name) for name in predicted], np.uint8)
    return {row.name: row.dice for row in dice_per_class(a, b, HEAD)}


def test_fine_labels_are_compared_class_by_class() -> None:
    names = ["cortex", "white_matter", "skin", "soft_tissue", "fat", "cancellous_bone", "cortical_bone"]
    assert set(_by_name(names, names).values()) == {1.0}
    assert set(_by_name(names, names)) == set(names)


def test_an_undivided_brain_is_compared_as_brain_only() -> None:
    result = _by_name(["brain", "brain", "white_matter", "csf"], ["cortex", "white_matter", "white_matter", "csf"])
    assert result == {"brain": 1.0, "csf": 1.0}


def test_a_reference_without_skin_counts_skin_as_soft_tissue() -> None:
    result = _by_name(["soft_tissue", "soft_tissue", "fat"], ["skin", "soft_tissue", "fat"])
    assert result == {"soft_tissue": 1.0, "fat": 1.0}


def test_bone_without_marrow_is_compared_as_one() -> None:
    assert _by_name(["cortical_bone"] * 2, ["cortical_bone", "cancellous_bone"]) == {"cortical_bone": 1.0}


def test_the_row_says_what_was_merged() -> None:
    a = np.array([HEAD.index_of("brain")] * 2)
    b = np.array([HEAD.index_of("cortex"), HEAD.index_of("csf")])
    row = dice_per_class(a, b, HEAD)[0]
    assert "cortex" in row.includes and row.dice == pytest.approx(2 / 3)
