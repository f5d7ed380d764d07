"""Grain: white noise that depends on labels and noise vector alone, and what a generator does with it."""

from __future__ import annotations

import pytest
import torch

from MedUSISLib.networks.grain import coarser_grain, grain_map
from MedUSISLib.networks.spade import fold_batch_norm
from MedUSISLib.networks.wavelet_generator import WaveletGenerator
from MedUSISLib.training.generator_step import Grain
from MedUSISLib.training.losses.class_means import class_mean_loss
from MedUSISLib.training.losses.periodic_pattern import periodic_pattern_loss


def labels(count: int, size: int = 64, classes: int = 5, seed: int = 0) -> torch.Tensor:
    """One-hot blocks, different in every image."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.randint(classes, (count, 1, size // 8, size // 8), generator=rng)
    indices = coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)
    return torch.zeros(count, classes, size, size).scatter_(1, indices, 1)


def test_grain_does_not_depend_on_the_batch() -> None:
    onehot, z = labels(4), torch.randn(1, 8).expand(4, -1)
    whole = grain_map(onehot, z)
    assert torch.equal(whole[2:3], grain_map(onehot[2:3], z[2:3]))


def test_other_labels_or_other_noise_give_independent_grain() -> None:
    onehot = labels(2)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    one = grain_map(onehot[:1], z[:1])
    for other in (grain_map(onehot[1:], z[:1]), grain_map(onehot[:1], z[1:])):
        correlation = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
        assert abs(float(correlation)) < 0.08


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_coarser_grain_keeps_unit_variance(factor: int) -> None:
    grain = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    assert coarser_grain(grain, factor).var() == pytest.approx(1.0, abs=0.1)
    assert coarser_grain(grain, factor).shape[-1] == 256 // factor


def network(grain_blocks: int) -> WaveletGenerator:
    torch.manual_seed(0)
    net = WaveletGenerator(
        5, widths=(16, 16, 16, 8), noise_channels=8, spade_hidden=8, dropout=0.2, dropout_blocks=2,
        grain_blocks=grain_blocks,
    )  # fmt: skip
    return net.eval()


def test_the_published_network_has_no_grain() -> None:
    assert not [name for name, _ in network(0).named_parameters() if name.endswith("spade.grain")]
    assert len([name for name, _ in network(2).named_parameters() if name.endswith("spade.grain")]) == 4


def test_flat_labels_get_texture_that_is_no_regular_pattern() -> None:
    net = network(2)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("spade.grain"):
                parameter.fill_(1.0)
    onehot = torch.zeros(1, 5, 64, 64)
    onehot[:, 1] = 1
    z = torch.randn(1, 8)
    with torch.inference_mode():
        textured = net(onehot, z)[0, 0, 16:48, 16:48]
        plain = network(0)(onehot, z)[0, 0, 16:48, 16:48]
    assert textured.std() > 5 * plain.std()
    halves = torch.stack([textured[:, :16].flatten(), textured[:, 16:].flatten()])
    assert abs(float(torch.corrcoef(halves)[0, 1])) < 0.5


def test_trunk_and_tail_and_folding_agree_with_the_whole_network() -> None:
    net = network(2)
    onehot, z = labels(2), torch.randn(2, 8)
    with torch.inference_mode():
        whole = net(onehot, z)
        assert torch.allclose(net.tail(net.trunk(onehot, z)), whole)
        assert torch.allclose(fold_batch_norm(net)(onehot, z), whole, atol=1e-5)


def test_grain_in_3d() -> None:
    net = WaveletGenerator(3, spatial_dims=3, widths=(16, 8), noise_channels=4, spade_hidden=4, grain_blocks=1).eval()
    onehot = torch.zeros(1, 3, 8, 8, 8)
    onehot[:, 0] = 1
    assert net(onehot, torch.randn(1, 4)).shape == (1, 1, 8, 8, 8)


def test_shown_grain_is_as_strong_as_its_class_says() -> None:
    table = torch.tensor([0.0, 0.1])
    classes = torch.zeros(1, 64, 64, dtype=torch.long)
    classes[:, :, 32:] = 1
    torch.manual_seed(0)
    shown = Grain(table)(torch.zeros(1, 1, 64, 64), classes)
    assert shown[..., :32].abs().max() == 0
    assert 0.05 < shown[..., 32:].std() < 0.15
    image = torch.zeros(1, 1, 8, 8)
    assert Grain(None)(image, classes) is image


def test_class_means_are_compared_class_by_class() -> None:
    classes = torch.zeros(1, 16, 16, dtype=torch.long)
    classes[:, :, 8:] = 1
    target = torch.zeros(1, 1, 16, 16)
    image = target.clone()
    image[..., 8:] += 0.3
    assert class_mean_loss(image, target, classes, 3) == pytest.approx(0.15, abs=1e-5)
    noisy = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    noisy = noisy - torch.stack([noisy[..., :8].mean(), noisy[..., 8:].mean()]).repeat_interleave(8).view(1, 1, 1, 16)
    assert class_mean_loss(noisy, target, classes, 3) < 1e-6
    image.requires_grad_(True)
    class_mean_loss(image, target, classes, 3).backward()
    assert image.grad is not None and image.grad[..., 8:].abs().sum() > 0


def test_a_checkerboard_costs_and_noise_of_the_same_strength_hardly_does() -> None:
    classes = torch.ones(4, 64, 64, dtype=torch.long)
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 - 0.5
    noise = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5
    regular = periodic_pattern_loss(board.expand(4, 1, 64, 64) * 0.1, classes, 3)
    random = periodic_pattern_loss(noise * 0.1, classes, 3)
    assert regular > 4 * random
    assert periodic_pattern_loss(board.expand(4, 1, 64, 64), torch.zeros_like(classes), 3) == 0
