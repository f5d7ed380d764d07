"""The yardstick of the speed benchmarks draws what our generator draws, so that it measures the same work."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.haar import haar_forward, haar_inverse
from MedUSISLib.networks.prepared_wavelet import PreparedWavelet
from MedUSISLib.networks.wavelet_generator import WaveletGenerator

FOLDER = Path(__file__).parents[1] / "Benchmarks" / "speed"
ARGUMENTS = {"widths": (32, 32, 16, 16), "spade_hidden": 8, "dropout": 0.3}


@pytest.fixture(scope="module")
def naive() -> ModuleType:
    spec = importlib.util.spec_from_file_location("naive_generator", FOLDER / "naive_generator.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ours() -> WaveletGenerator:
    torch.manual_seed(1)
    network = WaveletGenerator(5, **ARGUMENTS)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network.eval()


def inputs() -> tuple[Tensor, Tensor]:
    return F.one_hot(torch.randint(0, 5, (2, 32, 48)), 5).movedim(-1, 1).float(), torch.randn(1, 64)


@torch.no_grad()
def test_naive_network_with_our_weights_draws_our_images(naive: ModuleType) -> None:
    network = ours()
    literal = naive.NaiveWaveletGenerator(5, **ARGUMENTS).eval()
    literal.load_state_dict(network.state_dict())
    onehot, z = inputs()
    expected = literal(onehot, z.expand(2, -1))
    assert expected.std() > 0.05
    assert (network(onehot, z.expand(2, -1)) - expected).abs().max() < 1e-4
    prepared = PreparedWavelet(network, torch.float32)
    assert (prepared(onehot, prepared.with_noise(z)) - expected).abs().max() < 1e-4


def test_naive_haar_transforms_are_ours(naive: ModuleType) -> None:
    image = torch.randn(2, 3, 6, 8)
    torch.testing.assert_close(naive.naive_haar(image), haar_forward(image))
    bands = torch.randn(2, 12, 3, 4)
    torch.testing.assert_close(naive.naive_inverse_haar(bands), haar_inverse(bands))


@torch.no_grad()
def test_naive_network_has_the_parameters_of_the_standard_one(naive: ModuleType) -> None:
    with torch.device("meta"):
        literal, network = naive.NaiveWaveletGenerator(31), WaveletGenerator(31)
    shapes = [{name: value.shape for name, value in net.state_dict().items()} for net in (literal, network)]
    assert shapes[0] == shapes[1]
