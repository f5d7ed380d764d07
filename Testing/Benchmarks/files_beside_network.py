"""What files cost beside one pass of the network, in processor seconds.

    OMP_NUM_THREADS=1 .venv/bin/python Testing/Benchmarks/files_beside_network.py [--size 512 512 100] [--packed]
        [--unlabelled 0.5] [--slice-mm 3]

The standard generator of the speed benchmark (54 M random parameters, slices of 256x256 of 1.5 mm, 3 mm apart) on a
made CT whose field of view is the generator's: 512x512 pixels are of 0.75 mm. Reading, conforming, restoring and
writing are run one after the other in this process, with the network loaded before, and their processor time is set
against that of the network. The clock of a run shows less: the weights are loaded while files are read, and maps packed
while the result is measured. Ends with 1 when files take more than 15 % of a pass.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "speed"))

from standard_generator import SIZE, torso_slice, write_generator

from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress, Silent
from MedUSISLib.synthesis.engine import compute_stage, read_stage
from MedUSISLib.synthesis.loaded_generators import LoadedGenerators
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.writing import write_maps

LIMIT = 0.15
FIELD_OF_VIEW_MM = 384.0
FAT = 2
"""Class that is not labelled in part of the slices: whoever segments organs leaves it out."""


class Watch(Progress):
    """Processor seconds of each stage of `compute_stage`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._began = "conforming", time.process_time()

    def stage(self, name: str) -> None:
        """Another one begins."""
        now = time.process_time()
        self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now - self._began
        self._name, self._began = name, now


def main() -> int:
    """Run the benchmark and print its table; 1 when files cost too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=[512, 512, 100])
    parser.add_argument("--packed", action="store_true", help="read .nii.gz (else .nii, as Slicer hands images over)")
    parser.add_argument("--unlabelled", type=float, default=0.0, help="share of the slices whose fat has no label")
    parser.add_argument("--slice-mm", type=float, default=3.0, help="of the CT; the generator's are 3 mm apart")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medusis-benchmark-") as name:
        folder = Path(name)
        suffix = ".nii.gz" if arguments.packed else ".nii"
        case = write_case(folder, (*arguments.size, arguments.slice_mm), suffix, arguments.unlabelled)
        request = SynthesisRequest.model_validate({
            **case, "generator": write_generator(folder), "out": folder / "out", "passes": 1, "device": "cpu",
        })  # fmt: skip
        generators = LoadedGenerators()
        generators.get(request.generator)
        rounds = [one_round(request, generators, folder / "maps") for _ in range(arguments.rounds)]
    print("| " + " | ".join(rounds[0]) + " | files, of one pass |")
    print("|" + "---|" * (len(rounds[0]) + 1))
    shares = [(sum(each.values()) - each["network"]) / each["network"] for each in rounds]
    middle = {stage: statistics.median(each[stage] for each in rounds) for stage in rounds[0]}
    share = statistics.median(shares)
    spread = f"{100 * min(shares):.1f} to {100 * max(shares):.1f}"
    print("| " + " | ".join(f"{seconds:.2f}" for seconds in middle.values()) + f" | {100 * share:.1f} % ({spread}) |")
    return int(share > LIMIT)


def one_round(request: SynthesisRequest, generators: LoadedGenerators, folder: Path) -> dict[str, float]:
    """Processor seconds from files to files."""
    began = time.process_time()
    read = read_stage(request, Progress(), generators)
    reading = time.process_time() - began
    watch = Watch()
    result = compute_stage(read, watch)
    watch.stage("writing")
    write_maps(result, folder, Silent(Progress()))
    watch.stage("")
    network = watch.seconds.pop("synthesizing")
    return {"reading, body": reading, **watch.seconds, "network": network}


def write_case(folder: Path, size: tuple[int, int, int, float], suffix: str, unlabelled: float) -> dict[str, str]:
    """A made CT and its labels, as a request has them; ``size`` ends with the distance of slices in mm."""
    columns, rows, slices, slice_mm = size
    spacing = (FIELD_OF_VIEW_MM / columns, FIELD_OF_VIEW_MM / rows, slice_mm)
    across, down = (np.arange(n) * SIZE // n for n in (columns, rows))
    values = np.concatenate(([-1000], np.random.default_rng(1).uniform(-150, 300, 30)))
    rng = np.random.default_rng(2)
    hu = np.empty((slices, rows, columns), np.int16)
    labels = np.empty(hu.shape, np.uint8)
    for k in range(slices):
        labels[k] = torso_slice(int(k * slice_mm / 3.0))[np.ix_(down, across)]
        hu[k] = values[labels[k]] + rng.normal(0, 10, labels[k].shape)
        if k < unlabelled * slices:
            labels[k][labels[k] == FAT] = 0
    geometry = Geometry((columns, rows, slices), spacing)
    write_volume(Volume(hu, geometry), folder / f"ct{suffix}")
    write_volume(Volume(labels, geometry), folder / f"labels{suffix}")
    return {"ct": str(folder / f"ct{suffix}"), "segmentation": str(folder / f"labels{suffix}"), "labels": "torso"}


if __name__ == "__main__":
    sys.exit(main())
