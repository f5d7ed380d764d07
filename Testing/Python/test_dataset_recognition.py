"""CT, MR or labels: the voxels decide, whatever the file is called."""

from __future__ import annotations

import numpy as np
import pytest
from dataset_example import GRID, ct, labels, mr

from MedUSISLib.dataset.fingerprint import voxel_fingerprints
from MedUSISLib.dataset.measuring import label_counts
from MedUSISLib.dataset.names import name_facts
from MedUSISLib.dataset.recognition import Recognition, recognise
from MedUSISLib.imaging.volume import Volume


def on_grid(array: np.ndarray) -> Volume:
    return Volume(array, GRID)


def codes(found: Recognition) -> set[str]:
    return {code for code, _ in found.problems}


def test_clean_ct_mr_and_labels_are_recognised_without_a_name() -> None:
    for volume, kind in ((ct(), "ct"), (mr(), "mr"), (labels(), "labels")):
        found = recognise(volume)
        assert (found.kind, found.problems) == (kind, ())


def test_labels_stored_as_floats_are_labels() -> None:
    assert recognise(on_grid(labels().array_kji.astype(np.float32))).kind == "labels"


def test_mask_of_a_few_voxels_is_labels() -> None:
    array = np.zeros(GRID.shape_kji, np.uint8)
    array[20, 25, 22] = 1  # between the rows of every sample
    assert recognise(on_grid(array)).kind == "labels"


def test_eight_bit_mr_is_no_label_map() -> None:
    image = mr().array_kji
    assert recognise(on_grid((image * (255 / image.max())).astype(np.uint8))).kind == "mr"


def test_label_map_of_many_structures_is_labels() -> None:
    blocks = np.random.default_rng(0).integers(1, 600, (10, 13, 11)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    assert recognise(on_grid(blocks.astype(np.int16))).kind == "labels"


def test_ct_with_an_offset_is_a_ct_that_is_not_hu() -> None:
    found = recognise(on_grid((ct().array_kji + 1024).astype(np.int16)))
    assert found.kind == "ct" and codes(found) == {"NOT_HU"}


@pytest.mark.parametrize(("modality", "name_role"), [("CT", ""), ("", "ct")])
def test_rescaled_ct_is_told_by_dicom_or_name_alone(modality: str, name_role: str) -> None:
    window = (ct().array_kji.clip(-160, 240) + 160.0) / 400 * 255
    found = recognise(on_grid(np.rint(window).astype(np.int16)), modality, name_role=name_role)
    assert found.kind == "ct" and codes(found) == {"NOT_HU"}


@pytest.mark.parametrize("window", [(-1024, 2000), (-1000, 400), (-160, 60)])
def test_rescaled_ct_without_a_telling_name_is_doubted(window: tuple[float, float]) -> None:
    low, high = window
    rescaled = (ct().array_kji.clip(low, high) - low) / (high - low)
    # The phantom's air and bone are nearly without noise, so that it may pass for a probability map instead.
    assert codes(recognise(on_grid(rescaled.astype(np.float32)))) & {"MAYBE_CT", "DERIVED_MAP"}


def test_names_that_contradict_the_voxels_are_reported_and_not_believed() -> None:
    for volume, name_role, kind in ((ct(), "mr", "ct"), (labels(), "ct", "labels"), (mr(), "labels", "mr")):
        found = recognise(volume, name_role=name_role)
        assert found.kind == kind and codes(found) == {"NAME_DISAGREES"}


def test_maps_are_not_taken_for_mr() -> None:
    rng = np.random.default_rng(0)
    brain = labels().array_kji == 15
    probability = np.where(brain, rng.uniform(0.985, 1, brain.shape), rng.uniform(0, 0.01, brain.shape))
    standardised = (mr().array_kji - 150.0) / 120
    coded = rng.integers(0, 16, brain.shape)
    for array in (probability, standardised, coded):
        assert codes(recognise(on_grid(array.astype(np.float32)))) == {"DERIVED_MAP"}
    assert codes(recognise(mr(), "MR", ("DERIVED", "PRIMARY", "ADC"))) == {"DERIVED_MAP"}


def test_pet_is_told_by_its_name_alone() -> None:
    assert name_facts("p1/SUV_reg.nii.gz").role == name_facts("PET/p1/vol.nii").role == "other"
    assert name_facts("PET-MR/p1/t1.nii").role == "mr" and name_facts("PETCT_1/CTres.nii.gz").role != "other"
    found = recognise(mr(), name_role="other")
    assert found.kind == "mr" and codes(found) == {"WRONG_MODALITY"}
    for volume in (ct(), labels()):
        assert not recognise(volume, name_role="other").problems


def test_normalised_mr_is_an_mr() -> None:
    image = mr().array_kji.astype(np.float32)
    found = recognise(on_grid(image / image.max()))
    assert (found.kind, found.problems) == ("mr", ())


def test_constant_volume_and_other_modalities_are_refused() -> None:
    assert codes(recognise(on_grid(np.full(GRID.shape_kji, 7, np.int16)))) == {"CONSTANT"}
    assert codes(recognise(on_grid(np.zeros(GRID.shape_kji, np.int16)), name_role="labels")) == {"EMPTY_LABELS"}
    assert codes(recognise(mr(), "PT")) == {"WRONG_MODALITY"}


def test_labels_are_counted_and_images_are_not() -> None:
    assert label_counts(labels().array_kji)[15] == np.count_nonzero(labels().array_kji == 15)
    assert label_counts(mr().array_kji + 0.5) is None


def test_fingerprint_sees_voxels_only() -> None:
    array = ct().array_kji
    same = voxel_fingerprints(np.asfortranarray(array.astype(np.float32)))
    assert same == voxel_fingerprints(array)
    turned = voxel_fingerprints(array.transpose(2, 1, 0)[::-1])
    assert turned[0] != same[0] and turned[1] == same[1]
    other = array.copy()
    other[5, 5, 5] += 1
    assert voxel_fingerprints(other)[1] != same[1]
