"""What each measure brought: the same slice from the literal network to the prepared one, step by step.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/ladder.py [--rounds 5]

Processor milliseconds a 256x256 slice on one thread, the lowest of some rounds in which all steps ran in turn.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from naive_generator import NaiveWaveletGenerator  # noqa: E402
from standard_generator import ARGUMENTS, brightened, onehot_slices, standard_network  # noqa: E402

Step = tuple[str, Callable[[], object], Callable[[], object]]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    steps = ladder()
    best: dict[tuple[int, int], float] = {}
    for _ in range(arguments.rounds):
        for number, (_name, one, further) in enumerate(steps):
            for which, work in enumerate((one, further)):
                with torch.inference_mode():
                    began = time.process_time()
                    work()
                    spent = 1000 * (time.process_time() - began)
                best[number, which] = min(spent, best.get((number, which), spent))
    print("| step | one pass (ms) | to naive | each further pass (ms) | to naive |\n|---|---|---|---|---|")
    for number, (name, _one, _further) in enumerate(steps):
        one, further = best[number, 0], best[number, 1]
        print(f"| {name} | {one:.0f} | {best[0, 0] / one:.1f} x | {further:.0f} | {best[0, 1] / further:.1f} x |")
    print("operations of a slice (GFLOP): " + ", ".join(f"{name} {flop:.1f}" for name, flop in operations().items()))
    return 0


def operations() -> dict[str, float]:
    """GFLOP of a slice's trunk and tail, as they are and prepared."""
    from torch.utils.flop_counter import FlopCounterMode

    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet

    plain = brightened(standard_network())
    prepared = PreparedWavelet(plain, torch.float32)  # type: ignore[arg-type]
    onehot, z = onehot_slices(range(1)), torch.randn(1, 64)
    found = {}
    for name, network, noise in (("plain", plain, z), ("prepared", prepared, prepared.with_noise(z))):
        with torch.no_grad():
            with FlopCounterMode(display=False) as trunk:
                state = network.trunk(onehot, noise)  # type: ignore[operator]
            with FlopCounterMode(display=False) as tail:
                network.tail(state)  # type: ignore[operator]
        found |= {f"{name} trunk": trunk.get_total_flops() / 1e9, f"{name} tail": tail.get_total_flops() / 1e9}
    return found


def ladder() -> list[Step]:
    """Name, one pass without dropout, a further pass with it; each step keeps what the steps before it brought."""
    from MedUSISLib.networks.dropout import set_mc_dropout
    from MedUSISLib.networks.keep_masks import MaskSource
    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet

    spectral = standard_network()
    naive = NaiveWaveletGenerator(**ARGUMENTS).eval().requires_grad_(False)
    naive.load_state_dict(spectral.state_dict())
    onehot, z = onehot_slices(range(1)), torch.randn(1, 64)
    first = onehot.contiguous()
    folded = brightened(standard_network())
    last = brightened(standard_network()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared = PreparedWavelet(folded, torch.bfloat16)  # type: ignore[arg-type]
    half = onehot.bfloat16()

    def with_dropout(network: Any, work: Callable[[], object]) -> object:
        set_mc_dropout(network, True)
        try:
            return work()
        finally:
            set_mc_dropout(network, False)

    def in_bfloat16(work: Callable[[], object]) -> object:
        with torch.autocast("cpu", torch.bfloat16):
            return work()

    with torch.inference_mode():
        with torch.autocast("cpu", torch.bfloat16):
            state = last.trunk(onehot, z)
        noise = prepared.with_noise(z)
        prepared_state = prepared.trunk(half, noise)
    cpu = torch.device("cpu")
    return [
        ("naive", lambda: naive(first, z), lambda: with_dropout(naive, lambda: naive(first, z))),
        (
            "strided Haar transforms, constant noise not convolved over space, scale and shift by one convolution",
            lambda: spectral(first, z),
            lambda: with_dropout(spectral, lambda: spectral(first, z)),
        ),
        (
            "spectral norm folded",
            lambda: folded(first, z),
            lambda: with_dropout(folded, lambda: folded(first, z)),
        ),
        ("channels last", lambda: last(onehot, z), lambda: with_dropout(last, lambda: last(onehot, z))),
        (
            "bfloat16 (autocast)",
            lambda: in_bfloat16(lambda: last(onehot, z)),
            lambda: in_bfloat16(lambda: with_dropout(last, lambda: last(onehot, z))),
        ),
        (
            "what passes share computed once",
            lambda: in_bfloat16(lambda: last(onehot, z)),
            lambda: in_bfloat16(lambda: with_dropout(last, lambda: last.tail(state))),
        ),
        (
            "prepared: norms, noise, Haar sums and the last convolution folded, parity planes, weights in bfloat16",
            lambda: prepared.tail(prepared.trunk(half, noise)),
            lambda: prepared.tail(prepared_state, [_TorchMasks()]),  # type: ignore[list-item]
        ),
        (
            "dropout from 16 bits a value",
            lambda: prepared.tail(prepared.trunk(half, noise)),
            lambda: prepared.tail(prepared_state, [MaskSource(1, cpu)]),
        ),
    ]


class _TorchMasks:
    """Masks as ``torch.nn.Dropout`` draws them."""

    def keep(self, shape: Any, rate: float) -> torch.Tensor:
        return torch.empty(tuple(shape), dtype=torch.int16).bernoulli_(1 - rate).neg_()


if __name__ == "__main__":
    sys.exit(main())
