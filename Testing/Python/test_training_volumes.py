"""Training in three dimensions: boxes, the same loop and losses, held-out volumes, a bundle that works in windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from painter import synthesize_in_memory
from test_synthesis_volumes import volume_bundle
from tiny_generator import head_phantom
from training_example import Recorder, tiny_training

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.progress import Progress
from MedUSISLib.training.boxes import BoxSource
from MedUSISLib.training.cases import Case
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.generator_run import GeneratorRun
from MedUSISLib.training.held_out import HeldOutVolumes, middle_box
from MedUSISLib.training.run import train
from MedUSISLib.training.sampling import sample_generator

NETWORK = {
    "spatial_dims": 3, "widths": [16, 16, 8], "spade_hidden": 4, "noise_channels": 4, "dropout": 0.2,
    "dropout_blocks": 1,
}  # fmt: skip
PHASES = [
    {"name": "l1", "iterations": 2, "l1": 1, "ssim": 0.1},
    {
        "name": "adversarial", "iterations": 2, "l1": 5, "class_means": 1, "adversarial": 1, "segmentation": 1,
        "mask": 1, "periodic_pattern": 1, "unpaired_share": 0.5, "r1_every": 2,
    },
]  # fmt: skip


def tiny_volumes(folder: Path, name: str = "run", **changes: Any) -> GeneratorTraining:
    configuration = tiny_training(folder, name)
    data = configuration.data.model_copy(update={"crop": (16, 32, 32), "field_of_view": (32, 80, 80)})
    content = {
        "data": data.model_dump(mode="json"),
        "network": NETWORK,
        "discriminator": {"widths": [8, 8]},
        "discriminator_crop": 16,
        "segmentator": {"widths": [8, 8]},
        "phases": PHASES,
        "validate_every": 4,
        "checkpoint_every": 2,
    }
    return tiny_training(folder, name, **{**content, **changes})


def test_a_training_in_three_dimensions_ends_in_a_bundle_that_draws_in_windows(tmp_path: Path) -> None:
    configuration = tiny_volumes(tmp_path, grain={"white_matter": 0.01})
    recorder = Recorder()
    result = train(configuration, recorder)
    assert result.figures["mean_error"] >= 0 and "ssim" in result.figures
    assert (configuration.out / "samples" / "000004.png").is_file()
    assert recorder.metrics["estimated_memory_gb"][0] > 0
    bundle = load_bundle(str(result.bundle), kind="generator")
    manifest = bundle.manifest
    assert manifest.spatial_dims == 3 and manifest.grid.size == (80, 80, 32)
    assert manifest.review.uncertainty is not None and manifest.results["noise"]
    assert manifest.results["volumes"][0]["uncertainty"] > 0
    assert "16 x 32 x 32 voxels of 1 x 1 x 1 mm" in bundle.model_card
    ct, segmentation = head_phantom(Geometry((24, 24, 20)), radius_mm=9)
    drawn = synthesize_in_memory(ct, segmentation, bundle, passes=2)
    assert drawn.provenance["mode"] == "window" and "seam_index" in drawn.statistics
    assert np.isfinite(drawn.mr.array_kji).all() and drawn.uncertainty.array_kji.max() > 0


def trained(configuration: GeneratorTraining, progress: Progress | None = None) -> GeneratorRun:
    """Without the export, which takes longest."""
    run = GeneratorRun(configuration, progress or Progress())
    run.prepare()
    run.run()
    return run


def test_a_resumed_training_in_three_dimensions_ends_bit_identical(tmp_path: Path) -> None:
    whole = trained(tiny_volumes(tmp_path, "whole"))
    part = tiny_volumes(tmp_path, "part")
    with pytest.raises(MedUSISError) as caught:
        trained(part, Recorder(cancel_after=3 + len(part.data.sources)))
    assert caught.value.code == ErrorCode.CANCELLED and (part.out / "last.ckpt").is_file()
    resumed = trained(part.model_copy(update={"resume": True}))
    one, other = (run.state.networks.ema.network.state_dict() for run in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_generator_of_volumes_can_be_fine_tuned(tmp_path: Path) -> None:
    parent = volume_bundle(tmp_path, (80, 80, 32))
    start = {"generator": str(parent.directory), "frozen": "early_blocks", "warm_up": 1}
    run = trained(tiny_volumes(tmp_path, "child", phases=PHASES[:1], network={}, start_from=start))
    assert run.state.start is not None and run.state.start.arguments["spatial_dims"] == 3
    before, after = parent.load_network().state_dict(), run.state.networks.ema.network.state_dict()
    assert torch.allclose(before["start.convolution.weight"], after["start.convolution.weight"], atol=1e-3)
    assert not torch.equal(before["to_bands.weight"], after["to_bands.weight"].to(before["to_bands.weight"]))


def test_slices_cannot_be_made_of_boxes_by_accident(tmp_path: Path) -> None:
    with pytest.raises(MedUSISError, match="3 numbers, the generator has 2 dimensions") as caught:
        train(tiny_volumes(tmp_path, network={**NETWORK, "spatial_dims": 2}), Progress())
    assert caught.value.code == ErrorCode.BAD_SETTING
    with pytest.raises(MedUSISError, match="field_of_view"):
        data = {"crop": [16, 32, 32], "field_of_view": [64, 64], "images": []}
        tiny_training(tmp_path, data=data)
    with pytest.raises(MedUSISError, match="spacing_mm"):
        tiny_training(tmp_path, data={"crop": [64, 64], "spacing_mm": [2, 2, 2], "images": []})


def case(person: str, shape: tuple[int, int, int] = (30, 48, 40), seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    labels = np.ones(shape, np.uint8)
    labels[:, :, 20:] = 2
    labels[10:14, 20:24, 4:8] = 3  # small and rare
    return Case(person, labels, (labels / 4 + 0.01 * rng.random(shape)).astype(np.float16), 1.0)


def test_boxes_hold_image_and_labels_of_one_place_and_do_not_depend_on_others() -> None:
    source = BoxSource([case("a"), case("b", seed=1)], (16, 24, 24), 5)
    for position in range(6):
        one, again = (source.draw(sample_generator(0, 3, position)) for _ in range(2))
        assert torch.equal(one.labels, again.labels) and one.view == "volume"
        assert one.image is not None
        inside = one.labels > 0
        assert torch.allclose((one.image[0][inside] + 1) * 0.6, one.labels[inside] / 4, atol=0.02)
        assert (one.image[0][~inside] == -1).all()


def test_boxes_are_balanced_by_person_and_by_class() -> None:
    source = BoxSource([case("a"), case("a"), case("a"), case("b")], (8, 8, 8), 5, person_weights={"b": 2.0})
    assert source.person_weights.tolist() == [1.0, 2.0]
    drawn = [source.draw(sample_generator(1, n, 0)) for n in range(200)]
    rare = np.mean([bool((sample.labels == 3).any()) for sample in drawn])
    # 0.1 % of the voxels; a third of the boxes that are drawn by class, which are a half, and some by chance
    assert 0.12 < rare < 0.4


def test_boxes_keep_above_the_bottom_and_near_the_volume() -> None:
    labels = np.ones((60, 30, 30), np.uint8)
    labels[:40] = 2
    source = BoxSource([Case("a", labels, None, 1.0)], (4, 8, 8), 3, bottom_mm=20.0)
    drawn = [source.draw(sample_generator(0, n, 0)) for n in range(50)]
    assert all(float((sample.labels == 0).float().mean()) < 0.7 for sample in drawn)
    assert np.mean([float((sample.labels == 2).float().mean()) for sample in drawn]) < 0.1


class Copier(torch.nn.Module):
    """Draws each class as its number; a 3D network as far as the sampler can tell."""

    size_multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.brightness = torch.nn.Parameter(torch.arange(5) / 2 - 1)

    def forward(self, onehot: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:  # noqa: ARG002
        return torch.einsum("bcdhw,c->bdhw", onehot, self.brightness)[:, None]


def test_held_out_slices_are_those_of_the_drawn_volume() -> None:
    volumes = HeldOutVolumes([case("a"), case("b", (26, 40, 36))], (16, 16, 16), 5)
    drawn = volumes.draw(Copier(), noise_channels=0)
    assert volumes.slices.labels.shape == drawn.shape == (32, 64, 64)
    np.testing.assert_allclose(drawn, volumes.slices.labels * 0.3, atol=1e-3)
    assert middle_box(case("a"), (8, 64, 10)).labels_kji.shape == (8, 48, 10)
