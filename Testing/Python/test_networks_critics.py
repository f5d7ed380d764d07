"""Discriminator and segmentator, in 2D and 3D."""

from __future__ import annotations

import pytest
import torch

from MedUSISLib.networks.equalised import EqualisedConvolution, blur
from MedUSISLib.networks.spectral_norm import fold_spectral_norm
from MedUSISLib.networks.unet_segmentator import UNetSegmentator
from MedUSISLib.networks.wavelet_discriminator import WaveletDiscriminator, minibatch_deviation


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("autocast", [False, True])
def test_discriminator_gives_one_logit_an_image_and_trains(dims: int, autocast: bool) -> None:
    judge = WaveletDiscriminator(dims, widths=(8, 12, 16), image_size=16)
    image = torch.randn(3, 1, *(16,) * dims, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        verdict = judge(image)
    assert verdict.shape == (3, 1) and verdict.dtype is torch.float32
    verdict.sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert all(p.grad is not None for p in judge.parameters())


def test_discriminator_refuses_other_sizes() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        WaveletDiscriminator(widths=(8, 8, 8), image_size=20)
    with pytest.raises(ValueError, match="was made for"):
        WaveletDiscriminator(widths=(8, 8), image_size=16)(torch.zeros(1, 1, 32, 32))
    assert WaveletDiscriminator(widths=(8, 8), image_size=(16, 32))(torch.zeros(1, 1, 16, 32)).shape == (1, 1)


def test_minibatch_deviation_sees_a_collapse() -> None:
    same, varied = torch.randn(1, 2, 4, 4).repeat(4, 1, 1, 1), torch.randn(4, 2, 4, 4)
    assert minibatch_deviation(same, 4).max() < 1e-3
    assert minibatch_deviation(varied, 4).min() > 0.3
    assert minibatch_deviation(torch.randn(6, 2, 4, 4), 4).shape == (6, 1, 4, 4)  # groups of 3


def test_equalised_convolution_keeps_the_variance() -> None:
    torch.manual_seed(0)
    out = EqualisedConvolution(2, 64, 64, 3)(torch.randn(4, 64, 16, 16))[..., 1:-1, 1:-1]
    assert out.std().item() == pytest.approx(1, abs=0.05)


def test_blur_halves_the_size_and_keeps_a_constant() -> None:
    image = torch.full((1, 2, 8, 8), 0.7)
    halved = blur(image, stride=2, padding=1, edge=True)
    torch.testing.assert_close(halved, torch.full((1, 2, 4, 4), 0.7))
    assert blur(torch.zeros(1, 1, 8, 8, 8), stride=1, padding=2).shape == (1, 1, 9, 9, 9)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("autocast", [False, True])
def test_segmentator_answers_every_pixel_and_trains(dims: int, autocast: bool) -> None:
    net = UNetSegmentator(5, dims, widths=(6, 8, 10))
    image = torch.randn(2, 1, *(16,) * dims, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = net(image)
    assert logits.shape == (2, 6, *(16,) * dims) and logits.dtype is torch.float32
    logits.square().sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert all(p.grad is not None for p in net.parameters())


def test_segmentator_refuses_sizes_that_do_not_halve() -> None:
    net = UNetSegmentator(5, widths=(6, 8, 10))
    assert net.size_multiple == 8
    with pytest.raises(ValueError, match="multiples of 8"):
        net(torch.zeros(1, 1, 12, 16))


def test_segmentator_folds_without_a_change() -> None:
    net = UNetSegmentator(5, widths=(6, 8, 10)).eval()
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        before = net(image)
        torch.testing.assert_close(fold_spectral_norm(net)(image), before)
    plain = UNetSegmentator(5, widths=(6, 8, 10), spectral=False)
    plain.load_state_dict(net.state_dict())
