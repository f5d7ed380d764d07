"""How training slices are varied, and that a resumed training sees the same variations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_training_data import blocky_case
from training_example import BRIGHTNESS, Recorder, tiny_training

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import MedUSISError
from MedUSISLib.training.augmentation import Augmenter, mirrored_classes
from MedUSISLib.training.augmentation_settings import AugmentationSettings
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.run import train
from MedUSISLib.training.sampling import Sample, sample_generator
from MedUSISLib.training.slices import SliceSource
from MedUSISLib.training.t1_scaling import CLIP, WHITE_MATTER

HEAD = load_schema("head")
OFF: dict[str, Any] = {"flip": 0, "deform": 0}


def slices(count: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    source = SliceSource([blocky_case("a", seed=seed)], (64, 48), {"axial": 1.0}, 16)
    samples = [source.draw(sample_generator(seed, 0, position)) for position in range(count)]
    return torch.stack([s.labels for s in samples]), torch.stack([s.image for s in samples if s.image is not None])


def varied(settings: dict[str, Any], labels: torch.Tensor, images: Any, seed: int = 0, view: str = "axial", **how: Any):
    augmenter = Augmenter(AugmentationSettings(**settings), HEAD, **how)
    samples = [
        augmenter(Sample(one, None if images is None else images[n], view), sample_generator(seed, 0, n))
        for n, one in enumerate(labels)
    ]
    return torch.stack([s.labels for s in samples]), torch.stack([s.image for s in samples if s.image is not None])


@given(seed=st.integers(0, 1000))
def test_labels_and_images_move_together(seed: int) -> None:
    labels, images = slices(seed=seed)
    moved, pictures = varied({"deform": 1, "turn_deg": 15, "scale": 0.2, "shift": 0.1}, labels, images, seed)
    assert not torch.equal(moved, labels)
    assert set(moved.unique().tolist()) <= set(labels.unique().tolist()) | {0}
    expected = torch.from_numpy(BRIGHTNESS).float()[moved.long()] * (2 / CLIP) - 1
    # Away from the borders of the blocks, where one is nearest and the other bilinear, they say the same.
    assert (pictures[:, 0] - expected).abs().median() < 1e-2


def test_a_flip_changes_left_and_right_and_nothing_else() -> None:
    labels, images = slices()
    flipped, pictures = varied({"flip": 1, "deform": 0}, labels, images)
    assert torch.equal(flipped, labels.flip(-1)) and torch.equal(pictures, images.flip(-1))
    # The last axis of a sagittal slice runs from front to back.
    assert torch.equal(varied({"flip": 1, "deform": 0}, labels, images, view="sagittal")[0], labels)
    assert torch.equal(varied(OFF, labels, images)[1], images)


def test_a_flip_swaps_the_classes_of_the_two_sides() -> None:
    names = ("background", "kidney_left", "liver", "kidney_right", "left_lung", "right_lung", "left_behind")
    classes = [{"index": n, "name": name, "title": name, "color": (0, 0, 0), "tissue": "soft"} for n, name in
               enumerate(names)]  # fmt: skip
    schema = LabelSchema.model_validate(
        {"id": "sides", "version": "1.0.0", "title": "t", "body_region": "b", "classes": classes}
    )
    assert mirrored_classes(schema).tolist() == [0, 3, 2, 1, 5, 4, 6]
    augmenter = Augmenter(AugmentationSettings(flip=1, deform=0), schema)
    flipped = augmenter(Sample(torch.tensor([[1, 2, 0]]), None, "axial"), torch.Generator())
    assert flipped.labels.tolist() == [[0, 2, 3]]


@given(seed=st.integers(0, 1000))
def test_intensities_change_but_white_matter_and_air_keep_their_place(seed: int) -> None:
    values = torch.tensor([0.0, 0.2, WHITE_MATTER, 1.0])
    image = (values * (2 / CLIP) - 1).repeat(16, 4)[None, None]
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    bent = (varied({**OFF, "gamma": 0.5}, labels, image, seed)[1][0, 0, 0, :4] + 1) * (CLIP / 2)
    assert bent[0] == 0 and bent[2] == pytest.approx(WHITE_MATTER, abs=1e-5)
    assert 0.7 * (0.2 / 0.7) ** 1.5 - 1e-5 <= float(bent[1]) <= 0.7 * (0.2 / 0.7) ** (1 / 1.5) + 1e-5
    assert bool((bent.diff() > 0).all()) and float(bent.max()) <= CLIP
    biased = (varied({**OFF, "bias": 0.3}, labels, image, seed)[1] + 1) / (image + 1).clamp(min=1e-6)
    inside = biased[image > -0.9]
    assert 0.74 < float(inside.min()) < float(inside.max()) < 1.35001


def test_switching_one_variation_off_leaves_the_others_as_they_were() -> None:
    labels, images = slices(4)
    whole = varied({"gamma": 0.3, "bias": 0.2}, labels, images, seed=5)
    assert torch.equal(varied({}, labels, images, seed=5)[0], whole[0])


@given(seed=st.integers(0, 1000))
def test_a_box_is_varied_as_a_slice_is(seed: int) -> None:
    labels = torch.zeros(12, 16, 20, dtype=torch.long)
    labels[3:9, 4:12, 5:15] = torch.randint(1, 16, (6, 8, 10), generator=torch.Generator().manual_seed(seed))
    labels = labels.repeat_interleave(4, 0).repeat_interleave(4, 1).repeat_interleave(4, 2)
    image = torch.from_numpy(BRIGHTNESS).float()[labels][None] * (2 / CLIP) - 1
    sample = Sample(labels, image, "volume", image > 0.2)
    settings = AugmentationSettings(flip=0.5, deform=1, turn_deg=20, scale=0.1, shift=0.05)
    moved = Augmenter(settings, HEAD)(sample, sample_generator(seed, 0, 0))
    assert moved.image is not None and moved.lesions is not None
    assert moved.labels.shape == labels.shape and moved.image.shape == moved.lesions.shape == image.shape
    assert not torch.equal(moved.labels, labels)
    expected = torch.from_numpy(BRIGHTNESS).float()[moved.labels] * (2 / CLIP) - 1
    assert (moved.image[0] - expected).abs().median() < 1e-2
    assert ((expected > 0.2) == moved.lesions[0]).float().mean() > 0.9
    intensities = AugmentationSettings(flip=0, deform=0, gamma=0.3, bias=0.2)
    other = Augmenter(intensities, HEAD)(sample, sample_generator(seed, 0, 0))
    assert torch.equal(other.labels, labels) and other.image is not None and not torch.equal(other.image, image)


def test_a_turn_keeps_lengths_whatever_the_shape_of_the_slice() -> None:
    # A bar along the long side of a slice, turned by 90 degrees, is a bar of the same length along the short side.
    labels = torch.zeros(40, 80, dtype=torch.long)
    labels[18:22, 30:50] = 1
    augmenter = Augmenter(AugmentationSettings(flip=0, deform=1, turn_deg=90, scale=0, shift=0), HEAD)
    theta = augmenter._affine([1.0] + [0.0] * 8, (40, 80))
    grid = torch.nn.functional.affine_grid(theta, [1, 1, 40, 80], align_corners=False)
    turned = torch.nn.functional.grid_sample(labels[None, None].float(), grid, mode="nearest", align_corners=False)
    rows, columns = turned[0, 0].any(1).sum(), turned[0, 0].any(0).sum()
    assert (int(rows), int(columns)) == (20, 4)


def test_real_images_for_the_discriminator_are_not_interpolated() -> None:
    labels, images = slices()
    _, shown = varied({"flip": 0, "deform": 1}, labels, images, deforms=False)
    assert torch.equal(shown, images)


def test_a_training_with_all_variations_resumes_bit_identically(tmp_path: Path) -> None:
    augmentation = {"flip": 0.5, "deform": 0.7, "turn_deg": 20, "scale": 0.2, "gamma": 0.3, "bias": 0.2}
    common: dict[str, Any] = {"augmentation": augmentation, "checkpoint_every": 4, "validate_every": 6}
    common |= {"cache": str(tmp_path / "cache"), "phases": [{"name": "l1", "iterations": 6, "l1": 1}]}
    whole = train(tiny_training(tmp_path / "whole", **common), Recorder())
    with pytest.raises(MedUSISError):
        train(tiny_training(tmp_path / "pieces", **common), Recorder(cancel_after=4 + 5))
    pieces = train(tiny_training(tmp_path / "pieces", **common, resume=True), Recorder())
    one, two = (load_checkpoint(r.out / LAST, torch.device("cpu"))["networks"]["generator"] for r in (whole, pieces))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    # ... and not because nothing was varied.
    plain = train(tiny_training(tmp_path / "plain", **{**common, "augmentation": OFF}), Recorder())
    three = load_checkpoint(plain.out / LAST, torch.device("cpu"))["networks"]["generator"]
    assert not torch.equal(one["to_bands.weight"], three["to_bands.weight"])


def test_a_wrong_variation_is_named(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="augmentation.flip"):
        tiny_training(tmp_path, augmentation={"flip": 2})
