"""Invented images, and training the segmentator on nothing but label maps."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from training_example import Recorder

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.configuration import configuration_from
from MedUSISLib.training.domain_randomisation.appearance import ct_image, mr_image
from MedUSISLib.training.domain_randomisation.planes import random_plane, sample_nearest
from MedUSISLib.training.domain_randomisation.sampler import SliceSampler
from MedUSISLib.training.domain_randomisation.tissues import TISSUE_INDEX, TISSUES
from MedUSISLib.training.domain_randomisation.volumes import prepare, prepare_cached
from MedUSISLib.training.losses.dice_cross_entropy import dice_cross_entropy
from MedUSISLib.training.run import train


def write_label_map(path: Path, size: int = 48) -> np.ndarray:
    """A ball: skin, other tissue with a sinus and a pin hole in it, skull, fluid, cortex, white matter (RAS)."""
    axis = np.linspace(-1.1, 1.1, size)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    labels = np.zeros((size,) * 3, np.int16)
    for limit, value in ((1.0, 511), (0.92, 507), (0.7, 515), (0.6, 24), (0.5, 3), (0.35, 2)):
        labels[radius < limit] = value
    sinus = np.sqrt(x**2 + (y - 0.8) ** 2 + z**2) < 0.12
    labels[sinus] = 0
    labels[size // 2, size // 2, int(size * 0.12)] = 0
    nibabel.save(nibabel.Nifti1Image(labels, np.diag([1.0, 1.0, 1.0, 1.0])), path)
    return labels


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "ball.nii.gz"
    write_label_map(path)
    return path


def test_enclosed_air_is_told_from_the_outside_and_pin_holes_are_closed(ball: Path) -> None:
    head = prepare(ball)
    names = np.array([t.name for t in TISSUES])[head.tissues_kji]
    assert names[0, 0, 0] == "outside"
    # The sinus lies at +y in RAS, which is the front: low j in LPS.
    air = np.argwhere(head.tissues_kji == TISSUE_INDEX["air"])
    assert 20 < len(air) < 400
    assert air[:, 1].mean() < 24
    # The pin hole is one voxel near the feet of the ball; it took its neighbours' tissue.
    assert (air[:, 0] > 10).all()


def test_unknown_ids_of_a_label_map_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "odd.nii.gz"
    labels = np.zeros((8, 8, 8), np.int16)
    labels[2:6, 2:6, 2:6] = 2
    labels[3, 3, 3] = 777
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), path)
    with pytest.raises(MedUSISError, match="777") as caught:
        prepare(path)
    assert caught.value.code is ErrorCode.UNKNOWN_LABELS


def test_prepared_label_maps_are_remembered_by_content(ball: Path, tmp_path: Path) -> None:
    first = prepare_cached(ball, tmp_path)
    assert len(list(tmp_path.glob("head-labels-*.safetensors"))) == 1
    again = prepare_cached(ball, tmp_path)
    assert np.array_equal(first.tissues_kji, again.tissues_kji)
    assert first.vertex_k == again.vertex_k


def tissue_stripes() -> torch.Tensor:
    """Every tissue as a stripe of its own, thick enough to have an inside."""
    return torch.arange(len(TISSUES), dtype=torch.uint8).repeat_interleave(8)[:, None].expand(-1, 176).contiguous()


def square(tissues: torch.Tensor) -> torch.Tensor:
    """Padded to a square slice with outside."""
    size = max(tissues.shape)
    result = torch.zeros(size, size, dtype=torch.uint8)
    result[: tissues.shape[0], : tissues.shape[1]] = tissues
    return result


def test_invented_cts_are_in_hu_and_bone_is_brighter_than_brain_and_air() -> None:
    tissues = square(tissue_stripes())
    for seed in range(5):
        image = ct_image(tissues, torch.Generator().manual_seed(seed))
        assert image.min() >= -1024 and image.max() <= 3000
        mean = {name: float(image[tissues == TISSUE_INDEX[name]].median()) for name in TISSUE_INDEX}
        assert mean["cortical_bone"] > 300 > mean["white_matter"] > -50
        assert mean["air"] < -300


def test_invented_t1s_have_the_order_of_a_t1() -> None:
    tissues = square(tissue_stripes())
    means = []
    for seed in range(6):
        image = mr_image(tissues, torch.Generator().manual_seed(seed), t1=True)
        assert image.min() >= 0
        means.append([float(image[tissues == TISSUE_INDEX[n]].median()) for n in ("white_matter", "cortex", "csf")])
    white, grey, fluid = np.mean(means, 0)
    assert white > grey > fluid


def test_the_same_seed_invents_the_same_batch(ball: Path) -> None:
    head = prepare(ball)
    classes = {name: load_schema("head").index_of(name) for name in load_schema("head").names}
    one, two, other = (SliceSampler([head], classes, size=64, seed=s).batch(2) for s in (1, 1, 2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])
    assert one[0].shape == (2, 4, 64, 64)
    assert one[1].max() < 15


def test_a_straight_plane_through_a_volume_is_its_slice() -> None:
    volume = torch.arange(8 * 16 * 16, dtype=torch.int32).view(8, 16, 16)
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    points = torch.stack([columns, rows, torch.full_like(rows, 3.0)], -1)
    assert torch.equal(sample_nearest(volume, points), volume[3])
    assert sample_nearest(volume, points + 100).sum() == 0
    tilted = random_plane(torch.tensor([8.0, 8.0, 4.0]), 16, torch.Generator().manual_seed(0))
    assert tilted.shape == (16, 16, 3)


def test_dice_cross_entropy_is_near_zero_for_a_sure_right_answer_and_ignores_absent_classes() -> None:
    labels = torch.tensor([[[0, 0], [1, 1]]])
    right = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float() * 40 - 20
    weights = torch.ones(3)
    assert dice_cross_entropy(right, labels, weights) < 0.01
    assert dice_cross_entropy(-right, labels, weights) > 5


def test_training_a_segmentator_ends_with_a_bundle_and_resumes(ball: Path, tmp_path: Path) -> None:
    content = {
        "task": "segmentator", "name": "tiny-seg", "out": "run", "cache": "cache", "device": "cpu",
        "precision": "32-true", "batch_size": 2, "crop": [64, 64], "features": [4, 4, 4, 4, 4, 4], "iterations": 4,
        "validate_every": 4, "checkpoint_every": 2, "label_maps": [{"labels": str(ball), "person": "ball"}],
    }  # fmt: skip
    result = train(configuration_from(content, tmp_path), Recorder())
    assert result.iterations == 4
    bundle = load_bundle(result.bundle, kind="segmentator")
    assert bundle.load_network()(torch.zeros(1, 4, 64, 64)).shape == (1, 15, 64, 64)
    written = (tmp_path / "run" / "last.ckpt").read_bytes()
    recorder = Recorder()
    with pytest.raises(MedUSISError, match="earlier training"):
        train(configuration_from({**content, "cache": "elsewhere"}, tmp_path), recorder)
    assert not (tmp_path / "elsewhere").exists(), "it is refused before the data is read"
    assert (tmp_path / "run" / "last.ckpt").read_bytes() == written
    again = train(configuration_from({**content, "resume": True, "iterations": 5}, tmp_path), Recorder())
    assert again.iterations == 5
