"""Both generators in 2D and 3D: shapes, range, trunk and tail, dropout passes, folding, autocast, gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.dropout import has_dropout, set_mc_dropout
from MedUSISLib.networks.factory import build_network, network_names
from MedUSISLib.networks.noise import spread_per_class, truncated_normal
from MedUSISLib.networks.spade import fold_batch_norm
from MedUSISLib.networks.spectral_norm import fold_spectral_norm

CLASSES = 4
GENERATORS = [(name, dims) for name in ("wavelet_generator", "oasis_generator") for dims in (2, 3)]


def onehot(*size: int, batch: int = 2) -> Tensor:
    return F.one_hot(torch.randint(0, CLASSES, (batch, *size)), CLASSES).movedim(-1, 1).float()


def arguments(dims: int, **more: Any) -> dict[str, Any]:
    return {"number_of_classes": CLASSES, "spatial_dims": dims, "widths": [32, 32, 16, 16], "spade_hidden": 8} | more


def make(name: str, dims: int, **more: Any) -> nn.Module:
    torch.manual_seed(3)
    net = build_network(name, arguments(dims, **more))
    for module in net.modules():  # statistics as after some training
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            module.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return net


def inputs(net: nn.Module, dims: int) -> tuple[Tensor, Tensor]:
    return onehot(*(2 * net.size_multiple,) * dims), torch.randn(2, 64)  # type: ignore[operator]


@pytest.fixture(params=GENERATORS, ids=[f"{name}-{dims}D" for name, dims in GENERATORS])
def kind(request: pytest.FixtureRequest) -> tuple[str, int]:
    return request.param


def test_image_has_the_size_of_the_labels_and_every_weight_a_gradient(kind: tuple[str, int]) -> None:
    net = make(*kind)
    labels, z = inputs(net, kind[1])
    image = net(labels, z)
    assert image.shape == (2, 1, *labels.shape[2:])
    assert image.abs().max() <= 1
    image.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_tail_of_trunk_equals_the_whole(kind: tuple[str, int], blocks: int) -> None:
    net = make(*kind, dropout=0.5, dropout_blocks=blocks).eval()
    labels, z = inputs(net, kind[1])
    with torch.no_grad():
        whole = net(labels, z)
        assert torch.equal(net.tail(net.trunk(labels, z)), whole)  # type: ignore[operator]
        if blocks:
            set_mc_dropout(net)
            torch.manual_seed(1)
            whole = net(labels, z)
            state = net.trunk(labels, z)  # type: ignore[operator]
            torch.manual_seed(1)
            assert torch.equal(net.tail(state), whole)  # type: ignore[operator]


def test_dropout_passes_differ_and_a_seed_repeats_them(kind: tuple[str, int]) -> None:
    net = make(*kind, dropout=0.3).eval()
    assert has_dropout(net)
    with torch.no_grad():
        state = net.trunk(*inputs(net, kind[1]))  # type: ignore[operator]
        assert torch.equal(net.tail(state), net.tail(state))  # type: ignore[operator]
        set_mc_dropout(net)
        torch.manual_seed(7)
        first, second = net.tail(state), net.tail(state)  # type: ignore[operator]
        torch.manual_seed(7)
        again = net.tail(state)  # type: ignore[operator]
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
    assert [m for m in net.modules() if m.training] == [m for m in net.modules() if isinstance(m, nn.Dropout)]


def test_folding_spectral_and_batch_norm_keeps_the_output(kind: tuple[str, int]) -> None:
    net = make(*kind).eval()
    labels, z = inputs(net, kind[1])
    with torch.no_grad():
        before = net(labels, z)
        folded = fold_spectral_norm(net)
        torch.testing.assert_close(folded(labels, z), before, atol=1e-6, rtol=1e-5)
        plain = build_network(kind[0], arguments(kind[1]), folded=True)
        plain.load_state_dict(folded.state_dict())  # what a bundle does
        torch.testing.assert_close(plain.eval()(labels, z), before, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(fold_batch_norm(plain)(labels, z), before, atol=1e-5, rtol=1e-4)


def test_noise_acts_and_none_is_the_mean_noise(kind: tuple[str, int]) -> None:
    net = make(*kind).eval()
    labels, z = inputs(net, kind[1])
    with torch.no_grad():
        assert not torch.allclose(net(labels, z), net(labels, -z))
        assert torch.equal(net(labels, None), net(labels, torch.zeros(2, 64)))
        deterministic = make(*kind, noise_channels=0).eval()
        assert deterministic(labels, None).shape == (2, 1, *labels.shape[2:])


def test_bfloat16_autocast_stays_close_and_trains(kind: tuple[str, int]) -> None:
    net = make(*kind)
    labels, z = inputs(net, kind[1])
    with torch.no_grad():
        exact = net.eval()(labels, z)
    with torch.autocast("cpu", torch.bfloat16):
        image = net(labels, z)
        assert image.dtype is torch.float32
        assert (image - exact).abs().max() < 0.05
        net.train()(labels, z).mean().backward()
    norms = [b.norm() for n, b in net.named_buffers() if n.endswith(("_u", "_v"))]
    torch.testing.assert_close(torch.stack(norms), torch.ones(len(norms)), atol=1e-5, rtol=0)


def test_channels_last_gives_the_same(kind: tuple[str, int]) -> None:
    net = make(*kind).eval()
    labels, z = inputs(net, kind[1])
    form: Any = torch.channels_last if kind[1] == 2 else torch.channels_last_3d
    with torch.no_grad():
        before = net(labels, z)
        other = net.to(memory_format=form)(labels.contiguous(memory_format=form), z)
    torch.testing.assert_close(other, before, atol=1e-5, rtol=1e-4)


def test_wrong_sizes_and_classes_are_refused(kind: tuple[str, int]) -> None:
    net = make(*kind)
    with pytest.raises(ValueError, match="multiples of"):
        net(onehot(*(net.size_multiple + 1,) * kind[1]), None)  # type: ignore[operator]
    with pytest.raises(ValueError, match="4 classes"):
        net(torch.zeros(1, 3, *(net.size_multiple,) * kind[1]), None)  # type: ignore[misc]


def test_standard_generators_need_the_multiples_of_the_description() -> None:
    with torch.device("meta"):
        assert build_network("wavelet_generator", {"number_of_classes": 31}).size_multiple == 64
        assert build_network("oasis_generator", {"number_of_classes": 31}).size_multiple == 32


def test_widths_that_are_no_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        build_network("wavelet_generator", arguments(3, widths=[32, 20]))


def test_unknown_names_and_arguments_are_refused() -> None:
    assert "unet" in network_names()
    with pytest.raises(ValueError, match="unknown network"):
        build_network("spade", {})
    with pytest.raises(ValueError, match="do not fit"):
        build_network("segmentator", {"number_of_classes": 3, "depth": 2})


def test_truncated_noise_stays_inside_and_repeats() -> None:
    draw = [truncated_normal((4000,), 1.5, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(draw[0], draw[1])
    assert draw[0].abs().max() <= 1.5
    assert abs(draw[0].mean()) < 0.05
    assert draw[0].std() == pytest.approx(0.743, abs=0.02)  # of N(0, 1) cut at 1.5
    assert truncated_normal((4000,), None, torch.Generator().manual_seed(5)).std() == pytest.approx(1, abs=0.04)
    with pytest.raises(ValueError, match="positive"):
        truncated_normal((1,), 0.0)


def test_every_class_can_have_its_own_noise() -> None:
    labels, z = onehot(4, 4), torch.randn(2, CLASSES, 6)
    spread = spread_per_class(z, labels)
    index = labels.argmax(1)
    assert torch.equal(spread[1, :, 2, 3], z[1, index[1, 2, 3]])
