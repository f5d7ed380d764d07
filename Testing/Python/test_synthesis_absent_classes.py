"""What the generator could paint and the segmentation does not hold is said."""

from __future__ import annotations

import pytest

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.synthesis.absent_classes import absent_classes, absent_in_words

HEAD, TORSO = load_schema("head"), load_schema("torso")


def names(used: set[str], schema=HEAD) -> set[str]:
    return {label.name for label in absent_classes(used, schema)}


def test_a_whole_head_lacks_nothing() -> None:
    assert names(set(HEAD.names) - {"background", "brain"}) == set()


def test_an_abdomen_lacks_the_brain() -> None:
    found = names({"soft_tissue", "cortical_bone", "vessels", "brainstem"})  # the spinal cord counts as brainstem
    assert found == {"cortex", "white_matter", "deep_grey", "cerebellum", "eyes"}


def test_the_undivided_brain_stands_for_its_parts_and_is_not_named_beside_them() -> None:
    assert names({"brain", "vessels", "eyes"}) == set()
    assert "brain" not in names({"vessels"})


def test_what_is_filled_by_hu_is_not_absent() -> None:
    assert not names(set()) & {"air", "fat", "soft_tissue", "skin", "cortical_bone", "cancellous_bone"}
    assert "csf" in names(set()) and "csf" not in names({"cortex"})  # found near labelled brain only


def test_a_finer_class_stands_for_its_coarser_one() -> None:
    found = names({"duodenum", "sacrum", "pulmonary_artery"}, TORSO)
    assert not found & {"duodenum", "small_bowel", "sacrum", "vertebrae", "vessels"}
    assert "liver" in found


@pytest.mark.parametrize("written", ["White Matter", "white-matter"])
def test_names_may_be_written_otherwise(written: str) -> None:
    assert "white_matter" not in names({written})


def test_many_are_counted() -> None:
    words = absent_in_words(absent_classes(set(), TORSO))
    assert words.startswith("Kidney, ") and words.endswith(" more")
    assert "(" not in words
