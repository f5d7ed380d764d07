"""What training draws from the data: splits, slices, deformation, merging of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_example import BRIGHTNESS, tiny_training

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.resources import resource_path
from MedUSISLib.training.cases import Case
from MedUSISLib.training.class_merging import ClassMerger
from MedUSISLib.training.configuration import configuration_from, read_configuration
from MedUSISLib.training.generator_step import PatchSampler
from MedUSISLib.training.sampling import sample_generator
from MedUSISLib.training.slices import SliceSource
from MedUSISLib.training.t1_scaling import CLIP, scaled_by_white_matter


def blocky_case(person: str, thickness: float = 1.0, seed: int = 0) -> Case:
    """Large blocks of classes, the image a function of the labels."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(1, 15, (3, 4, 4)), np.ones((6, 12, 12), int)).astype(np.uint8)
    return Case(person, labels, BRIGHTNESS[labels].astype(np.float16), thickness)


@pytest.mark.parametrize("kind, number, person", [("images", 2, "a"), ("label_maps", 0, "c")])
def test_one_person_on_both_sides_of_the_split_is_refused(tmp_path: Path, kind: str, number: int, person: str) -> None:
    content = tiny_training(tmp_path).model_dump(mode="json")
    content["data"][kind][number]["person"] = person
    with pytest.raises(MedUSISError, match="split by person"):
        configuration_from(content, tmp_path)


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    content = tiny_training(tmp_path).model_dump(mode="json")
    content["data"]["croop"] = [1, 2]
    with pytest.raises(MedUSISError, match="data.croop") as caught:
        configuration_from(content, tmp_path)
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_the_shipped_configurations_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDUSIS_DATA", str(tmp_path))
    generator = read_configuration(resource_path("Training", "head-t1w.yaml"))
    assert generator.task == "generator"
    assert generator.data.images[0].image.is_relative_to(tmp_path)
    assert {s.person for s in generator.data.images if s.split == "validation"} == {"mne-ecog", "pycortex"}
    assert sum(s.split == "validation" for s in generator.data.label_maps) == 2
    assert read_configuration(resource_path("Training", "head-seg.yaml")).task == "segmentator"
    tuning = read_configuration(resource_path("Training", "fine-tune-head-t1w.yaml"))
    assert tuning.task == "generator" and tuning.start_from is not None
    assert tuning.start_from.generator == "head-t1w" and tuning.selection.exports_best


def test_a_missing_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDUSIS_DATA", raising=False)
    with pytest.raises(MedUSISError, match="MEDUSIS_DATA"):
        read_configuration(resource_path("Training", "head-t1w.yaml"))


def test_slices_have_the_crop_and_images_follow_their_labels() -> None:
    source = SliceSource([blocky_case("a")], (64, 40), {"axial": 1.0}, 16)
    for position in range(4):
        sample = source.draw(sample_generator(0, 0, position))
        assert sample.labels.shape == (64, 40) and sample.lesions is None
        assert sample.image is not None and sample.image.shape == (1, 64, 40)
        expected = torch.from_numpy(BRIGHTNESS).float()[sample.labels] * (2 / CLIP) - 1
        assert torch.allclose(sample.image[0], expected, atol=2e-3)


def test_thick_slices_give_no_coronal_or_sagittal_ones() -> None:
    views = {"axial": 0.2, "coronal": 0.4, "sagittal": 0.4}
    thick = SliceSource([blocky_case("a", thickness=3.0)], (64, 64), views, 16)
    assert set(thick.persons["a"]) == {"axial"}
    thin = SliceSource([blocky_case("a")], (64, 64), views, 16)
    assert set(thin.persons["a"]) == {"axial", "coronal", "sagittal"}


def test_people_are_drawn_equally_however_many_examinations_they_have() -> None:
    cases = [blocky_case("often", seed=n) for n in range(5)] + [blocky_case("once", seed=9)]
    source = SliceSource(cases, (64, 64), {"axial": 1.0}, 16)
    rng = torch.Generator().manual_seed(0)
    drawn = [source._address(rng).case for _ in range(200)]
    assert 60 < sum(case == 5 for case in drawn) < 140


@given(seed=st.integers(0, 10_000), probability=st.floats(0, 1))
def test_merging_replaces_a_class_only_by_its_coarser_one(seed: int, probability: float) -> None:
    schema = load_schema("head")
    labels = torch.arange(schema.number_of_classes).view(1, 4, 4)
    merged = ClassMerger(schema, probability)(labels, torch.Generator().manual_seed(seed))
    for one, new in zip(schema.classes, merged.reshape(-1).tolist(), strict=True):
        allowed = {one.index} | ({schema.index_of(one.merges_into)} if one.merges_into else set())
        assert new in allowed


def test_merging_with_probability_one_leaves_no_fine_class() -> None:
    schema = load_schema("head")
    labels = torch.arange(schema.number_of_classes).view(1, 4, 4)
    merged = ClassMerger(schema, 1.0)(labels, torch.Generator().manual_seed(0))
    assert not {schema.index_of(n) for n in ("cortex", "white_matter", "skin", "fat")} & set(merged.unique().tolist())


def test_white_matter_comes_to_its_place_and_the_outside_to_zero() -> None:
    schema = load_schema("head")
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[4:16, 8:32, 8:32] = schema.index_of("fat")
    labels[6:14, 12:28, 12:28] = schema.index_of("white_matter")
    t1 = np.where(labels > 0, 900.0, 30.0) * np.where(labels == schema.index_of("fat"), 3.0, 1.0)
    scaled = scaled_by_white_matter(t1, labels, schema)
    assert scaled[10, 20, 20] == pytest.approx(0.7)
    assert scaled.max() == pytest.approx(CLIP)
    assert scaled[0, 0, 0] == 0


def test_patches_come_from_the_images() -> None:
    images = torch.arange(2 * 64 * 48, dtype=torch.float32).view(2, 1, 64, 48)
    patches = PatchSampler(32, torch.Generator().manual_seed(0))(images)
    assert patches.shape == (4, 1, 32, 32)
    assert torch.equal(patches[..., 1:] - patches[..., :-1], torch.ones(4, 1, 32, 31))
    assert PatchSampler(None, torch.Generator())(images) is images
