"""SPADE does what its formula says - gamma and beta act as written, constant noise is folded exactly."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from MedUSISLib.networks.conditioning import Conditioning
from MedUSISLib.networks.spade import Spade, fold_batch_norm

CLASSES, NOISE = 5, 6


def onehot(*size: int, batch: int = 2) -> Tensor:
    return F.one_hot(torch.randint(0, CLASSES, (batch, *size)), CLASSES).movedim(-1, 1).float()


@pytest.fixture(params=[(8, 8), (4, 6, 8)], ids=["2D", "3D"])
def size(request: pytest.FixtureRequest) -> tuple[int, ...]:
    torch.manual_seed(0)
    return request.param


def make(size: tuple[int, ...]) -> Spade:
    spade = Spade(4, CLASSES, NOISE, hidden=7, spatial_dims=len(size))
    spade.norm.running_mean.uniform_(-2, 2)  # type: ignore[union-attr,operator]
    spade.norm.running_var.uniform_(0.2, 3)  # type: ignore[union-attr,operator]
    return spade


@pytest.mark.parametrize("training", [True, False])
def test_five_more_on_the_bias_of_beta_shifts_the_output_by_five(size: tuple[int, ...], training: bool) -> None:
    spade = make(size).train(training)
    x, condition = torch.randn(2, 4, *size), Conditioning(onehot(*size), torch.randn(2, NOISE), NOISE).at(1)
    before = spade(x, condition)
    with torch.no_grad():
        spade.beta.bias.add_(5)  # type: ignore[operator,union-attr]
        spade.norm.momentum = 0.0
    if not training:
        torch.testing.assert_close(spade(x, condition), before + 5)
    else:
        torch.testing.assert_close(spade(x, condition), before + 5)  # batch statistics are those of the same x


def test_one_more_on_the_bias_of_gamma_adds_the_normalised_input(size: tuple[int, ...]) -> None:
    spade = make(size).eval()
    x, condition = torch.randn(2, 4, *size), Conditioning(onehot(*size), torch.randn(2, NOISE), NOISE).at(1)
    before = spade(x, condition)
    with torch.no_grad():
        spade.gamma.bias.add_(1)  # type: ignore[operator,union-attr]
    torch.testing.assert_close(spade(x, condition), before + spade.norm(x))


def test_output_is_the_formula_written_out(size: tuple[int, ...]) -> None:
    spade = make(size).eval()
    labels, z, x = onehot(*size), torch.randn(2, NOISE), torch.randn(2, 4, *size)
    spread = z.view(2, NOISE, *(1,) * len(size)).expand(2, NOISE, *size)
    hidden = F.relu(spade.shared.convolution(torch.cat((spread, labels), 1)))
    expected = spade.norm(x) * (1 + spade.gamma(hidden)) + spade.beta(hidden)
    torch.testing.assert_close(spade(x, Conditioning(labels, z, NOISE).at(1)), expected)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (2, 2), (2, 5), (3, 3), (1, 2, 4), (4, 3, 8)])
def test_constant_noise_equals_a_map_of_it_with_its_gradient(shape: tuple[int, ...]) -> None:
    spade = make(shape).double()
    labels, z = onehot(*shape).double(), torch.randn(2, NOISE, dtype=torch.float64)
    spread = z.view(2, NOISE, *(1,) * len(shape)).expand(2, NOISE, *shape)
    weight = spade.shared.convolution.weight
    results = []
    for noise in (z, spread):
        out = spade.shared(Conditioning(labels, noise, NOISE).at(1))
        (gradient,) = torch.autograd.grad(out.square().sum(), weight)
        results.append((out, gradient))
    torch.testing.assert_close(results[0], results[1])


def test_folded_batch_norm_changes_nothing(size: tuple[int, ...]) -> None:
    spade = make(size).double().eval()
    x = torch.randn(2, 4, *size).double() * 3 + 1
    condition = Conditioning(onehot(*size).double(), torch.randn(2, NOISE).double(), NOISE).at(1)
    before = spade(x, condition)
    fold_batch_norm(spade)
    fold_batch_norm(spade)  # a second time does nothing
    torch.testing.assert_close(spade(x, condition), before)
    assert not list(spade.norm.buffers())


def test_batch_norm_is_not_folded_in_train_mode() -> None:
    with pytest.raises(ValueError, match="eval mode"):
        fold_batch_norm(make((8, 8)))


def test_labels_are_resized_with_nearest() -> None:
    labels, z = onehot(16, 32), torch.randn(2, NOISE, 16, 32)
    condition = Conditioning(labels, z, NOISE).at(4)
    torch.testing.assert_close(condition.labels, F.interpolate(labels, scale_factor=0.25, mode="nearest"))
    assert condition.noise is not None
    torch.testing.assert_close(condition.noise, F.interpolate(z, scale_factor=0.25, mode="nearest"))


def test_noise_of_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="noise is"):
        Conditioning(onehot(8, 8), torch.randn(2, NOISE + 1), NOISE)
    with pytest.raises(ValueError, match="no noise channels"):
        Conditioning(onehot(8, 8), torch.randn(2, NOISE), 0)
