"""Peak memory of a 512x512x400 head CT with 1 and with 20 passes.

    python Testing/Benchmarks/memory_512x512x400.py [--passes 1 20] [--generator head-t1w] [--mode slice]
        [--size 512 512 400] [--spacing 0.5 0.5 0.6] [--batch 2]

Every run is a process of its own, from files to files with report and quality, as ``medusis synthesize`` does it. The
peak is the highest resident memory that the operating system saw. The CT is a made head: memory does not depend on
what is in it. Without the bundled generator a random one of the same size is made.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SIZE_IJK = (512, 512, 400)
SPACING_MM = (0.5, 0.5, 0.6)
LIMIT_BYTES = 2.5e9
LIMIT_RATIO = 1.10


def main() -> int:
    """Run the benchmark and print its table; 1 when a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--generator", default="head-t1w")
    parser.add_argument("--mode", default="slice", choices=["slice", "three-view", "window"])
    parser.add_argument("--size", type=int, nargs=3, default=SIZE_IJK)
    parser.add_argument("--spacing", type=float, nargs=3, default=SPACING_MM)
    parser.add_argument("--batch", type=int, help="slices at once; the engine's own choice by default")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_one(json.loads(arguments.child))
        return 0
    with tempfile.TemporaryDirectory(prefix="medusis-benchmark-") as name:
        folder = Path(name)
        write_head(folder, tuple(arguments.size), tuple(arguments.spacing))
        generator = usable_generator(arguments.generator, folder)
        print("| passes | peak memory (GB) | at its peak | synthesizing (s) | all (s) |", flush=True)
        print("|---|---|---|---|---|", flush=True)
        peaks = []
        for passes in arguments.passes:
            request = {
                "ct": str(folder / "ct.nii.gz"),
                "segmentation": str(folder / "seg.nii.gz"),
                "labels": "head",
                "generator": generator,
                "out": str(folder / f"out{passes}"),
                "mode": arguments.mode,
                "passes": passes,
                "batch_size": arguments.batch,
                "device": "cpu",
            }
            done = subprocess.run(
                [sys.executable, __file__, "--child", json.dumps(request)], check=True, capture_output=True, text=True
            )
            figures = json.loads(done.stdout.splitlines()[-1])
            peaks.append(figures["peak"])
            print(
                f"| {passes} | {figures['peak'] / 1e9:.2f} | {figures['at']} "
                f"| {figures['timings']['synthesizing']:.0f} | {sum(figures['timings'].values()):.0f} |",
                flush=True,
            )
    return int(max(peaks) > LIMIT_BYTES or max(peaks) > LIMIT_RATIO * min(peaks))


def run_one(values: dict[str, object]) -> None:
    """Synthesize in this process; the last line printed is JSON with the peak and where it was reached."""
    from MedUSISLib.progress import Progress
    from MedUSISLib.synthesis.bookkeeping import peak_memory_bytes
    from MedUSISLib.synthesis.engine import synthesize
    from MedUSISLib.synthesis.request import SynthesisRequest

    class Watch(Progress):
        """Notes the peak at the end of each stage."""

        def __init__(self) -> None:
            self.peaks: list[tuple[str, int]] = []
            self.current = "loading"

        def stage(self, name: str) -> None:
            self.peaks.append((self.current, peak_memory_bytes()))
            self.current = name

    watch = Watch()
    result = synthesize(SynthesisRequest.model_validate(values), watch)
    watch.stage("")
    peak = watch.peaks[-1][1]
    # the first stage after which the peak no longer grew
    at = next(name for name, value in watch.peaks if value == peak)
    print(json.dumps({"peak": peak, "at": at, "timings": result.timings, "stages": dict(watch.peaks)}))


def write_head(folder: Path, size: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    """An ellipsoidal head of skin, soft tissue, skull, fluid, cortex and white matter, with noise of 10 HU."""
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    geometry = Geometry(size, spacing)  # type: ignore[arg-type]
    ct = np.empty(geometry.shape_kji, np.int16)
    labels = np.empty(geometry.shape_kji, np.uint8)
    half = [(n - 1) / 2 for n in reversed(size)]
    extent_mm = (0.47 * size[2] * spacing[2], 0.40 * size[1] * spacing[1], 0.32 * size[0] * spacing[0])
    axes = [(np.arange(n) - h) * s / e for n, h, s, e in zip(ct.shape, half, reversed(spacing), extent_mm, strict=True)]
    shells = ((1.0, 1, 20), (0.96, 2, -100), (0.94, 4, 1000), (0.86, 7, 5), (0.84, 8, 37), (0.78, 9, 30))
    rng = np.random.default_rng(0)
    plane = axes[1][:, None] ** 2 + axes[2][None, :] ** 2
    for k, height in enumerate(axes[0]):
        radius = np.sqrt(plane + height**2)
        hu = np.full(plane.shape, -1000.0, np.float32)
        label = np.zeros(plane.shape, np.uint8)
        for limit, index, value in shells:
            inside = radius <= limit
            hu[inside], label[inside] = value, index
        ct[k] = hu + rng.normal(0, 10, plane.shape)
        labels[k] = label
    write_volume(Volume(ct, geometry), folder / "ct.nii.gz")
    write_volume(Volume(labels, geometry), folder / "seg.nii.gz")


def usable_generator(name: str, folder: Path) -> str:
    """The generator asked for, or a random one of the size of ``head-t1w`` when there is none."""
    from MedUSISLib.errors import MedUSISError
    from MedUSISLib.generators.bundle import load_bundle
    from MedUSISLib.generators.manifest import DropoutDescription, Manifest, NetworkDescription
    from MedUSISLib.generators.writing import write_bundle

    try:
        load_bundle(name, kind="generator")
        return name
    except MedUSISError as error:
        print(f"({error.message}: a random generator is used)")
    from MedUSISLib.networks.factory import build_network

    arguments = {
        "number_of_classes": 16,
        "widths": [256, 256, 192, 128, 96, 64, 32],
        "spade_hidden": 32,
        "dropout": 0.1,
        "dropout_blocks": 3,
    }
    manifest = Manifest(
        id="random",
        version="0.0.0",
        licence="Apache-2.0",
        modality="T1w MR",
        body_region="head",
        schema_id="head",
        network=NetworkDescription(name="wavelet_generator", arguments=arguments),
        dropout=DropoutDescription(rate=0.1, blocks=3),
    )
    network = build_network("wavelet_generator", arguments, folded=True)
    # dark everywhere: the outline of a random picture fills the whole field of view, and measuring the distance
    # between such surfaces takes ten minutes
    network.to_bands.bias.data[0] = -10.0
    return str(write_bundle(folder / "random", manifest, network.state_dict(), "# random\n").directory)


if __name__ == "__main__":
    sys.exit(main())
