"""Rows about the network alone: passes against the yardstick, and convolutions against the processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from naive_generator import NaiveWaveletGenerator
from standard_generator import ARGUMENTS, CLASSES, brightened, onehot_slices, standard_network, torso_slice
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

SLICES = 4
PASSES = 11


@dataclass(frozen=True)
class NetworkFigures:
    """Seconds a slice unless said otherwise; each a list with one value per round."""

    naive: list[float]
    one_pass: list[float]
    further_pass: list[float]
    gemm: list[float]
    """FLOP/s of a matrix product in bfloat16 on one thread."""
    convolutions: list[float]
    """FLOP/s of the convolutions of a slice with ten passes on one thread, which is what each image has."""
    float32_difference: float
    bfloat16_difference: float
    bfloat16_999: float


def network_figures(rounds: int, say: Callable[[str], None]) -> NetworkFigures:
    """Naive, one pass, eleven passes and a matrix product in turn, so that a busy machine slows all of them."""
    from MedUSISLib.synthesis.passes import PassSampler, PassSettings

    network = standard_network()
    naive = NaiveWaveletGenerator(**ARGUMENTS).eval().requires_grad_(False)
    naive.load_state_dict(network.state_dict())
    brightened(network)
    labels = [torso_slice(number) for number in range(SLICES)]
    one, many = (PassSampler(network, _manifest("bfloat16"), PassSettings(passes=passes)) for passes in (1, PASSES))
    onehot, z = onehot_slices(range(1)).contiguous(), torch.randn(1, 64)
    alone = _on_one_thread(network, onehot, z)

    def drawn(sampler: PassSampler) -> None:
        import numpy as np

        for first in range(0, SLICES, 2):  # batches of two, as the engine makes them
            sampler.maps(np.stack(labels[first : first + 2]), keys=range(first, first + 2))

    found: dict[str, list[float]] = {"naive": [], "one": [], "many": [], "gemm": [], "convolutions": []}
    for number in range(rounds + 1):
        with torch.inference_mode():
            seconds = {"naive": _seconds(lambda: naive(onehot, z))}
        seconds["one"] = _seconds(lambda: drawn(one)) / SLICES
        seconds["many"] = _seconds(lambda: drawn(many)) / SLICES
        rates = dict(zip(("gemm", "convolutions"), alone(), strict=True))
        said = ", ".join(f"{name} {1000 * seconds[name]:.1f} ms" for name in ("naive", "one", "many"))
        say(f"round {number}: {said}")
        if number:  # the first one warms up
            for name, value in (seconds | rates).items():
                found[name].append(value)
    differences = _differences(network)
    return NetworkFigures(
        naive=found["naive"],
        one_pass=found["one"],
        further_pass=[(m - o) / (PASSES - 1) for m, o in zip(found["many"], found["one"], strict=True)],
        gemm=found["gemm"],
        convolutions=found["convolutions"],
        float32_difference=differences[0],
        bfloat16_difference=differences[1],
        bfloat16_999=differences[2],
    )


def ratio(above: list[float], below: list[float]) -> tuple[float, float, float]:
    """Median, lowest and highest ratio of two figures of the same rounds."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return median(ratios), min(ratios), max(ratios)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _on_one_thread(network: torch.nn.Module, onehot: torch.Tensor, z: torch.Tensor) -> Callable[[], list[float]]:
    """Measures FLOP/s of a matrix product and of our convolutions, one right after the other."""
    from MedUSISLib.networks.keep_masks import MaskSource
    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet

    prepared = PreparedWavelet(network, torch.bfloat16)  # type: ignore[arg-type]
    labels = onehot.bfloat16().contiguous(memory_format=torch.channels_last)
    first, second = (torch.randn(1024, 1024, dtype=torch.bfloat16) for _ in range(2))

    def drawn() -> None:
        state = prepared.trunk(labels, prepared.with_noise(z))
        for number in range(10):
            prepared.tail(state, [MaskSource(number, torch.device("cpu"))])

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        drawn()
    flop = counter.get_total_flops()

    def measured() -> list[float]:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                product = min(_seconds(lambda: first @ second) for _ in range(20))
                with profile(activities=[ProfilerActivity.CPU]) as profiled:
                    drawn()
        finally:
            torch.set_num_threads(threads)
        events = profiled.key_averages()
        spent = sum(event.self_cpu_time_total for event in events if "conv" in event.key and "aten" in event.key)
        return [2 * 1024**3 / product, flop / (spent * 1e-6)]

    return measured


def _differences(network: torch.nn.Module) -> tuple[float, float, float]:
    """Of prepared to plain images: float32, bfloat16 (the largest), bfloat16 (99.9 % of the pixels)."""
    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet

    onehot, z = onehot_slices(range(1)), torch.randn(1, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = network(onehot, z)
        found = []
        for dtype in (torch.float32, torch.bfloat16):
            prepared = PreparedWavelet(network, dtype)  # type: ignore[arg-type]
            found.append((prepared(onehot, prepared.with_noise(z)) - expected).abs())
    return float(found[0].max()), float(found[1].max()), float(found[1].flatten().quantile(0.999))


def _manifest(precision: str):  # type: ignore[no-untyped-def]
    from MedUSISLib.generators.manifest import DropoutDescription, Manifest, NetworkDescription

    return Manifest(
        id="standard",
        version="0.0.0",
        licence="none",
        modality="MR",
        body_region="torso",
        schema_id="torso",
        precision=precision,
        network=NetworkDescription(name="wavelet_generator", arguments={"number_of_classes": CLASSES}),
        dropout=DropoutDescription(rate=ARGUMENTS["dropout"]),
    )
