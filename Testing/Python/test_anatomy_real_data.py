"""Label maps that other tools really wrote."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from MedUSISLib.anatomy.combining import combine
from MedUSISLib.anatomy.guessing import guess_mapping
from MedUSISLib.anatomy.mapping import load_mapping, mask_mapping
from MedUSISLib.anatomy.schema import load_schema

HEAD = load_schema("head")
TORSO = load_schema("torso")


def _read(folder, name):
    path = folder / name
    if not path.is_file():
        pytest.skip("this file is not in the shared data")
    return np.asarray(nibabel.load(path).dataobj)


@pytest.mark.parametrize("number", [1, 9, 18])
def test_whole_head_maps_hold_every_head_tissue(shared_data, number):
    labels = _read(shared_data, f"labels_head/training_seg_{number:02d}.nii.gz")
    assert guess_mapping(labels) == "synthseg"
    counts = np.bincount(load_mapping("synthseg", HEAD).apply(labels).ravel(), minlength=16)
    absent = {HEAD.names[index] for index in np.flatnonzero(counts == 0)}
    assert absent <= {"fat", "air", "brain", "eyes"}
    litres = counts / 1e6
    assert 0.3 < litres[HEAD.index_of("white_matter")] < 0.7
    assert 0.3 < litres[HEAD.index_of("cortex")] < 0.8
    assert 0.02 < litres[HEAD.index_of("deep_grey")] < 0.08


def test_freesurfer_aseg_is_mapped_without_leftovers(shared_data):
    labels = _read(shared_data, "mr_head_t1/mne_ecog_aseg.nii.gz")
    assert guess_mapping(labels) == "synthseg"
    classes = load_mapping("synthseg", HEAD).apply(labels)
    assert np.count_nonzero(classes) == np.count_nonzero(labels)


def test_head_and_neck_organ_maps_are_mapped(shared_data):
    for path in sorted(shared_data.glob("ct_headneck/*_seg.nii.gz"))[:4]:
        labels = np.asarray(nibabel.load(path).dataobj)
        assert guess_mapping(labels) == "headneck"
        classes = load_mapping("headneck", HEAD).apply(labels)
        assert np.array_equal(classes == 0, labels == 0)
        assert np.array_equal(classes == HEAD.index_of("cortical_bone"), labels == 8)


def test_totalsegmentator_and_tissue_types_fill_the_body(shared_data):
    organs = _read(shared_data, "ct_body/ts_abd30_seg.nii.gz")
    tissue = _read(shared_data, "ct_body/ts_abd30_tissue_seg.nii.gz")
    assert guess_mapping(organs) == "totalsegmentator"
    mapping = load_mapping("totalsegmentator", TORSO)
    classes = combine([(tissue, load_mapping("totalsegmentator_tissue_types", TORSO)), (organs, mapping)])
    assert np.array_equal(classes[organs > 0], mapping.apply(organs)[organs > 0])
    assert np.array_equal(classes == 0, (organs == 0) & (tissue == 0))
    liver = classes == TORSO.index_of("liver")
    assert np.array_equal(liver, organs == 5)


def test_one_mask_for_each_structure_gives_the_same_as_one_map(shared_data):
    organs = _read(shared_data, "ct_body/ts_abd30_seg.nii.gz")
    mapping = load_mapping("totalsegmentator", TORSO)
    masks = [(organs == entry.value, mask_mapping(entry.class_name, TORSO)) for entry in mapping.entries if entry.value]
    assert np.array_equal(combine(masks), mapping.apply(organs))


def test_totalsegmentator_mr_is_mapped_but_not_guessed(shared_data):
    labels = _read(shared_data, "mr_body/ts_abd_mr_seg.nii.gz")
    assert guess_mapping(labels) is None
    assert load_mapping("totalsegmentator_mr", TORSO).unmapped_values(labels) == []
