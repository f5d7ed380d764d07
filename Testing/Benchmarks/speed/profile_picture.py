"""Where the time of a 256x256 slice goes, as a picture for docs/performance.md.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/profile_picture.py OUT.png

torch's profiler on one thread, standard widths, 31 classes: the literal network in float32, the prepared one in
bfloat16 once and for each further pass.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import naive_generator  # noqa: E402
import torch  # noqa: E402
from standard_generator import ARGUMENTS, brightened, onehot_slices, standard_network  # noqa: E402
from torch.profiler import ProfilerActivity, profile, record_function  # noqa: E402

SPADE = "SPADE: labels to scale and shift"
FEATURES = "convolutions of the features"
HAAR = "Haar transforms"
ELEMENTS = "scale, shift, activation, enlarging"
KINDS = {
    SPADE: "#5b8ec9",
    FEATURES: "#a9c9ea",
    HAAR: "#e08a63",
    ELEMENTS: "#f3c9ad",
    "spectral norm": "#b39ad0",
    "dropout masks": "#8fc48f",
    "the rest": "#cfcfcf",
}
REPEATS = 3


def main() -> int:
    """Profile and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bars = measured()
    for name, parts in bars.items():
        print(name, f"{sum(parts.values()):.0f} ms:", ", ".join(f"{k} {v:.1f}" for k, v in parts.items()))
    draw(bars, arguments.out)
    return 0


def measured() -> dict[str, Counter[str]]:
    """Milliseconds by kind for each bar."""
    from MedUSISLib.networks import prepared_layers, prepared_wavelet
    from MedUSISLib.networks.keep_masks import MaskSource

    spectral = standard_network()
    naive = naive_generator.NaiveWaveletGenerator(**ARGUMENTS).eval().requires_grad_(False)
    naive.load_state_dict(spectral.state_dict())
    prepared = prepared_wavelet.PreparedWavelet(brightened(spectral), torch.bfloat16)  # type: ignore[arg-type]
    onehot, z = onehot_slices(range(1)), torch.randn(1, 64)
    first, half = onehot.contiguous(), onehot.bfloat16()
    marked: list[tuple[Any, str, str]] = [
        (naive_generator, "naive_haar", HAAR),
        (naive_generator, "naive_inverse_haar", HAAR),
        (naive_generator._Spade, "forward", SPADE),
        (torch.nn.utils.parametrizations._SpectralNorm, "forward", "spectral norm"),
        (prepared_layers.PreparedNorm, "modulation", SPADE),
        (prepared_layers, "hadamard_", HAAR),
        (prepared_wavelet, "dropped", "dropout masks"),
    ]
    with ExitStack() as stack, torch.inference_mode():
        for place, name, kind in marked:
            stack.enter_context(mock.patch.object(place, name, _marking(getattr(place, name), kind)))
        noise = prepared.with_noise(z)
        state = prepared.trunk(half, noise)
        return {
            "naive,\nevery pass": _by_kind(lambda: naive(first, z)),
            "ours, shared\nby all passes": _by_kind(lambda: prepared.trunk(half, noise)),
            "ours,\neach pass": _by_kind(lambda: prepared.tail(state, [MaskSource(1, torch.device("cpu"))])),
        }


def _marking(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    @wraps(function)
    def marked(*arguments: Any, **named: Any) -> Any:
        with record_function(kind):
            return function(*arguments, **named)

    return marked


def _by_kind(work: Callable[[], object]) -> Counter[str]:
    """Each step counts as the kind of the innermost marked function around it, else by its name."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(REPEATS):
            work()
    result: Counter[str] = Counter(dict.fromkeys(KINDS, 0.0))
    for event in profiled.events():
        around = event
        while around is not None and around.name not in KINDS:
            around = around.cpu_parent
        kind = around.name if around is not None else _kind_of(event.name)
        result[kind] += event.self_cpu_time_total / 1000 / REPEATS
    return result


def _kind_of(name: str) -> str:
    if "conv" in name:
        return FEATURES
    simple = ("add", "mul", "leaky_relu", "upsample", "copy_", "cat", "tanh", "batch_norm", "relu")
    return ELEMENTS if any(part in name for part in simple) else "the rest"


def draw(bars: dict[str, Counter[str]], path: Path) -> None:
    """One bar for each, as shares of its own time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.4), dpi=110)
    names = list(bars)[::-1]
    for row, name in enumerate(names):
        total, left = sum(bars[name].values()), 0.0
        for kind, colour in KINDS.items():
            share = 100 * bars[name][kind] / total
            axes.barh(row, share, left=left, color=colour, label=kind if row == 0 else None, height=0.62)
            if share > 4:
                axes.text(left + share / 2, row, f"{bars[name][kind]:.0f}", ha="center", va="center", fontsize=9)
            left += share
        axes.text(101, row, f"{total:.0f} ms", va="center", fontsize=10, fontweight="bold")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 112)
    axes.set_xlabel("share of the processor time of a 256x256 slice (%); figures in ms, one thread")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.47, 1.24), ncols=4, fontsize=8.5, frameon=False)
    figure.savefig(path, bbox_inches="tight")


if __name__ == "__main__":
    sys.exit(main())
