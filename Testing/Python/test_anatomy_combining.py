"""Several label maps become one by the documented precedence; classes merge; tools are guessed only without doubt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.anatomy.combining import combine
from MedUSISLib.anatomy.guessing import guess_mapping
from MedUSISLib.anatomy.mapping import LabelMapping, MappingEntry, load_mapping, mask_mapping
from MedUSISLib.anatomy.merging import merge_classes, merge_groups
from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.anatomy.segment_names import mapping_from_names
from MedUSISLib.errors import ErrorCode, MedUSISError

HEAD = load_schema("head")
TORSO = load_schema("torso")
TOTAL = load_mapping("totalsegmentator", TORSO)
TISSUE = load_mapping("totalsegmentator_tissue_types", TORSO)

_layer = st.lists(st.integers(0, 117), min_size=6, max_size=6).map(np.array)


def _names(indices):
    return [TORSO.names[index] for index in indices]


def test_later_source_wins_and_background_never_does():
    tissue = np.array([1, 3, 3, 0])
    organs = np.array([0, 5, 0, 0])
    skin = np.array([1, 0, 0, 0])
    combined = combine([(tissue, TISSUE), (organs, TOTAL), (skin, mask_mapping("skin", TORSO))])
    assert _names(combined) == ["skin", "liver", "skeletal_muscle", "background"]


def test_layers_of_one_segmentation_follow_the_rows_not_the_order_of_the_layers():
    liver, aorta = np.array([5, 5, 0]), np.array([0, 52, 52])
    for layers in ([liver, aorta], [aorta, liver]):
        assert _names(combine([(layer, TOTAL) for layer in layers])) == ["liver", "vessels", "vessels"]


@given(st.permutations(range(3)), st.tuples(_layer, _layer, _layer))
def test_order_of_layers_never_matters(order, layers):
    reference = combine([(layer, TOTAL) for layer in layers])
    assert np.array_equal(combine([(layers[number], TOTAL) for number in order]), reference)


@given(_layer)
def test_one_source_is_just_mapped(values):
    assert np.array_equal(combine([(values, TOTAL)]), TOTAL.apply(values))


@given(_layer, st.lists(st.integers(0, 4), min_size=6, max_size=6).map(np.array))
def test_combining_two_sources_paints_the_second_over_the_first(organs, tissue):
    combined = combine([(tissue, TISSUE), (organs, TOTAL)])
    above = TOTAL.apply(organs)
    assert np.array_equal(combined, np.where(above > 0, above, TISSUE.apply(tissue)))


def test_unmapped_values_are_an_error_or_lose_against_every_known_one():
    known, strange = np.array([80, 0]), np.array([500, 500])
    with pytest.raises(MedUSISError, match="500"):
        combine([(known, TOTAL), (strange, TOTAL)])
    assert _names(combine([(known, TOTAL), (strange, TOTAL)], unmapped="fat")) == ["skeletal_muscle", "fat"]


def test_value_zero_can_be_given_a_class():
    mapping = LabelMapping("inverted", HEAD, (MappingEntry(0, "outside", "air"), MappingEntry(1, "hole", "background")))
    assert combine([(np.array([0, 1]), mapping)]).tolist() == [6, 0]


def test_sizes_and_schemas_must_agree():
    with pytest.raises(MedUSISError) as caught:
        combine([(np.zeros((2, 3), int), TOTAL), (np.zeros((3, 2), int), TISSUE)])
    assert caught.value.code == ErrorCode.GEOMETRY_MISMATCH
    with pytest.raises(MedUSISError, match="different schemas"):
        combine([(np.zeros(2, int), TOTAL), (np.zeros(2, int), load_mapping("head", HEAD))])
    with pytest.raises(MedUSISError, match="no segmentation"):
        combine([])


def test_brain_parts_merge_into_the_brain():
    parts = merge_groups(HEAD)["brain"]
    assert parts == ("cortex", "white_matter", "deep_grey", "cerebellum", "brainstem")
    merged = merge_classes(np.arange(16), HEAD, parts)
    assert [HEAD.names[index] for index in merged[8:13]] == ["brain"] * 5
    assert merged[[0, 7, 13, 14, 15]].tolist() == [0, 7, 13, 14, 15]


def test_bone_skin_and_fat_have_a_coarser_partner():
    groups = merge_groups(HEAD)
    assert groups["cortical_bone"] == ("cancellous_bone",)
    assert groups["soft_tissue"] == ("skin", "fat")


def test_merging_goes_on_through_a_chain():
    content = HEAD.model_dump()
    content["classes"] = content["classes"][:5]
    for index, label in enumerate(content["classes"]):
        label["merges_into"] = HEAD.names[index - 1] if index > 1 else None
    chained = LabelSchema.model_validate(content)
    assert merge_classes(np.arange(5), chained, ["fat", "soft_tissue"]).tolist() == [0, 1, 1, 1, 4]


@given(st.sets(st.sampled_from([fine for group in merge_groups(HEAD).values() for fine in group])))
def test_merging_removes_the_named_classes_and_touches_no_other(names):
    merged = merge_classes(np.arange(16), HEAD, names)
    given_up = {HEAD.index_of(name) for name in names}
    assert not given_up & set(merged.tolist())
    assert all(merged[index] == index for index in range(16) if index not in given_up)
    assert np.array_equal(merge_classes(merged, HEAD, names), merged)


def test_merging_refuses_what_cannot_be_merged():
    with pytest.raises(MedUSISError, match="merges into nothing"):
        merge_classes(np.arange(3), HEAD, ["eyes"])
    with pytest.raises(MedUSISError, match="0 to 15"):
        merge_classes(np.array([16]), HEAD, [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 2, 3, 4, 41, 42, 515], "synthseg"),
        ([0, 507, 511], "synthseg"),
        ([0, 2, 41, 9999999], None),
        ([0, 1, 5, 52, 90], "totalsegmentator"),
        ([0, 1, 5, 46, 47, 48, 49], None),
        ([0, 33, 34, 36], "autopet"),
        (range(31), "torso"),
        (range(16), "head"),
        (range(9), "headneck"),
        ([0, 1, 2, 3], None),
        ([0, 1], None),
        ([0], None),
        ([], None),
        ([-1, 2, 41], None),
        ([0, 600], None),
    ],
)
def test_guess_is_made_only_without_doubt(values, expected):
    assert guess_mapping(values) == expected
    assert guess_mapping(np.array(list(values), dtype=np.int32)) == expected


def test_guess_can_be_held_to_a_schema():
    assert guess_mapping(range(16), "torso") is None
    assert guess_mapping([0, 52, 90], "torso") == "totalsegmentator"


@pytest.mark.parametrize("name", TOTAL.name_of_value.values())
def test_every_totalsegmentator_segment_is_found_by_its_name(name):
    expected = {entry.source_name: TORSO.index_of(entry.class_name) for entry in TOTAL.entries}[name]
    if name in TORSO:
        expected = TORSO.index_of(name)
    assert mapping_from_names({7: name}, TORSO).index_of_value[7] == expected


def test_segment_names_of_people_are_understood():
    names = {1: "Left Kidney", 2: "LIVER", 3: "Lung upper lobe left", 4: "white matter"}
    assert mapping_from_names({k: names[k] for k in (1, 2, 3)}, TORSO).apply(np.array([1, 2, 3])).tolist() == [1, 4, 8]
    assert mapping_from_names({4: names[4]}, HEAD).apply(np.array([4])).tolist() == [9]


def test_unknown_segment_names_are_an_error_unless_they_get_a_class():
    with pytest.raises(MedUSISError, match=r"2 'Livver' \(nearest known: liver") as caught:
        mapping_from_names({1: "spleen", 2: "Livver"}, TORSO)
    assert caught.value.code == ErrorCode.UNKNOWN_LABELS
    mapping = mapping_from_names({1: "spleen", 2: "Livver"}, TORSO, unmapped="fat")
    assert mapping.apply(np.array([1, 2])).tolist() == [28, 29]
