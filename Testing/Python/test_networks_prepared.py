"""The prepared wavelet generator is the generator: cached, folded, with dropout, in float32 and in bfloat16."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from given_dropout import give_dropout
from torch import Tensor, nn

from MedUSISLib.networks.haar import haar_forward, haar_inverse
from MedUSISLib.networks.keep_masks import MaskSource, dropped
from MedUSISLib.networks.layers import linear_up, nearest_up
from MedUSISLib.networks.parity import (
    enlarged,
    from_parity,
    hadamard_,
    onto_parity,
    plus_doubled,
    thin_hadamard,
    times_doubled,
    to_parity,
)
from MedUSISLib.networks.precision import arithmetic
from MedUSISLib.networks.prepared_wavelet import PreparedWavelet
from MedUSISLib.networks.spectral_norm import fold_spectral_norm
from MedUSISLib.networks.wavelet_generator import WaveletGenerator

CPU = torch.device("cpu")
KINDS: dict[str, dict[str, Any]] = {
    "as published": {"widths": (32, 32, 16, 16), "dropout": 0.3, "dropout_blocks": 2},
    "wide": {"widths": (256, 256, 128, 64), "spade_hidden": 8, "dropout": 0.1, "dropout_blocks": 3},
    "grain and sharpening": {
        "widths": (32, 32, 16, 16),
        "dropout": 0.2,
        "dropout_blocks": 3,
        "grain_blocks": 2,
        "sharpening": 0.4,
    },
    "wide, with grain and sharpening": {
        "widths": (128, 256, 128),
        "spade_hidden": 8,
        "dropout": 0.2,
        "dropout_blocks": 2,
        "grain_blocks": 1,
        "sharpening": 0.4,
    },
    "dropout in the last block": {"widths": (32, 16, 16), "dropout": 0.3, "dropout_blocks": 1},
    "dropout everywhere": {"widths": (16, 32, 16, 16, 8), "dropout": 0.3, "dropout_blocks": 4},
    "one block": {"widths": (16, 8), "dropout": 0.5},
    "no dropout": {"widths": (16, 16, 8)},
    "no noise": {"widths": (16, 16, 8), "noise_channels": 0, "dropout": 0.3, "dropout_blocks": 2},
}


def generator(seed: int = 1, **arguments: Any) -> WaveletGenerator:
    """As after some training, folded as a bundle is."""
    torch.manual_seed(seed)
    network = WaveletGenerator(5, **arguments)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.05)
    return fold_spectral_norm(network).requires_grad_(False)


def inputs(network: WaveletGenerator, size: int = 1) -> tuple[Tensor, Tensor | None]:
    labels = torch.randint(0, 5, (2, size * network.size_multiple, 2 * size * network.size_multiple))
    onehot = F.one_hot(labels, 5).movedim(-1, 1).float().contiguous(memory_format=torch.channels_last)
    return onehot, torch.randn(1, network.noise_channels) if network.noise_channels else None


def plain(network: WaveletGenerator, onehot: Tensor, z: Tensor | None) -> Tensor:
    with torch.no_grad():
        return network(onehot, None if z is None else z.expand(len(onehot), -1))


def difference(image: Tensor, expected: Tensor) -> float:
    """The largest of all pixels."""
    return float((image - expected).abs().max())


@pytest.fixture(params=KINDS, ids=list(KINDS))
def arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_prepared_image_is_that_of_the_plain_network(
    arguments: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    for seed in range(4):
        network = generator(seed, **arguments)
        onehot, z = inputs(network, size=2)
        expected = plain(network, onehot, z)
        assert expected.std() > 0.05
        prepared = PreparedWavelet(network, dtype)
        image = prepared(onehot, prepared.with_noise(z))
        assert image.dtype is torch.float32
        assert difference(image, expected) < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_prepared_passes_are_those_of_the_plain_network_with_the_same_masks(
    arguments: dict[str, Any], dtype: torch.dtype, tolerance: float
) -> None:
    network = generator(**arguments)
    onehot, z = inputs(network)
    prepared = PreparedWavelet(network, dtype)
    state = prepared.trunk(onehot, prepared.with_noise(z))
    for number in range(4):
        seeds = [number, 100 + number]
        give_dropout(network, seeds)
        expected = plain(network, onehot, z)
        image = prepared.tail(state, [MaskSource(seed, CPU) for seed in seeds])
        assert difference(image, expected) < tolerance


@pytest.mark.filterwarnings("ignore:TF32")
def test_a_processor_without_onednn_draws_the_same() -> None:
    network = generator(**KINDS["wide"])
    onehot, z = inputs(network)
    with torch.backends.mkldnn.flags(enabled=False):
        prepared = PreparedWavelet(network, torch.float32)
        image = prepared.tail(prepared.trunk(onehot, prepared.with_noise(z)))
    assert difference(image, plain(network, onehot, z)) < 1e-5


def test_passes_leave_the_shared_state_as_it_is() -> None:
    network = generator(**KINDS["as published"])
    onehot, z = inputs(network)
    prepared = PreparedWavelet(network, torch.float32)
    state = prepared.trunk(onehot, prepared.with_noise(z))
    first = prepared.tail(state)
    noisy = prepared.tail(state, [MaskSource(1, CPU), MaskSource(2, CPU)])
    assert torch.equal(prepared.tail(state), first)
    assert (noisy - first).abs().max() > 0.05


def test_preparing_changes_nothing_in_the_network_and_shares_nothing_with_it() -> None:
    network = generator(**KINDS["grain and sharpening"])
    onehot, z = inputs(network)
    before, state = plain(network, onehot, z), {k: v.clone() for k, v in network.state_dict().items()}
    prepared = PreparedWavelet(network, torch.float32)
    image = prepared(onehot, prepared.with_noise(z))
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name
    for parameter in network.parameters():
        parameter.zero_()
    assert torch.equal(prepared(onehot, prepared.with_noise(z)), image)
    assert (image - before).abs().max() < 1e-5


def test_spectral_norm_that_is_not_folded_is_taken_at_its_value() -> None:
    torch.manual_seed(2)
    network = WaveletGenerator(5, widths=(16, 16, 8)).eval()
    onehot, z = inputs(network)
    prepared = PreparedWavelet(network, torch.float32)
    assert (prepared(onehot, prepared.with_noise(z)) - plain(network, onehot, z)).abs().max() < 1e-5


def test_what_cannot_be_prepared_is_refused() -> None:
    with pytest.raises(ValueError, match="eval mode"):
        PreparedWavelet(WaveletGenerator(5, widths=(16, 8)), torch.float32)
    with pytest.raises(ValueError, match="volumes"):
        PreparedWavelet(WaveletGenerator(5, spatial_dims=3, widths=(16, 8)).eval(), torch.float32)
    prepared = PreparedWavelet(generator(widths=(16, 8)), torch.float32)
    with pytest.raises(ValueError, match=r"\(1, 64\)"):
        prepared.with_noise(torch.zeros(2, 64))
    with pytest.raises(ValueError, match="multiples of"):
        prepared(torch.zeros(1, 5, 3, 4), prepared.with_noise(None))


@pytest.mark.parametrize("channels", [4, 128])  # planes that are thin, and thick
def test_parity_layout_says_what_the_haar_transform_says(channels: int) -> None:
    image = torch.randn(2, channels, 8, 12).contiguous(memory_format=torch.channels_last)
    planes = to_parity(image)
    assert torch.equal(from_parity(planes), image)
    bands = haar_forward(image)
    thin = thin_hadamard(4 * channels, image)
    assert (thin is None) == (channels == 128)
    torch.testing.assert_close(hadamard_(planes.clone(memory_format=torch.preserve_format), thin) / 2, bands)
    torch.testing.assert_close(onto_parity(bands, 1), planes)


def test_enlarging_in_parity_layout_is_the_network_s_own() -> None:
    bands, added = (torch.randn(2, 16, 4, 6).contiguous(memory_format=torch.channels_last) for _ in range(2))
    planes, small = onto_parity(bands, 1), onto_parity(added, 1)
    expected = haar_forward(linear_up(haar_inverse(bands))) + nearest_up(added)
    torch.testing.assert_close(onto_parity(enlarged(planes, small), 1), expected)
    large, scale = (torch.randn(2, 16, 8, 12).contiguous(memory_format=torch.channels_last) for _ in range(2))
    torch.testing.assert_close(plus_doubled(large, small), large + nearest_up(small))
    torch.testing.assert_close(times_doubled(large, scale, small), large + scale * nearest_up(small))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_masks_drop_at_their_rate_and_keep_the_rest_bit_for_bit(rate: float) -> None:
    x = torch.randn(2, 32, 64, 64).contiguous(memory_format=torch.channels_last)
    for values in (x, x.bfloat16()):
        kept = dropped(values, [MaskSource(4, CPU), MaskSource(5, CPU)], rate)
        gone = kept == 0
        assert torch.equal(kept[~gone], values[~gone])
        assert abs(float(gone.float().mean()) - rate) < 0.004  # 3 standard deviations of 2 * 131072 draws
        assert rate in (0.0, 1.0) or not torch.equal(gone[0], gone[1])


def test_masks_repeat_with_their_seed_and_go_on_without() -> None:
    first, second = MaskSource(4, CPU), MaskSource(4, CPU)
    one = first.keep((9, 5), 0.5)
    assert torch.equal(one, second.keep((9, 5), 0.5))
    assert not torch.equal(one, first.keep((9, 5), 0.5))
    assert set(one.unique().tolist()) == {-1, 0}


def test_bfloat16_is_used_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert arithmetic("float32", CPU) is torch.float32
    monkeypatch.setattr("MedUSISLib.networks.precision._cpu_has_bfloat16", lambda: True)
    assert arithmetic("bfloat16", CPU) is torch.bfloat16
    monkeypatch.setattr("MedUSISLib.networks.precision._cpu_has_bfloat16", lambda: False)
    assert arithmetic("bfloat16", CPU) is torch.float32
