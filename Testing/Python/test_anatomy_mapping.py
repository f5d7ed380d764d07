"""Mappings: what comes with MedUSIS is complete, values become classes, and unknown ones stop the run with advice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from MedUSISLib.anatomy.mapping import (
    LabelMapping,
    MappingEntry,
    available_mappings,
    identity_mapping,
    load_mapping,
    mask_mapping,
)
from MedUSISLib.anatomy.schema import available_schemas, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError

HEAD = load_schema("head")
TORSO = load_schema("torso")
SHIPPED = [(name, schema) for schema in available_schemas() for name in available_mappings(schema)]

# A few ids of version 2 of the task "total" that differ from version 1, and its first and last.
TOTALSEGMENTATOR_FACTS = {
    1: "spleen",
    5: "liver",
    7: "pancreas",
    16: "trachea",
    25: "sacrum",
    27: "vertebrae_L5",
    50: "vertebrae_C1",
    51: "heart",
    52: "aorta",
    79: "spinal_cord",
    90: "brain",
    91: "skull",
    92: "rib_left_1",
    115: "rib_right_12",
    116: "sternum",
    117: "costal_cartilages",
}


@pytest.mark.parametrize(("name", "schema_id"), SHIPPED)
def test_shipped_mapping_loads_and_lists_no_value_twice(name, schema_id):
    mapping = load_mapping(name, schema_id)
    values = [entry.value for entry in mapping.entries]
    assert len(values) == len(set(values))
    assert mapping.index_of_value[0] == 0
    assert mapping.schema_id == schema_id
    assert mapping.name == name


@pytest.mark.parametrize("schema_id", ["torso", "head"])
def test_every_totalsegmentator_id_has_a_class(schema_id):
    mapping = load_mapping("totalsegmentator", schema_id)
    assert sorted(mapping.index_of_value) == list(range(118))
    assert all(index > 0 for value, index in mapping.index_of_value.items() if value)
    assert len(set(mapping.name_of_value.values())) == 118
    assert {value: mapping.name_of_value[value] for value in TOTALSEGMENTATOR_FACTS} == TOTALSEGMENTATOR_FACTS


@pytest.mark.parametrize("task", ["totalsegmentator", "totalsegmentator_mr", "totalsegmentator_tissue_types"])
def test_both_schemas_know_the_same_names_of_a_task(task):
    assert load_mapping(task, "torso").name_of_value == load_mapping(task, "head").name_of_value


@pytest.mark.parametrize(
    ("source", "schema_id", "name", "class_name"),
    [
        ("totalsegmentator", "torso", "vertebrae_C1", "vertebrae"),
        ("totalsegmentator", "torso", "rib_right_12", "ribs"),
        ("totalsegmentator", "torso", "hip_left", "hips"),
        ("totalsegmentator", "torso", "vertebrae_S1", "sacrum"),
        ("totalsegmentator", "torso", "lung_middle_lobe_right", "lung"),
        ("totalsegmentator", "torso", "kidney_cyst_left", "kidney"),
        ("totalsegmentator", "torso", "pulmonary_vein", "vessels"),
        ("totalsegmentator", "torso", "iliac_vena_left", "vessels"),
        ("totalsegmentator", "torso", "iliopsoas_right", "iliopsoas"),
        ("totalsegmentator", "torso", "gluteus_medius_left", "skeletal_muscle"),
        ("totalsegmentator", "head", "brain", "brain"),
        ("totalsegmentator", "head", "skull", "cortical_bone"),
        ("totalsegmentator", "head", "vertebrae_C2", "cancellous_bone"),
        ("totalsegmentator", "head", "spinal_cord", "brainstem"),
        ("totalsegmentator", "head", "trachea", "air"),
        ("totalsegmentator", "head", "common_carotid_artery_left", "vessels"),
        ("totalsegmentator_tissue_types", "torso", "subcutaneous_fat", "fat"),
        ("totalsegmentator_tissue_types", "torso", "torso_fat", "fat"),
        ("totalsegmentator_tissue_types", "torso", "skeletal_muscle", "skeletal_muscle"),
        ("totalsegmentator_heartchambers", "torso", "pulmonary_artery", "pulmonary_artery"),
        ("totalsegmentator_brain_structures", "head", "ventricle", "csf"),
        ("totalsegmentator_head_glands_cavities", "head", "nasal_cavity_left", "air"),
        ("headneck", "head", "mandible", "cortical_bone"),
    ],
)
def test_structure_becomes_its_class(source, schema_id, name, class_name):
    mapping = load_mapping(source, schema_id)
    assert {entry.source_name: entry.class_name for entry in mapping.entries}[name] == class_name


def test_synthseg_ids_become_the_agreed_head_classes():
    agreed = {
        "vessels": [502, 514, 30, 62],
        "eyes": [506],
        "soft_tissue": [507, 508, 509, 530],
        "skin": [511],
        "brainstem": [512, 16, 28, 60],
        "cortical_bone": [515],
        "cancellous_bone": [516],
        "white_matter": [2, 41, 77, 78, 79, 85, *range(251, 256)],
        "csf": [24, 4, 5, 14, 15, 43, 44, 72, 31, 63, 136, 137, 163, 164],
        "cortex": [3, 42, *range(1000, 3000)],
        "cerebellum": [7, 46, 8, 47],
        "deep_grey": [10, 11, 12, 13, 17, 18, 26, *range(49, 55), 58],
    }
    mapping = load_mapping("synthseg", HEAD)
    for class_name, values in agreed.items():
        assert set(mapping.apply(np.array(values))) == {HEAD.index_of(class_name)}, class_name


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.int16, np.int32, np.int64, np.uint16, np.uint64, np.float32]),
        npst.array_shapes(max_dims=4, max_side=5),
        elements=st.integers(0, 117),
    )
)
def test_mapping_keeps_the_shape_and_follows_the_table_voxel_by_voxel(values):
    mapping = load_mapping("totalsegmentator", TORSO)
    classes = mapping.apply(values)
    assert classes.dtype == np.uint8
    assert classes.shape == values.shape
    assert classes.ravel().tolist() == [mapping.index_of_value[int(value)] for value in values.ravel()]


@given(npst.arrays(np.uint8, npst.array_shapes(max_dims=3, max_side=6), elements=st.integers(0, 15)))
def test_segmentation_in_the_schema_itself_passes_unchanged(values):
    assert np.array_equal(load_mapping("head", HEAD).apply(values), values)


@given(st.lists(st.tuples(st.integers(-5, 5), st.sampled_from(HEAD.names)), max_size=12), st.integers(-8, 8))
def test_later_row_wins_for_the_same_value(rows, value):
    mapping = LabelMapping("rows", HEAD, tuple(MappingEntry(number, "", name) for number, name in rows))
    expected = dict([(0, "background"), *rows]).get(value, "air")
    assert mapping.apply(np.array([value]), unmapped="air").tolist() == [HEAD.index_of(expected)]


def test_array_that_is_not_contiguous_is_mapped_in_place_of_its_voxels():
    values = np.asfortranarray(np.arange(24).reshape(2, 3, 4))[:, ::-1]
    expected = np.vectorize(load_mapping("totalsegmentator", TORSO).index_of_value.get)(values)
    assert np.array_equal(load_mapping("totalsegmentator", TORSO).apply(values), expected)


def test_empty_and_scalar_arrays_are_no_special_case():
    mapping = load_mapping("totalsegmentator", TORSO)
    assert mapping.apply(np.zeros((0, 4), dtype=np.int16)).shape == (0, 4)
    assert mapping.apply(np.array(5)) == TORSO.index_of("liver")


def test_unmapped_ids_stop_the_run_with_a_list_and_the_nearest_names():
    with pytest.raises(MedUSISError) as caught:
        load_mapping("totalsegmentator", TORSO).apply(np.array([1, 118, 300, -2, 118]))
    assert caught.value.code == ErrorCode.UNKNOWN_LABELS
    assert "3 label values" in caught.value.message
    assert all(f"{value} (nearest known:" in caught.value.message for value in (-2, 118, 300))
    assert "117 costal_cartilages" in caught.value.message
    assert "unmapped" in caught.value.hint


def test_names_of_the_file_give_better_advice():
    with pytest.raises(MedUSISError, match=r"200 'Liver tumour' \(nearest known: liver"):
        load_mapping("totalsegmentator", TORSO).apply(np.array([200]), source_names={200: "Liver tumour"})


def test_long_list_of_unmapped_ids_is_cut():
    with pytest.raises(MedUSISError, match="88 more"):
        load_mapping("totalsegmentator", TORSO).apply(np.arange(200, 300))


def test_user_decides_what_unmapped_ids_become():
    mapping = load_mapping("totalsegmentator", TORSO)
    assert mapping.apply(np.array([5, 300]), unmapped="Skeletal muscle").tolist() == [4, 30]
    assert mapping.apply(np.array([2**62, -(2**62)]), unmapped="fat").tolist() == [29, 29]
    with pytest.raises(MedUSISError, match="no class 'muscles'"):
        mapping.apply(np.array([5]), unmapped="muscles")


@pytest.mark.parametrize("values", [[0.5], [np.nan], [np.inf], [1e12]])
def test_image_given_as_label_map_is_refused(values):
    with pytest.raises(MedUSISError) as caught:
        load_mapping("head", HEAD).apply(np.array(values))
    assert caught.value.code == ErrorCode.INPUT_NOT_READABLE


def test_mapping_into_another_schema_is_refused_with_the_known_ones():
    with pytest.raises(MedUSISError) as caught:
        load_mapping("synthseg", TORSO)
    assert caught.value.code == ErrorCode.BAD_SETTING
    assert "totalsegmentator_tissue_types" in caught.value.hint
    with pytest.raises(MedUSISError, match="did you mean 'totalsegmentator'"):
        load_mapping("TotalSegmentater", TORSO)


def test_names_are_accepted_in_any_case():
    assert load_mapping("TotalSegmentator", "torso") == load_mapping("totalsegmentator", TORSO)


def test_mask_becomes_one_class():
    assert mask_mapping("skin", TORSO).apply(np.array([False, True])).tolist() == [0, 27]


def test_identity_puts_coarse_classes_before_fine_ones():
    order = [entry.class_name for entry in identity_mapping(HEAD).entries]
    assert sorted(order) == sorted(HEAD.names)
    assert order.index("brain") < order.index("cortex")
    assert order.index("soft_tissue") < order.index("skin")


def test_mapping_to_an_unknown_class_cannot_be_made():
    with pytest.raises(MedUSISError, match="no class 'tooth'"):
        LabelMapping("x", HEAD, (MappingEntry(1, "tooth", "tooth"),))
