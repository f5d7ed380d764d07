"""The Haar transform loses nothing, keeps lengths, and its gradient is its inverse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from MedUSISLib.networks.haar import haar_forward, haar_inverse


@st.composite
def images(draw: st.DrawFn) -> torch.Tensor:
    dimensions = draw(st.sampled_from((2, 3)))
    shape = [draw(st.integers(1, 2)), draw(st.integers(1, 3))]
    shape += [2 * draw(st.integers(1, 4)) for _ in range(dimensions)]
    seed = draw(st.integers(0, 2**31))
    scale = draw(st.sampled_from((1e-3, 1.0, 1e3)))
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)) * scale


@given(images())
@settings(max_examples=40, deadline=None)
def test_inverse_undoes_forward_and_forward_undoes_inverse(x: torch.Tensor) -> None:
    bands = haar_forward(x)
    torch.testing.assert_close(haar_inverse(bands), x)
    torch.testing.assert_close(haar_forward(haar_inverse(bands)), bands)


@given(images())
@settings(max_examples=40, deadline=None)
def test_scalar_products_are_kept(x: torch.Tensor) -> None:
    y = torch.flip(x, (2, 3)) + 1
    torch.testing.assert_close((haar_forward(x) * haar_forward(y)).sum(), (x * y).sum())


def test_bands_are_those_of_the_definition() -> None:
    a, b, c, d = 1.0, 2.0, 5.0, 11.0
    bands = haar_forward(torch.tensor([[a, b], [c, d]]).view(1, 1, 2, 2)).flatten()
    expected = [(a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]
    torch.testing.assert_close(bands, torch.tensor(expected))


def test_channels_are_bands_major() -> None:
    x = torch.randn(1, 3, 4, 4)
    for channel in range(3):
        alone = haar_forward(x[:, channel : channel + 1])
        torch.testing.assert_close(haar_forward(x)[:, channel::3], alone)


def test_bits_of_a_3d_band_are_its_axes() -> None:
    x = torch.zeros(1, 1, 4, 4, 4)
    x[:, :, 1::2] = 1  # varies along the first spatial axis only
    bands = haar_forward(x)[0].flatten(1).abs().sum(1)
    assert torch.nonzero(bands).flatten().tolist() == [0, 1]


def test_channels_last_gives_the_same() -> None:
    x = torch.randn(2, 8, 6, 4)
    other = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(haar_forward(other), haar_forward(x))
    torch.testing.assert_close(haar_inverse(other), haar_inverse(x))
    assert haar_inverse(other).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(1, 4, 2, 4), (1, 8, 2, 2, 2)])
@pytest.mark.parametrize("transform", [haar_forward, haar_inverse])
def test_first_and_second_derivatives(transform: object, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert gradcheck(transform, (x,))
    assert gradgradcheck(lambda t: transform(t).square(), (x,))  # type: ignore[operator]


def test_odd_sizes_and_wrong_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="even sizes"):
        haar_forward(torch.zeros(1, 1, 3, 4))
    with pytest.raises(ValueError, match="4 bands"):
        haar_inverse(torch.zeros(1, 6, 2, 2))
    with pytest.raises(ValueError, match="axes"):
        haar_forward(torch.zeros(4, 4))
