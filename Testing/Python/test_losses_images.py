"""Adversarial loss and R1 on a toy, L1, SSIM on its right scale, lesions, LabelMix."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from MedUSISLib.networks.wavelet_discriminator import WaveletDiscriminator
from MedUSISLib.training.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from MedUSISLib.training.losses.l1 import l1_loss
from MedUSISLib.training.losses.label_mix import label_mix_loss, label_mix_mask
from MedUSISLib.training.losses.lesion import lesion_loss
from MedUSISLib.training.losses.ssim import ssim_loss


def test_adversarial_losses_point_the_right_way() -> None:
    zero, good, bad = (torch.full((2, 1), v) for v in (0.0, 3.0, -3.0))
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert generator_loss(good) < generator_loss(bad)
    assert discriminator_loss(good, bad) < discriminator_loss(bad, good)


class Quadratic(nn.Module):
    """D(x) = a * sum(x^2): its gradient is 2 a x, so R1 is known."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x.square().flatten(1).sum(1, keepdim=True)


def test_r1_is_the_mean_square_of_the_gradient_and_trains_the_discriminator() -> None:
    judge, real = Quadratic(), torch.randn(3, 1, 4, 4)
    square = real.square().flatten(1).sum(1).mean()
    penalty = r1_penalty(judge, real, weight=10.0, every=16)
    torch.testing.assert_close(penalty, 16 * 5.0 * square * (2 * 0.5) ** 2)
    penalty.backward()
    torch.testing.assert_close(judge.a.grad, 16 * 5.0 * square * 8 * 0.5)  # d/da of 4 a^2
    assert real.grad is None


@pytest.mark.parametrize("dims", [2, 3])
def test_r1_goes_through_the_wavelet_discriminator_under_autocast(dims: int) -> None:
    judge = WaveletDiscriminator(dims, widths=(8, 8), image_size=8)
    with torch.autocast("cpu", torch.bfloat16):
        r1_penalty(judge, torch.randn(4, 1, *(8,) * dims)).backward()
    gradients = [p.grad for p in judge.parameters()]
    assert any(g is not None and g.abs().sum() > 0 for g in gradients)


def test_l1_in_a_mask_ignores_the_rest() -> None:
    image, target = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    target[..., 0, :] = 3
    mask = torch.zeros(1, 1, 4, 4)
    assert l1_loss(image, target).item() == pytest.approx(1.5)
    assert l1_loss(image, target, mask) == 0
    mask[..., 0, :] = 1
    assert l1_loss(image, target, mask).item() == pytest.approx(3)


def test_ssim_has_a_data_range_of_one_on_zero_to_one() -> None:
    torch.manual_seed(0)
    a, b = torch.rand(1, 1, 48, 48), torch.rand(1, 1, 48, 48)
    similarity = 1 - ssim_loss(a * 2 - 1, b * 2 - 1).item()
    reference = structural_similarity(
        a[0, 0].numpy(), b[0, 0].numpy(), data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert similarity == pytest.approx(reference, abs=0.02)
    assert similarity < 0.2  # two noise images; with a data range of 255 this would be 0.99
    assert ssim_loss(a, a).item() == pytest.approx(0, abs=1e-5)
    assert ssim_loss(torch.rand(1, 1, 12, 12, 12), torch.rand(1, 1, 12, 12, 12)).item() > 0.3


def test_small_lesions_count_as_much_as_large_ones() -> None:
    image, target = torch.zeros(3, 1, 8, 8), torch.full((3, 1, 8, 8), 0.5)
    lesion = torch.zeros(3, 1, 8, 8)
    lesion[0, :, :1, :1] = 1
    lesion[1, :, :6, :6] = 1  # the third sample has none
    assert lesion_loss(image, target, lesion).item() == pytest.approx(0.5)
    image.requires_grad_()
    nothing = lesion_loss(image, target, torch.zeros_like(lesion))
    nothing.backward()
    assert nothing == 0 and image.grad is not None and image.grad.abs().sum() == 0


def test_label_mix_takes_whole_classes_and_is_zero_for_a_linear_judge() -> None:
    labels = torch.randint(0, 6, (4, 8, 8))
    mask = label_mix_mask(labels, 6, torch.Generator().manual_seed(1))
    for sample in range(4):
        for index in range(6):
            assert mask[sample, 0][labels[sample] == index].unique().numel() <= 1
    assert 0 < mask.mean() < 1
    real, fake = torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8, requires_grad=True)
    assert label_mix_loss(nn.Conv2d(1, 3, 1), real, fake, mask).item() == pytest.approx(0, abs=1e-8)
    judge = nn.Conv2d(1, 3, 3, padding=1)
    loss = label_mix_loss(judge, real, fake, mask)
    loss.backward()
    assert loss > 1e-4 and judge.weight.grad is not None and fake.grad is None
