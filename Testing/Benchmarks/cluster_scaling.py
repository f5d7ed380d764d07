"""How the throughput of a batch on a Ray cluster grows from one worker to two.

The sample head with the bundled head-t1w, again and again, each worker with one thread. A worker overlaps reading,
computing and writing, so one worker alone takes more than a core: it is measured on one core too, as it would be on a
machine of its own. Counted is from the moment when all workers have done a first case, which loads what they need.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from MedUSISLib.batch.local_pool import LocalPool, Place
from MedUSISLib.batch.pool import CaseTask, Failed, Finished, WorkerPool
from MedUSISLib.batch.ray_pool import RayPool
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.resources import resource_path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=6, help="that are counted, in each row")
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--local", action="store_true", help="child processes instead of Ray, for comparison")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"] = "1", "PASSIVE"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed")
    print(f"load before: {os.getloadavg()[0]:.2f}; {options.cases} cases, {options.passes} passes")
    print("| workers | cores | wall (s) | cases per hour | CPU per case (s) | times one worker on a core |")
    print("|---|---|---|---|---|---|")
    first = 0.0
    for workers, used in ((1, cores[:1]), (1, cores[:2]), (2, cores[:2])):
        os.sched_setaffinity(0, used)
        wall, cpu = measure(workers, options.cases, options.passes, options.local)
        os.sched_setaffinity(0, cores)
        rate = 3600 * options.cases / wall
        first = first or rate
        print(
            f"| {workers} | {len(used)} | {wall:.1f} | {rate:.0f} | {cpu / options.cases:.1f} | {rate / first:.2f} |",
            flush=True,
        )
    print(f"load after: {os.getloadavg()[0]:.2f}")


def measure(workers: int, cases: int, passes: int, local: bool) -> tuple[float, float]:
    """Wall time and CPU time (s) of so many cases."""
    ct, segmentation = (resource_path("SampleData", f"head_{name}.nii.gz") for name in ("ct", "seg"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cases").mkdir()
        request = BatchRequest(
            input=ct.parent, out=folder, labels="head", passes=passes, device="cpu", cluster=f"local:{workers}"
        )
        pool: WorkerPool
        pool = LocalPool(request, [Place("cpu", 1)] * workers) if local else RayPool(request)
        tasks = [
            CaseTask(number=n, ct=ct, segmentation=segmentation, labels="head", out=folder / "cases" / str(n))
            for n in range(1, cases + workers + 1)
        ]
        try:
            # Each of the first is alone with its worker.
            finish(pool, [task.model_copy(update={"alone": True}) for task in tasks[:workers]])
            began, before = time.perf_counter(), cpu_seconds()
            finish(pool, tasks[workers:])
            return time.perf_counter() - began, cpu_seconds() - before
        finally:
            pool.close()


def finish(pool: WorkerPool, tasks: list[CaseTask]) -> None:
    """Do the cases, with no more in hand than the pool takes."""
    waiting, in_hand = list(tasks), 0
    while waiting or in_hand:
        while waiting and in_hand < pool.capacity:
            pool.submit(waiting.pop(0))
            in_hand += 1
        for event in pool.events(1.0):
            if isinstance(event, Failed):
                raise SystemExit(f"{event.failure.code}: {event.failure.message}")
            in_hand -= isinstance(event, Finished)


def cpu_seconds() -> float:
    """Of everything that this process started and that still lives."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


if __name__ == "__main__":
    main()
