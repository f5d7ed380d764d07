"""How long a user waits for the first slice, cold and warm, and what files cost beside the network.

    python Testing/Benchmarks/start_up.py [--slices 32 128] [--rounds 3]

The standard generator of the speed benchmark (54 M random parameters, 31 classes, slices of 256x256, nothing is
downloaded) on made CTs of so many slices. "Cold" is the command ``medusis synthesize`` from its start, interpreters and
imports included; "warm" is a run in a worker that was used before, as Slicer keeps it. Both are told by the events of
the job: the network begins, and the first slice is computed. Then the run is ended, but for the last one: its stages
say how long reading, conforming, restoring and writing take beside one pass of the network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent / "speed"))

from standard_generator import write_case, write_generator

from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.jobs.events import Event, Result, Stage, Step, parse_event
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.process import SubprocessProcess
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.warm_worker import WarmWorker

FILE_STAGES = ("reading", "preparing", "restoring", "writing")
COLD_LIMIT_S, WARM_LIMIT_S, FILES_LIMIT = 4.0, 0.5, 0.15


@dataclass
class Wait:
    """Seconds from the beginning of a run to what it said."""

    spent: Callable[[], float]
    """Processor seconds of the run so far."""
    began: float = field(default_factory=time.perf_counter)
    network: float = 0.0
    first_slice: float = 0.0
    processor: float = 0.0
    """Processor seconds when the first slice was there."""
    stage: str = ""
    timings: dict[str, float] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Note when the network begins and when it has drawn a slice."""
        now = time.perf_counter() - self.began
        if isinstance(event, Stage):
            self.stage = event.name
            if event.name == "synthesizing":
                self.network = now
        elif isinstance(event, Step) and self.stage == "synthesizing" and not self.first_slice:
            self.first_slice, self.processor = now, self.spent()
        elif isinstance(event, Result):
            self.timings = dict(event.summary["timings"])


def main() -> int:
    """Run the benchmark and print its tables; 1 when a CT begins too late, or files cost too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    exceeded = False
    with tempfile.TemporaryDirectory(prefix="medusis-benchmark-") as name:
        folder = Path(name)
        generator = write_generator(folder)
        print("| slices | | the network begins (s) | first slice computed (s) | processor time of that (s) |")
        print("|---|---|---|---|---|", flush=True)
        for slices in arguments.slices:
            case = plain_files(write_case(folder, slices), folder)
            request = {**case, "generator": generator, "passes": 1, "device": "cpu"}
            cold = [first_slice_cold(request, folder / "out") for _ in range(arguments.rounds)]
            warm, last = first_slices_warm(request, folder / "out", arguments.rounds)
            row(slices, "cold: the command", cold)
            row(slices, "warm worker", warm)
            exceeded = exceeded or median(cold) > COLD_LIMIT_S or median(warm) > WARM_LIMIT_S
    network = last.timings["synthesizing"]
    files = sum(last.timings.get(stage, 0.0) for stage in FILE_STAGES)
    share = 100 * files / network
    print(f"\none pass of {slices} slices: {network:.1f} s; files: {files:.2f} s, {share:.1f} % of that")
    print(", ".join(f"{stage} {seconds:.2f}" for stage, seconds in last.timings.items()))
    return int(exceeded or files > FILES_LIMIT * network)


def plain_files(case: dict[str, str], folder: Path) -> dict[str, str]:
    """The same images as Slicer hands them over: not compressed."""
    write_volume(read_volume(case["ct"]), folder / "ct.nii")
    write_volume(read_label_map(case["segmentation"]), folder / "labels.nii")
    return {**case, "ct": str(folder / "ct.nii"), "segmentation": str(folder / "labels.nii")}


def first_slice_cold(request: dict[str, object], out: Path) -> Wait:
    """The command in a process of its own, ended when a slice is there."""
    options = [f"--{'seg' if name == 'segmentation' else name}={value}" for name, value in request.items()]
    command = [sys.executable, "-m", "MedUSISLib.cli", "synthesize", f"--out={out}", "--json-events", *options]
    environment = {**os.environ, "MEDUSIS_LOGS": f"{out}-logs"}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        wait = Wait(lambda: processor_seconds(process.pid), began)
        assert process.stdout is not None
        for line in process.stdout:
            event = parse_event(line)
            if event is not None:
                wait.hear(event)
            if wait.first_slice:
                process.terminate()
                break
        process.stdout.read()
    return wait


def first_slices_warm(request: dict[str, object], out: Path, rounds: int) -> tuple[list[Wait], Wait]:
    """Runs in one worker, all but the last ended when a slice is there; the very first one loads and is left out."""

    def command(idle_s: float) -> tuple[str, ...]:
        return (sys.executable, "-m", "MedUSISLib.jobs", "serve", "--idle-s", f"{idle_s:g}")

    worker = WarmWorker(SubprocessProcess, command, lambda: 600.0)
    waits = []
    try:
        for number in range(rounds + 2):
            job = JobSpecification(kind="synthesize", parameters={**request, "out": str(out)})
            before = processor_seconds(worker.pid)
            launcher = Launcher(job, worker.new_process())
            wait = Wait(lambda before=before: processor_seconds(worker.pid) - before)
            for event in launcher.events():
                wait.hear(event)
                if wait.first_slice and number <= rounds:
                    launcher.cancel(grace_s=30.0)  # the worker lives on
            waits.append(wait)
    finally:
        worker.close()
    return waits[1:], waits[-1]


def processor_seconds(pid: int | None) -> float:
    """Of a process and of those that it has started."""
    if pid is None:
        return 0.0
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def median(waits: list[Wait]) -> float:
    """Of the seconds to the first slice."""
    return statistics.median(wait.first_slice for wait in waits)


def row(slices: int, what: str, waits: list[Wait]) -> None:
    """Medians, and the range of the first slice."""
    firsts = [wait.first_slice for wait in waits]
    network = statistics.median(wait.network for wait in waits)
    spread = f"{min(firsts):.2f} to {max(firsts):.2f}"
    processor = statistics.median(wait.processor for wait in waits)
    print(f"| {slices} | {what} | {network:.2f} | {median(waits):.2f} ({spread}) | {processor:.2f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
