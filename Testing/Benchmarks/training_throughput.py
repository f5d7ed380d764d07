"""Images per second of a training against a naive loop, and what each measure brings; see README.md beside this file.

Networks, losses and batch are the same: those of head-t1w, or with --standard the generator of 54 M and the
discriminator of 25 M parameters. What is naive stands in naive_training.py.

    OMP_NUM_THREADS=1 python Testing/Benchmarks/training_throughput.py [--rounds 5] [--standard] [--batch 8]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

#: What each variant does without.
VARIANTS = {
    "ours": "",
    "without prepared cases": "data",
    "without the strided Haar transform": "haar",
    "without bfloat16": "bf16",
    "without channels last": "channels_last",
    "with noise as 64 maps": "noise",
    "with torch's spectral norm and Adam": "weights",
    "with images drawn for each player": "players",
    "without checkpointing": "checkpointing",
    "with all images before the discriminator at once": "parts",
    "with the heap as the C library leaves it": "heap",
    "naive": "data haar bf16 channels_last noise weights players r1",
}
ROWS, COLUMNS, SLICES = 256, 256, 176
PEOPLE = 3


def write_heads(folder: Path) -> None:
    """Made T1s with label maps: nested ellipsoids in the size, spacing and compression of real ones."""
    import nibabel
    import numpy as np

    brightness = np.array([0, 0.6, 0.95, 0.45, 0.15, 0.45, 0.03, 0.2, 0.5, 0.7, 0.6, 0.55, 0.65, 0.2, 0.5, 0.6])
    affine = np.diag([0.9, 0.9, 1.0, 1])
    for person in range(PEOPLE):
        rng = np.random.default_rng(person)
        axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in (ROWS, COLUMNS, SLICES)), indexing="ij")
        radius = np.sqrt(sum((x / rng.uniform(0.6, 0.8)) ** 2 for x in axes))
        radius += 0.05 * np.sin(9 * axes[0]) * np.sin(11 * axes[1]) * np.sin(8 * axes[2])
        labels = np.zeros(radius.shape, np.uint8)
        for limit, index in ((1.0, 1), (0.95, 2), (0.88, 4), (0.8, 7), (0.75, 8), (0.6, 9), (0.2, 10)):
            labels[radius < limit] = index
        image = brightness[labels] * 800 + rng.normal(0, 12, labels.shape)
        nibabel.save(nibabel.Nifti1Image(image.clip(0).astype(np.int16), affine), folder / f"{person}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, affine), folder / f"{person}-labels.nii.gz")


def configuration_in(folder: Path, precision: str, standard: bool, batch: int) -> Any:
    """The adversarial phase of head-t1w on the made heads, with its networks or the standard ones."""
    from MedUSISLib.resources import resource_path
    from MedUSISLib.training.configuration import configuration_from

    os.environ.setdefault("MEDUSIS_DATA", str(folder))
    import yaml

    content = yaml.safe_load(resource_path("Training", "head-t1w.yaml").read_text(encoding="utf-8"))
    heads = [{"image": f"{n}.nii.gz", "labels": f"{n}-labels.nii.gz", "person": str(n)} for n in range(PEOPLE)]
    data = content["data"] | {"images": heads, "label_maps": [], "pairing": "paired", "views": {"axial": 1.0}}
    phase = next(one for one in content["phases"] if one.get("adversarial")) | {"unpaired_share": 0.0}
    content |= {"data": data, "phases": [phase], "precision": precision, "threads": 1, "out": "out", "cache": "cache"}
    if standard:
        network = {"name": "wavelet_generator", "dropout": 0.2, "dropout_blocks": 3}
        content |= {"network": network, "discriminator": {"detail_gain": 12}, "discriminator_crop": None}
    return configuration_from(content | {"batch_size": batch, "device": "cpu"}, folder)


def measure(folder: Path, lacking: set[str], standard: bool, size: int) -> dict[str, float]:
    """Seconds of a batch, of a step with R1 and of one without, and the peak memory of this process."""
    import torch
    from naive_training import FromFiles, make_naive, noise_map, step_of_two_players

    make_naive(lacking)
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.progress import Progress
    from MedUSISLib.training.fabric import make_fabric
    from MedUSISLib.training.generator_data import GeneratorData
    from MedUSISLib.training.generator_networks import Adversaries
    from MedUSISLib.training.generator_step import Grain, PatchSampler, train_step
    from MedUSISLib.training.prefetch import Prefetch
    from MedUSISLib.training.sampling import noise_vectors, seed_step

    precision = "32-true" if "bf16" in lacking else "bf16-mixed"
    configuration = configuration_in(folder, precision, standard, size)
    schema, fabric = load_schema("head"), make_fabric(configuration)
    networks = Adversaries(configuration, schema, fabric)
    rng, phase = torch.Generator(), configuration.phases[0]
    patches, grain = PatchSampler(configuration.discriminator_crop, rng), Grain.of(configuration.grain, schema)
    if "data" in lacking:
        files = FromFiles(folder, configuration.data.crop, PEOPLE, SLICES, size)
        batches = Prefetch(lambda iteration, shift: files.batch(), 10**6, 0)
    else:
        data = GeneratorData(configuration, schema, Progress())
        batches = Prefetch(lambda iteration, shift: data.batch(phase, iteration), 10**6, configuration.loader_workers)

    step = step_of_two_players if "players" in lacking else train_step
    found: dict[str, list[float]] = {"batch": []}
    # Iteration 0 takes R1 and warms up what there is to warm up; 8 takes it again.
    for iteration in (0, 1, 8, 2):
        cpu, begun = time.process_time(), time.perf_counter()
        batch = batches.take(iteration, 0)
        found["batch"].append(time.perf_counter() - begun)
        noise = noise_vectors(networks.noise_channels, 0, iteration, range(size))
        if "noise" in lacking:
            noise = noise_map(noise, configuration.data.crop)
        seed_step(0, iteration, 0, rng)
        step(networks, batch, noise, phase, iteration, schema.number_of_classes, patches, grain)
        if iteration:
            kind = "without_r1" if iteration % phase.r1_every else "with_r1"
            found.setdefault(f"step {kind}", []).append(time.perf_counter() - begun)
            found.setdefault(f"cpu {kind}", []).append(time.process_time() - cpu)
    batches.close()
    result = {name: median(values) for name, values in found.items()}
    every = 1 if "r1" in lacking else phase.r1_every
    for clock in ("step", "cpu"):
        result[clock] = (result[f"{clock} with_r1"] + (every - 1) * result[f"{clock} without_r1"]) / every
    result["images_per_s"] = size / result["step"]
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return result


def main() -> None:
    """Every variant in a process of its own, one after the other, in so many rounds; medians as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="folder for the made heads and their cache; kept for another run")
    parser.add_argument("--standard", action="store_true", help="the generator of 54 M parameters, batch 4")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--only", nargs="*", choices=[*VARIANTS], default=[*VARIANTS], help="variants beside ours")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant is not None:
        lacking = set(VARIANTS[arguments.variant].split())
        print(json.dumps(measure(arguments.work, lacking, arguments.standard, arguments.batch)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / f"{PEOPLE - 1}-labels.nii.gz").is_file():
            write_heads(folder)
        rounds: list[dict[str, dict[str, float]]] = []
        for number in range(arguments.rounds + 1):
            of_round = {}
            # The first one fills the cache.
            for variant in dict.fromkeys(["ours", *arguments.only]) if number else ["ours"]:
                command = [sys.executable, __file__, "--work", str(folder), "--variant", variant]
                command += [f"--batch={arguments.batch}", *(["--standard"] if arguments.standard else [])]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                of_round[variant] = json.loads(done.stdout.splitlines()[-1])
                print(number, variant, json.dumps(of_round[variant]), file=sys.stderr, flush=True)
            if number:
                rounds.append(of_round)
    if not rounds:
        return
    for one in rounds:  # from the same steps, counted otherwise
        ours = one["ours"]
        every_step = {clock: ours[f"{clock} with_r1"] for clock in ("step", "cpu")}
        one["without lazy R1"] = {**ours, **every_step, "images_per_s": arguments.batch / every_step["step"]}
    print("| | images/s | wall time | images per CPU second | CPU time | a batch (s) | peak memory (GB) |")
    print("|---|---|---|---|---|---|---|")
    for variant in rounds[0]:
        mine = [one[variant] for one in rounds]
        wall, spent = (median(one[variant][c] / one["ours"][c] for one in rounds) for c in ("step", "cpu"))
        rate, batch, cpu, peak = (median(m[name] for m in mine) for name in ("images_per_s", "batch", "cpu", "peak_gb"))
        per_cpu = arguments.batch / cpu
        print(f"| {variant} | {rate:.2f} | {wall:.2f} | {per_cpu:.2f} | {spent:.2f} | {batch:.2f} | {peak:.2f} |")


if __name__ == "__main__":
    main()
