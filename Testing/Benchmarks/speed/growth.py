"""How the time of a synthesis grows with passes, slices, classes and size.

    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE .venv/bin/python Testing/Benchmarks/speed/growth.py [--rounds 3]

Processor milliseconds of the network on one thread (the lowest of some rounds), standard widths, bfloat16.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | one pass (ms) | each further pass (ms) |\n|---|---|---|")
    for name, settings in CASES.items():
        one, further = measured(arguments.rounds, **settings)
        print(f"| {name} | {one:.0f} | {further:.1f} |", flush=True)
    return 0


CASES: dict[str, dict[str, int]] = {
    "1 slice of 256x256, 31 classes": {},
    "2 slices": {"slices": 2},
    "8 slices": {"slices": 8},
    "20 passes instead of 10 (1 slice)": {"passes": 20},
    "8 classes": {"classes": 8},
    "62 classes": {"classes": 62},
    "128x128": {"size": 128},
    "384x384": {"size": 384},
    "512x512": {"size": 512},
}


def measured(rounds: int, slices: int = 1, passes: int = 10, classes: int = 31, size: int = 256) -> tuple[float, float]:
    """All slices together: one pass, and each further one."""
    from MedUSISLib.generators.manifest import DropoutDescription, Manifest, NetworkDescription
    from MedUSISLib.networks.wavelet_generator import WaveletGenerator
    from MedUSISLib.synthesis.passes import PassSampler, PassSettings

    torch.manual_seed(0)
    network = WaveletGenerator(classes, dropout=0.1, spectral=False).eval().requires_grad_(False)
    manifest = Manifest(
        id="growth",
        version="0.0.0",
        licence="none",
        modality="MR",
        body_region="any",
        schema_id="any",
        precision="bfloat16",
        network=NetworkDescription(name="wavelet_generator", arguments={"number_of_classes": classes}),
        dropout=DropoutDescription(rate=0.1),
    )
    coarse = np.random.default_rng(0).integers(0, classes, (slices, size // 16, size // 16)).astype(np.uint8)
    labels = coarse.repeat(16, axis=1).repeat(16, axis=2)
    best: dict[int, float] = {}
    for number in (1, passes):
        sampler = PassSampler(network, manifest, PassSettings(passes=number))
        for _ in range(rounds + 1):
            began = time.process_time()
            for first in range(0, slices, 2):
                sampler.maps(labels[first : first + 2], keys=range(first, min(first + 2, slices)))
            spent = 1000 * (time.process_time() - began)
            best[number] = min(spent, best.get(number, spent))
    return best[1], (best[passes] - best[1]) / (passes - 1)


if __name__ == "__main__":
    sys.exit(main())
