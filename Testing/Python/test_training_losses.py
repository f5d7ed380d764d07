"""Every loss that a phase can ask for, through a training: paired, pseudo-paired, unpaired; with noise and without."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from training_example import BRIGHTNESS, Recorder, head_labels, tiny_training, write_head

from MedUSISLib.anatomy.schema import LabelClass, LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.training.anchoring import EncodedForHeadSeg, load_anchor
from MedUSISLib.training.checkpoints import LAST, load_checkpoint
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.losses.anchor import Anchor, meanings
from MedUSISLib.training.losses.segmentation import class_weights
from MedUSISLib.training.run import train

CPU = torch.device("cpu")
HEAD = load_schema("head")


def phase(**weights: Any) -> dict[str, Any]:
    return {"name": "p", "iterations": 10, "r1_every": 4, **weights}


def losses_of(configuration: GeneratorTraining) -> tuple[dict[str, list[float]], Recorder]:
    recorder = Recorder()
    train(configuration, recorder)
    return recorder.metrics, recorder


def with_lesions(configuration: GeneratorTraining, folder: Path) -> GeneratorTraining:
    """The first person has a lesion in the middle of the head, the second nothing of the kind."""
    mask = np.zeros((56, 60, 10), np.uint8)
    mask[26:32, 28:34] = 1
    file = folder / "lesions.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), file)
    first, *others = configuration.data.images
    images = (first.model_copy(update={"lesions": file}), *others)
    data = configuration.data.model_copy(update={"images": images})
    return configuration.model_copy(update={"data": data})


def test_paired_training_with_every_loss_of_pairs_and_oasis(tmp_path: Path) -> None:
    weights = {"l1": 1, "ssim": 0.5, "class_means": 0.5, "lesions": 1, "segmentation": 1, "oasis": True, "label_mix": 2}
    configuration = tiny_training(tmp_path, phases=[phase(**weights, mask=1)], batch_size=4, validate_every=10)
    found, recorder = losses_of(with_lesions(configuration, tmp_path))
    expected = {"l1", "ssim", "class_means", "lesions", "segmentation", "mask"}
    assert expected | {"segmentator_real", "segmentator_fake", "label_mix"} <= found.keys()
    assert all(math.isfinite(value) for name in expected for value in found[name])
    assert 0 < found["lesions"][0] < 2
    assert 0 < found["ssim"][0] < 2
    assert "adversarial" not in found
    assert not [code for code, _ in recorder.warnings if code == "NO_ANCHOR"]


def test_lesions_alone_are_aimed_at(tmp_path: Path) -> None:
    weights = {"lesions": 1, "generator_rate": 5e-3, "ema": 0.5}
    configuration = tiny_training(tmp_path, phases=[phase(**weights, iterations=30)], batch_size=4, validate_every=30)
    found, _ = losses_of(with_lesions(configuration, tmp_path))
    assert found["lesions"][-1] < 0.5 * found["lesions"][0]


def test_the_segmentator_of_oasis_learns_to_tell_real_from_synthetic(tmp_path: Path) -> None:
    weights = {"segmentation": 1e-6, "oasis": True, "segmentator_rate": 5e-3, "generator_rate": 1e-6}
    found, _ = losses_of(tiny_training(tmp_path, phases=[phase(**weights, iterations=40)], validate_every=40))
    assert found["segmentator_fake"][-1] < 0.5 * found["segmentator_fake"][0]
    assert found["segmentator_real"][-1] < found["segmentator_real"][0]


def test_unpaired_training_without_an_anchor_warns_and_with_one_does_not(tmp_path: Path) -> None:
    weights: dict[str, Any] = {"adversarial": 1, "segmentation": 1, "mask": 1}
    for name, anchor in (("without", 0), ("with", 1)):
        configuration = tiny_training(tmp_path / name, phases=[phase(**weights, anchor=anchor)], validate_every=10)
        data = configuration.data.model_copy(update={"pairing": "unpaired"})
        found, recorder = losses_of(configuration.model_copy(update={"data": data}))
        assert {"adversarial", "segmentation", "mask", "discriminator"} <= found.keys()
        assert not {"l1", "ssim", "class_means"} & found.keys()
        assert ("anchor" in found) == bool(anchor)
        assert ("NO_ANCHOR" in [code for code, _ in recorder.warnings]) == (not anchor)


def test_a_generator_without_noise_trains(tmp_path: Path) -> None:
    network = {"widths": [16, 16, 8], "spade_hidden": 8, "noise_channels": 0}
    configuration = tiny_training(
        tmp_path, network=network, phases=[phase(l1=1, adversarial=1, segmentation=1)], validate_every=10
    )
    result = train(configuration, Recorder())
    bundle = load_bundle(result.bundle, kind="generator")
    assert bundle.manifest.noise.channels == 0
    onehot = torch.zeros(1, 16, 64, 64)
    onehot[:, 0] = 1
    network_ = bundle.load_network()
    assert torch.equal(network_(onehot), network_(onehot))


def test_images_without_labels_are_trained_on_with_those_of_head_seg(tmp_path: Path) -> None:
    folder, large, images = tmp_path / "heads", (160, 190, 10), []
    folder.mkdir()
    for seed, (person, split) in enumerate((("a", "train"), ("b", "validation"))):
        image, _ = write_head(folder, person, seed, large)
        images.append({"image": str(image), "person": person, "split": split})
    data = {"pairing": "pseudo", "crop": [192, 160], "images": images}
    weights = {"l1": 1, "adversarial": 0.1, "anchor": 0.1}
    configuration = tiny_training(tmp_path, data=data, cache="cache", phases=[phase(**weights)], validate_every=10)
    found, recorder = losses_of(configuration)
    assert {"l1", "adversarial", "anchor"} <= found.keys()
    assert not [code for code, _ in recorder.warnings if code == "NO_ANCHOR"]


# -- the anchor ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Anchor:
    configuration = tiny_training(tmp_path_factory.mktemp("anchor"), phases=[phase(l1=1, anchor=1)])
    found = load_anchor(configuration, HEAD, CPU)
    assert found is not None
    return found


def slices() -> torch.Tensor:
    labels = head_labels(0, (160, 192, 4)).transpose(2, 1, 0)
    return torch.from_numpy(labels[1:3].astype(np.int64))


def painted(labels: torch.Tensor, brightness: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(brightness[labels.numpy()] * 2 / 1.2 - 1).float()[:, None]


def test_the_anchor_prefers_right_classes_to_swapped_ones(anchor: Anchor) -> None:
    labels = slices()
    weights = class_weights(labels, HEAD.number_of_classes + 1)
    right = float(anchor(painted(labels, BRIGHTNESS), labels, weights))
    for one, other in (("cortex", "white_matter"), ("fat", "cortical_bone")):
        swapped = BRIGHTNESS.copy()
        pair = [HEAD.index_of(one), HEAD.index_of(other)]
        swapped[pair] = swapped[pair[::-1]]
        assert right < float(anchor(painted(labels, swapped), labels, weights)), (one, other)


def test_the_anchor_teaches_the_image_and_is_not_taught(anchor: Anchor) -> None:
    labels = slices()[:1]
    weights = class_weights(labels, HEAD.number_of_classes + 1)
    before = {name: tensor.clone() for name, tensor in anchor.network.state_dict().items()}
    image = torch.zeros(1, 1, *labels.shape[1:], requires_grad=True)
    optimiser = torch.optim.Adam([image], 0.05)
    seen = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = anchor(torch.tanh(image), labels, weights)
        loss.backward()
        optimiser.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < 0.6 * seen[0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in anchor.network.state_dict().items())
    assert all(parameter.grad is None for parameter in anchor.network.parameters())


def test_volumes_are_judged_slice_by_slice(anchor: Anchor) -> None:
    labels = slices()
    weights = class_weights(labels, HEAD.number_of_classes + 1)
    image = painted(labels, BRIGHTNESS)
    volume = image.transpose(0, 1)[None]
    torch.testing.assert_close(anchor(volume, labels[None], weights), anchor(image, labels, weights))


def test_classes_of_another_schema_mean_what_the_segmentator_answers() -> None:
    mine = LabelSchema(
        id="mine",
        version="1.0.0",
        title="mine",
        body_region="head",
        classes=tuple(
            LabelClass(index=n, name=name, title=name, color=(n, n, n), tissue=HEAD.classes[n].tissue, merges_into=into)
            for n, (name, into) in enumerate(
                (("background", None), ("brain", None), ("tumour", "brain"), ("helmet", None))
            )
        ),
    )
    answers = ("background", "skin", "cortex", "white_matter")
    table = meanings(answers, HEAD, mine)
    assert table[mine.index_of("brain")].tolist() == [False, False, True, True]
    assert table[mine.index_of("tumour")].tolist() == [False, False, True, True]  # it lies in the brain
    assert not table[mine.index_of("helmet")].any()


class Sure(torch.nn.Module):
    """Answers the second class everywhere."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, 50.0, 0.0, 0.0]).view(1, 4, 1, 1).expand(len(image), 4, *image.shape[2:])


def test_pixels_of_classes_that_the_segmentator_does_not_know_are_not_judged() -> None:
    anchor = Anchor(Sure(), torch.nn.Identity(), ("background", "skin", "cortex", "csf"), HEAD, HEAD)
    labels, weights = torch.full((1, 4, 4), HEAD.index_of("eyes")), torch.ones(HEAD.number_of_classes)
    image = torch.zeros(1, 1, 4, 4)
    assert float(anchor(image, labels, weights)) == 0
    labels[0, 0, 0] = HEAD.index_of("cortex")
    # one of sixteen pixels is wrong, as wrong as it can be
    assert float(anchor(image, labels, weights)) == pytest.approx(math.log(1e6) / 16, rel=1e-3)
    labels[0, 0, 0] = HEAD.index_of("skin")
    assert float(anchor(image, labels, weights)) == pytest.approx(0, abs=1e-6)


def test_white_matter_comes_to_where_head_seg_learned_it() -> None:
    image = torch.full((1, 1, 8, 8), 0.7 * 2 / 1.2 - 1)
    encoded = EncodedForHeadSeg()(image)
    assert encoded.shape == (1, 4, 8, 8)
    torch.testing.assert_close(encoded[:, :2], torch.full((1, 2, 8, 8), 0.68 * 2 - 1))
    assert float(encoded[:, 2:].abs().max()) == 0  # depth unknown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"views": {"axial": 0.5, "coronal": 0.5}}}, "axial slices"),
        ({"data": {"crop": [48, 64]}, "discriminator_crop": None}, "does not fit the anchor"),
        ({"data": {"label_schema": "autopet"}}, "knows none of the classes"),
        ({"anchor_segmentator": "head-t1w"}, "head-t1w"),
    ],
)
def test_what_the_anchor_cannot_judge_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    configuration = tiny_training(tmp_path, phases=[phase(l1=1, anchor=1)])
    data = configuration.data.model_copy(update=changes.pop("data", {}))
    configuration = configuration.model_copy(update={**changes, "data": data})
    with pytest.raises(MedUSISError) as caught:
        load_anchor(configuration, load_schema(data.label_schema), CPU)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"oasis": True}, "oasis needs a weight for segmentation"),
        ({"segmentation": 1, "label_mix": 1}, "label_mix needs oasis"),
        ({"segmentation": 1, "oasis": True, "unpaired_share": 1}, "oasis needs real images with labels"),
    ],
)
def test_losses_that_need_one_another_are_asked_for_together(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(MedUSISError, match=words) as caught:
        tiny_training(tmp_path, phases=[phase(**wrong)])
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_a_resumed_oasis_training_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    weights = {"l1": 1, "segmentation": 1, "oasis": True, "label_mix": 1}
    common: dict[str, Any] = {"phases": [phase(**weights, iterations=4)], "validate_every": 2, "checkpoint_every": 2}
    whole = train(tiny_training(tmp_path / "a", **common), Recorder()).out
    with pytest.raises(MedUSISError):
        train(tiny_training(tmp_path / "b", **common), Recorder(cancel_after=4 + 2))
    pieces = train(tiny_training(tmp_path / "b", **common, resume=True), Recorder()).out
    one, two = (load_checkpoint(out / LAST, CPU)["networks"] for out in (whole, pieces))
    for part in ("generator", "segmentator"):
        assert all(torch.equal(tensor, two[part][name]) for name, tensor in one[part].items()), part
