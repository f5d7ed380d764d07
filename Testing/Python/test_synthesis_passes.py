"""Passes, noise, running moments: what is random, what is not, and that the variance is that of equation 9.10."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from given_dropout import give_dropout
from painter import Painter, synthesize_in_memory
from tiny_generator import head_phantom, tiny_bundle, tiny_manifest

from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.synthesis.moments import RunningMoments
from MedUSISLib.synthesis.noise import derived_seed, volume_noise
from MedUSISLib.synthesis.pass_networks import PlainPasses
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.quality import quality_report
from MedUSISLib.synthesis.result import SynthesisResult

GRID = Geometry((50, 50, 5), (1.0, 1.0, 4.0))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def synthesized(bundle: Bundle, **settings: object) -> SynthesisResult:
    ct, segmentation = head_phantom(GRID)
    return synthesize_in_memory(ct, segmentation, bundle, **({"passes": 3} | settings))


def test_running_moments_are_mean_and_variance_of_all() -> None:
    images = torch.randn(7, 3, 4) * 0.001 + 0.7
    moments = RunningMoments()
    for image in images:
        moments.add(image)
    np.testing.assert_allclose(moments.mean, images.double().mean(dim=0), rtol=1e-6)
    np.testing.assert_allclose(moments.variance, images.double().var(dim=0, correction=0), rtol=1e-3)


def test_one_image_has_no_variance() -> None:
    moments = RunningMoments()
    moments.add(torch.rand(4))
    assert not moments.variance.any()


def test_uncertainty_is_the_variance_over_dropout_passes(bundle: Bundle) -> None:
    """Against the plain formula and network: mean of squares minus square of the mean, with the same masks."""
    labels = np.random.default_rng(0).integers(0, 16, (1, 64, 64)).astype(np.uint8)
    settings = PassSettings(passes=5, seed=3)
    sampler = PassSampler(bundle.load_network(), bundle.manifest, settings)
    maps = sampler.maps(labels, keys=["a"])
    network = bundle.load_network()
    onehot = (
        torch.nn.functional.one_hot(torch.from_numpy(labels).long(), 16)
        .permute(0, 3, 1, 2)
        .float()
        .contiguous(memory_format=torch.channels_last)
    )
    z = volume_noise(8, 2.0, 3)
    images = []
    for number in range(5):
        give_dropout(network, [derived_seed(3, "dropout", number, "a")])
        with torch.no_grad():
            images.append(network(onehot, z)[0, 0].double())
    stack = torch.stack(images)
    expected = (stack**2).mean(dim=0) - stack.mean(dim=0) ** 2
    assert expected.max() > 1e-4
    np.testing.assert_allclose(maps.mean[0], stack.mean(dim=0), atol=1e-5)
    np.testing.assert_allclose(maps.variance[0], expected, atol=1e-5)


def test_single_pass_has_dropout_off_and_no_uncertainty(bundle: Bundle) -> None:
    first, second = synthesized(bundle, passes=1), synthesized(bundle, passes=1)
    np.testing.assert_array_equal(first.mr.array_kji, second.mr.array_kji)
    assert not first.uncertainty.array_kji.any()
    assert first.statistics["global_uncertainty"] is None


def test_same_seed_gives_identical_voxels(bundle: Bundle) -> None:
    first, second = (synthesized(bundle, seed=5, noise_samples=2) for _ in range(2))
    for name in ("mr", "uncertainty", "noise_spread", "mask_consistency", "labels"):
        np.testing.assert_array_equal(getattr(first, name).array_kji, getattr(second, name).array_kji)


def test_other_seed_gives_other_voxels(bundle: Bundle) -> None:
    first, second = synthesized(bundle, seed=0, passes=1), synthesized(bundle, seed=1, passes=1)
    assert np.abs(first.mr.array_kji - second.mr.array_kji).max() > 1e-3


def test_seed_matters_for_dropout_too(tmp_path: Path) -> None:
    without_noise = tiny_bundle(tmp_path / "tiny", noise=0)
    first, second = synthesized(without_noise, seed=0), synthesized(without_noise, seed=1)
    assert np.abs(first.mr.array_kji - second.mr.array_kji).max() > 1e-3


@pytest.mark.parametrize("mode", ["slice", "window"])
def test_batch_size_changes_no_voxel_by_more_than_rounding(bundle: Bundle, mode: str) -> None:
    first, second = (synthesized(bundle, batch_size=size, noise_samples=2, mode=mode) for size in (1, 4))
    for name in ("mr", "uncertainty", "noise_spread"):
        np.testing.assert_allclose(getattr(first, name).array_kji, getattr(second, name).array_kji, atol=1e-4)


def test_caller_keeps_its_random_state(bundle: Bundle) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    synthesized(bundle)
    torch.testing.assert_close(torch.rand(3), expected)


def test_slices_share_one_noise_vector_but_not_their_dropout(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    """Equal labels in all slices: without dropout equal images, with dropout different ones."""
    labels = np.repeat(np.random.default_rng(1).integers(0, 16, (1, 64, 64)).astype(np.uint8), 3, axis=0)
    quiet = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=1)).maps(labels, [0, 1, 2])
    np.testing.assert_allclose(quiet.mean[0], quiet.mean[2], atol=1e-5)
    noisy = PassSampler(bundle.load_network(), bundle.manifest, PassSettings(passes=2)).maps(labels, [0, 1, 2])
    assert np.abs(noisy.mean[0] - noisy.mean[2]).max() > 1e-3


def test_noise_is_truncated_and_the_same_for_the_same_seed() -> None:
    noise = volume_noise(5000, 0.5, seed=2)
    assert noise is not None and noise.shape == (1, 5000)
    assert float(noise.abs().max()) <= 0.5
    torch.testing.assert_close(noise, volume_noise(5000, 0.5, seed=2))
    assert not torch.equal(noise, volume_noise(5000, 0.5, seed=2, sample=1))
    assert volume_noise(0, 2.0, seed=2) is None


def test_noise_spread_is_the_variance_over_noise_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A painter that adds the first noise channel: the spread is that channel's variance, everywhere."""
    sampler = PassSampler(
        Painter(noise_weight=0.25), tiny_manifest(dropout=0.0), PassSettings(passes=4, noise_samples=6, seed=1)
    )
    maps = sampler.maps(np.zeros((2, 16, 16), np.uint8), keys=[0, 1])
    channel = np.array([float(volume_noise(8, 2.0, 1, sample)[0, 0]) for sample in range(1, 7)])  # type: ignore[index]
    np.testing.assert_allclose(maps.spread, np.full((2, 16, 16), 0.25**2 * channel.var()), rtol=1e-4)
    assert not maps.variance.any()


def test_generator_without_dropout_or_noise_says_so(tmp_path: Path) -> None:
    plain = tiny_bundle(tmp_path / "tiny", noise=0, dropout=0.0)
    result = synthesized(plain, passes=4, noise_samples=2)
    assert {"NO_DROPOUT", "NO_NOISE"} <= {warning.code for warning in result.warnings}
    assert result.provenance["passes"] == result.request.passes == 1
    assert result.provenance["settings"]["passes"] == 4
    assert result.noise_spread is not None and not result.noise_spread.array_kji.any()
    assert not result.uncertainty.array_kji.any()


def test_derived_seeds_do_not_collide() -> None:
    seeds = {derived_seed(seed, "dropout", p, s) for seed in range(5) for p in range(5) for s in range(50)}
    assert len(seeds) == 5 * 5 * 50
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_review_flag_compares_with_the_bundle(tmp_path: Path) -> None:
    from MedUSISLib.generators.manifest import ReviewThresholds

    strict = tiny_bundle(tmp_path / "strict", review=ReviewThresholds(uncertainty=1e-9))
    lenient = tiny_bundle(tmp_path / "lenient", review=ReviewThresholds(uncertainty=10.0))
    assert synthesized(strict).statistics["review"] is True
    assert synthesized(lenient).statistics["review"] is False


def test_bfloat16_stays_close_to_float32(tmp_path: Path) -> None:
    full = synthesized(tiny_bundle(tmp_path / "full"), passes=1)
    half = synthesized(tiny_bundle(tmp_path / "half", precision="bfloat16"), passes=1)
    assert np.abs(full.mr.array_kji - half.mr.array_kji).mean() < 0.02


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 5e-3)])
def test_prepared_network_leaves_the_quality_figures_as_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, precision: str, tolerance: float
) -> None:
    """Against the network as it is, in float32: one pass, since the two drop other values."""

    def measured(bundle: Bundle) -> dict[str, Any]:
        result = synthesized(bundle, passes=1)
        return quality_report(result, lambda mr: result.labels)

    prepared = measured(tiny_bundle(tmp_path / "prepared", precision=precision))
    monkeypatch.setattr(
        "MedUSISLib.synthesis.passes.pass_network",
        lambda network, manifest, device: PlainPasses(network, manifest, device),
    )
    plain = measured(tiny_bundle(tmp_path / "plain"))
    assert len(plain["intensity"]["classes"]) > 4
    for ours, theirs in zip(prepared["intensity"]["classes"], plain["intensity"]["classes"], strict=True):
        assert ours["count"] == theirs["count"]
        assert ours["mean"] == pytest.approx(theirs["mean"], abs=tolerance)
    for part, name in (("body", "dice"), ("mask_consistency", "dice"), ("stripes", "index_with_anatomy")):
        assert prepared[part][name] == pytest.approx(plain[part][name], abs=tolerance), (part, name)
    assert [flag["key"] for flag in prepared["flags"]] == [flag["key"] for flag in plain["flags"]]
