"""What a batch gains by reading one case while it computes another, and by keeping the generator loaded.

    OMP_WAIT_POLICY=PASSIVE python Testing/Benchmarks/batch_overlap.py [--threads 1] [--cases 4] [--rounds 3]

Made heads go through the three stages of a worker: as single runs with a generator loaded for each, one after the other
in one thread, and in a `CasePipeline`. The three ways alternate in one process, so that what else the machine does
meets all of them; the figure of each is the median of its rounds. Wall time needs a second free core; the CPU time of
the stages, from which the best possible gain follows, does not.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

CLASSES = ((0, 1, 40), (3, 3, 50), (6, 4, 900), (9, 7, 5), (11, 8, 37), (15, 9, 30))
"""Shells of a head: depth (mm), class of the schema, HU."""


def write_head(folder: Path, size: int, slices: int) -> None:
    """A ball-shaped head with some noise, so that its files do not compress to nothing."""
    from MedUSISLib.imaging.geometry import Geometry
    from MedUSISLib.imaging.volume import Volume
    from MedUSISLib.imaging.writing import write_volume

    spacing = (220.0 / size, 220.0 / size, 160.0 / slices)
    grid = Geometry((size, size, slices), spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(grid.shape_kji, spacing[::-1], strict=True)]
    distance = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2)
    hu, labels = np.full(grid.shape_kji, -1000, np.int16), np.zeros(grid.shape_kji, np.uint8)
    for depth, label, value in CLASSES:
        inside = distance <= 75 - depth
        hu[inside], labels[inside] = value, label
    hu += np.random.default_rng(1).normal(scale=8, size=hu.shape).astype(np.int16)
    write_volume(Volume(hu, grid), folder / "ct.nii.gz")
    write_volume(Volume(labels, grid), folder / "seg.nii.gz")


class Measured:
    """Wall and CPU seconds of this process, and its highest memory, while a block runs."""

    def __enter__(self) -> Measured:
        self._process, self.peak, self._end = psutil.Process(), 0, threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *details: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self._end.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="that torch may use")
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--size", type=int, default=192, help="columns and rows of the CT")
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()

    import torch

    from MedUSISLib.batch.pipeline import CasePipeline
    from MedUSISLib.batch.pool import CaseTask, Failed, PoolEvent
    from MedUSISLib.batch.request import BatchRequest
    from MedUSISLib.batch.synthesis_stages import SynthesisStages
    from MedUSISLib.generators.bundle import Bundle
    from MedUSISLib.progress import Progress

    torch.set_num_threads(chosen.threads)
    loads = 0
    load = Bundle.load_network

    def counted(*arguments: object) -> object:
        nonlocal loads
        loads += 1
        return load(*arguments)  # type: ignore[arg-type]

    Bundle.load_network = counted  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_head(folder, chosen.size, chosen.slices)
        request = BatchRequest(input=folder, out=folder, labels="head", passes=chosen.passes, device="cpu")
        tasks = [
            CaseTask(number=n, ct=folder / "ct.nii.gz", segmentation=folder / "seg.nii.gz", out=folder / f"out-{n}")
            for n in range(chosen.cases)
        ]

        def prepared() -> SynthesisStages:
            stages = SynthesisStages(request, "cpu")
            stages.prepare()
            return stages

        spent: dict[str, list[float]] = {"reading": [], "computing": [], "writing": []}

        def through(stages: SynthesisStages, task: CaseTask) -> None:
            progress = Progress()
            value: object = task
            for name, step in zip(spent, (stages.read, stages.compute, stages.write), strict=True):
                began = time.process_time()
                value = step(value, progress)  # type: ignore[arg-type]
                spent[name].append(time.process_time() - began)

        def single() -> None:
            for task in tasks:
                through(prepared(), task)

        def in_a_row() -> None:
            stages = prepared()
            for task in tasks:
                through(stages, task)

        def overlapped() -> None:
            events: list[PoolEvent] = []
            pipeline = CasePipeline(prepared(), events.append)
            for task in tasks:
                pipeline.feed(task)
            pipeline.close()
            assert not [event for event in events if isinstance(event, Failed)], events

        ways: dict[str, Callable[[], None]] = {"single runs": single, "in a row": in_a_row, "overlapped": overlapped}
        through(prepared(), tasks[0])  # what the first run of a process costs more is not the question
        found: dict[str, list[tuple[float, float, float, int]]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for way, run in ways.items():
                for task in tasks:
                    shutil.rmtree(task.out, ignore_errors=True)
                loads = 0
                with Measured() as measured:
                    run()
                found[way].append((measured.wall, measured.cpu, measured.peak / 1e9, loads))
                print(f"{way}: {measured.wall:.1f} s, CPU {measured.cpu:.1f} s, {loads} loads", flush=True)
    stages_s = {name: statistics.median(values) for name, values in spent.items()}
    print("\nCPU seconds of a case: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages_s.items()))
    print(f"at best {sum(stages_s.values()) / max(stages_s.values()):.2f} times as many cases in the same time")
    print("\n| way | wall (s) | CPU (s) | cores | peak (GB) | networks loaded |\n|---|---|---|---|---|---|")
    for way, rounds in found.items():
        wall, cpu, peak, count = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"| {way} | {wall:.1f} | {cpu:.1f} | {cpu / wall:.2f} | {peak:.2f} | {count:.0f} |")


if __name__ == "__main__":
    main()
