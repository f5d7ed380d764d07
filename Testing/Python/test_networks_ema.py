"""The weight average: ramped, with spectral norm's vectors and BatchNorm's statistics treated as what they are."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.ema import ExponentialMovingAverage, refresh_batch_norm
from MedUSISLib.networks.initialisation import Initialisation, initialise
from MedUSISLib.networks.spectral_norm import fold_spectral_norm, spectral_norm
from MedUSISLib.networks.wavelet_generator import WaveletGenerator


def generator(dropout: float = 0.0) -> WaveletGenerator:
    torch.manual_seed(0)
    return WaveletGenerator(4, widths=(32, 16), spade_hidden=8, dropout=dropout)


def batch() -> tuple[Tensor, Tensor]:
    return F.one_hot(torch.randint(0, 4, (4, 16, 16)), 4).movedim(-1, 1).float(), torch.randn(4, 64)


def train(net: nn.Module, ema: ExponentialMovingAverage, steps: int) -> None:
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        (net(*batch()) - 0.5).square().mean().backward()
        optimiser.step()
        ema.update(net)


def vectors(net: nn.Module) -> list[Tensor]:
    return [b for n, b in net.named_buffers() if n.endswith(("_u", "_v"))]


def test_decay_is_ramped() -> None:
    live = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(live.weight)
    ema = ExponentialMovingAverage(live, decay=0.5)
    nn.init.ones_(live.weight)
    expected = 0.0
    for step in range(30):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + 1 - decay
        ema.update(live)
        assert ema.network.weight.item() == pytest.approx(expected, rel=1e-5)  # type: ignore[union-attr,operator]
    assert ema.current_decay == 0.5


def test_spectral_vectors_are_the_live_ones_and_not_averaged() -> None:
    live = generator()
    ema = ExponentialMovingAverage(live, 0.99)
    train(live, ema, 5)
    assert vectors(live)
    for mine, theirs in zip(vectors(ema.network), vectors(live), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.norm() == pytest.approx(1, abs=1e-5)
    assert any(not torch.equal(a, b) for a, b in zip(ema.network.parameters(), live.parameters(), strict=True))


def test_refresh_measures_batch_norm_and_leaves_spectral_vectors_alone() -> None:
    live = generator(dropout=0.2)
    ema = ExponentialMovingAverage(live, 0.9)
    train(live, ema, 5)
    net = ema.network
    before = [v.clone() for v in vectors(net)]
    statistics = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in statistics:
        norm.running_mean.fill_(100.0)  # type: ignore[union-attr]
    refresh_batch_norm(net, [batch() for _ in range(4)])
    assert all(torch.equal(a, b) for a, b in zip(vectors(net), before, strict=True))
    assert all(norm.running_mean.abs().max() < 50 and norm.momentum == 0.1 for norm in statistics)  # type: ignore[union-attr]
    assert not any(module.training for module in net.modules())


def test_refreshed_statistics_are_those_of_the_batches() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2, affine=False))
    batches = [torch.randn(3, 2, 4, 4) + k for k in range(4)]
    refresh_batch_norm(net, batches)
    torch.testing.assert_close(net[0].running_mean, torch.cat(batches).mean((0, 2, 3)))
    with pytest.raises(ValueError, match="without a batch"):
        refresh_batch_norm(net, [])


def test_checkpoint_continues_where_it_stopped() -> None:
    live = generator()
    ema = ExponentialMovingAverage(live, 0.9)
    train(live, ema, 3)
    other = ExponentialMovingAverage(generator(), 0.9)
    other.load_state_dict(ema.state_dict())
    assert other.steps == 3
    torch.testing.assert_close(dict(other.network.state_dict()), dict(ema.network.state_dict()))


def test_spectral_norm_brings_the_largest_singular_value_to_one_and_folds_away() -> None:
    torch.manual_seed(0)
    layer = spectral_norm(initialise(nn.Conv2d(8, 12, 3), Initialisation.NORMAL, 0.5))
    for _ in range(30):
        layer(torch.randn(1, 8, 4, 4))
    layer.eval()
    weight = layer.weight.detach()  # type: ignore[operator,union-attr]
    assert torch.linalg.matrix_norm(weight.flatten(1), 2) == pytest.approx(1, abs=1e-3)
    x = torch.randn(1, 8, 4, 4)
    before = layer(x)
    fold_spectral_norm(layer)
    assert torch.equal(layer(x), before)
    assert not hasattr(layer, "parametrizations")


def test_initialisation_comes_before_spectral_norm() -> None:
    with pytest.raises(ValueError, match="before wrapping"):
        initialise(spectral_norm(nn.Conv2d(2, 2, 3)))
