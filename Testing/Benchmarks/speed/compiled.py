"""Whether compiling the passes pays on this machine: what `--compile` takes and what it brings.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/compiled.py [--rounds 30]

The standard generator, one 256x256 slice on one thread. Processor seconds, those of the compiler's own processes too;
both ways of drawing a pass in turn, the lowest and the median.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

import torch  # noqa: E402
from standard_generator import brightened, onehot_slices, standard_network  # noqa: E402


def main() -> int:
    """Print the table; ends with 1 when it could not be compiled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    from MedUSISLib.networks.keep_masks import MaskSource
    from MedUSISLib.networks.prepared_wavelet import PreparedWavelet
    from MedUSISLib.synthesis.bookkeeping import RecordingProgress
    from MedUSISLib.synthesis.compiled_tail import CompiledTail

    heard = RecordingProgress()
    network = PreparedWavelet(brightened(standard_network()), torch.bfloat16)  # type: ignore[arg-type]
    compiled = CompiledTail(network, heard)

    def sources() -> list[MaskSource]:
        return [MaskSource(1, torch.device("cpu"))]

    with torch.inference_mode():
        state = network.trunk(onehot_slices(range(1)), network.with_noise(torch.zeros(1, 64)))
        began = sum(os.times()[:4])
        first = compiled.attempt([state], lambda: compiled(state, sources()))
        spent = sum(os.times()[:4]) - began
        if first is None:
            print("; ".join(warning.message for warning in heard.warnings))
            return 1
        plain = network.tail(state, sources())
        seconds: dict[str, list[float]] = {"plain": [], "compiled": []}
        for _ in range(arguments.rounds):
            for name, tail in (("plain", network.tail), ("compiled", compiled)):
                start = time.process_time()
                tail(state, sources())  # type: ignore[operator]
                seconds[name].append(time.process_time() - start)
    for name, values in seconds.items():
        print(f"each further pass, {name}: {1000 * min(values):.1f} ms at least, median {1000 * median(values):.1f}")
    print(f"compiling: {spent:.1f} s of the processor; largest difference {float((first - plain).abs().max()):.1e}")
    gain = min(seconds["plain"]) - min(seconds["compiled"])
    print(f"passes until it has paid: {spent / gain:.0f}" if gain > 0 else "it never pays here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
