"""The unsharp mask at the end of an exported generator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.networks.sharpening import sharpened


@given(strength=st.floats(0, 1), level=st.floats(-0.9, 0.9))
def test_flat_tissue_stays_as_it_is(strength: float, level: float) -> None:
    image = torch.full((1, 1, 8, 8), level)
    assert torch.allclose(sharpened(image, strength), image, atol=1e-6)


def test_the_highest_frequency_is_raised_by_the_strength() -> None:
    board = ((torch.arange(16)[:, None] + torch.arange(16)) % 2 - 0.5).view(1, 1, 16, 16) * 0.2
    inner = (..., slice(2, -2), slice(2, -2))
    assert torch.allclose(sharpened(board, 0.4)[inner], board[inner] * 1.4, atol=1e-6)


def test_zero_strength_changes_nothing_and_the_range_is_kept() -> None:
    image = torch.rand(1, 1, 6, 6, 6) * 2 - 1
    assert sharpened(image, 0.0) is image
    assert sharpened(image, 1.0).abs().max() <= 1
    assert sharpened(image, 1.0).shape == image.shape


def test_sharpening_is_an_argument_of_the_generator() -> None:
    from MedUSISLib.networks.wavelet_generator import WaveletGenerator

    torch.manual_seed(0)
    plain = WaveletGenerator(3, widths=(8, 8), noise_channels=4, spade_hidden=4).eval()
    sharp = WaveletGenerator(3, widths=(8, 8), noise_channels=4, spade_hidden=4, sharpening=0.4).eval()
    sharp.load_state_dict(plain.state_dict())
    onehot = torch.nn.functional.one_hot(torch.randint(3, (1, 16, 16)), 3).permute(0, 3, 1, 2).float()
    z = torch.randn(1, 4)
    assert torch.allclose(sharp(onehot, z), sharpened(plain(onehot, z), 0.4), atol=1e-6)
    assert sharp.sharpening == pytest.approx(0.4)
