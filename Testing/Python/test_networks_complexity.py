"""Sizes and costs are those of the thesis."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from MedUSISLib.networks.complexity import measure, network_table


@pytest.fixture(scope="module")
def table() -> dict:
    return network_table(31)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("oasis_generator", 71.0), ("wavelet_generator", 54.1), ("wavelet_discriminator", 26.2), ("segmentator", 22.25)],
)
def test_parameters_are_within_one_percent(table: dict, name: str, millions: float) -> None:
    assert table[name]["parameters"] == pytest.approx(millions * 1e6, rel=0.01)


def test_wavelet_generator_costs_what_the_description_says(table: dict) -> None:
    assert table["wavelet_generator"]["gmac"] == pytest.approx(42.7, rel=0.01)
    assert table["wavelet_generator"]["gmac_constant_noise"] < 30


def test_counting_sees_dead_parameters() -> None:
    layer = nn.Linear(3, 5, bias=False)
    layer.unused = nn.Parameter(torch.zeros(100))
    result = measure(layer, torch.zeros(2, 3))
    assert result.parameters == 15
    assert result.gmac == pytest.approx(30e-9)


def test_three_dimensional_networks_are_counted_too() -> None:
    table = network_table(16, spatial_dims=3, size=64)
    assert all(row["parameters"] > 2e7 and row["gmac"] > 10 for row in table.values())


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        network_table(31, size=100)
    with pytest.raises(ValueError, match="at least one class"):
        network_table(0)
