"""What a semantic anchor does to an unpaired training: class means of held-out made heads, with it and without.

Run it from the repository: python Testing/Benchmarks/anchor_in_training.py [iterations]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python"))

from training_example import Recorder, tiny_training, write_head

from MedUSISLib.training.run import train

SHAPE = (160, 190, 12)


def run(folder: Path, anchor: float, seed: int, iterations: int) -> dict[str, float]:
    folder.mkdir(parents=True)
    heads = {person: write_head(folder, f"head_{person}", number, SHAPE) for number, person in enumerate("abcd")}
    images = [
        {"image": str(heads[p][0]), "labels": str(heads[p][1]), "person": p, "split": split}
        for p, split in (("a", "train"), ("b", "train"), ("c", "validation"))
    ]
    maps = [{"labels": str(heads["d"][1]), "mapping": "head", "person": "d"}]
    weights: dict[str, Any] = {"adversarial": 1, "segmentation": 1, "mask": 1, "anchor": anchor, "ema": 0.95}
    rates: dict[str, Any] = {"generator_rate": 1e-3, "final_rate": 1, "discriminator_rate": 2e-3, "r1": 0.3}
    configuration = tiny_training(
        folder,
        seed=seed,
        network={"widths": [32, 32, 32, 16], "spade_hidden": 16, "noise_channels": 4},
        discriminator={"widths": [16, 16, 16], "detail_gain": 8},
        discriminator_crop=64,
        segmentator={"widths": [16, 32]},
        data={"pairing": "unpaired", "crop": [192, 160], "images": images, "label_maps": maps},
        phases=[{"name": "p", "iterations": iterations, **weights, **rates}],
        validate_every=iterations,
        checkpoint_every=iterations,
        batch_size=2,
    )
    return train(configuration, Recorder()).figures


def main() -> None:
    iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for seed in (1, 2):
        for anchor in (0.0, 1.0):
            with tempfile.TemporaryDirectory() as folder:
                started = time.monotonic()
                found = run(Path(folder) / "run", anchor, seed, iterations)
                print(
                    f"seed {seed}, anchor {anchor:g}: mean error {found['mean_error']:.3f}, correlation"
                    f" {found['correlation']:.3f}, {(time.monotonic() - started) / iterations:.2f} s an iteration",
                    flush=True,
                )


if __name__ == "__main__":
    main()
