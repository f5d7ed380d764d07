"""How long a look at background runs takes, with a hundred of them in the store, ten of which wait.

    python Testing/Benchmarks/run_status.py

Slicer's page asks once a second, in the thread that draws the window.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.runs import store as store_module
from MedUSISLib.runs.record import RunRecord
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore

RUNS, WAITING, LOOKS = 100, 10, 50


def milliseconds(look: Callable[[], object]) -> str:
    """Median and worst of many looks."""
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        look()
        times.append(1000 * (time.perf_counter() - began))
    times.sort()
    return f"median {times[LOOKS // 2]:.1f} ms, worst {times[-1]:.1f} ms"


def main() -> None:
    store_module.start_detached = lambda command, log: None  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        job = JobSpecification(kind="segment", parameters={"ct": "/ct.nii.gz", "out": ""})
        for number in range(RUNS):
            parameters = {**job.parameters, "out": f"/out/{number}"}
            run = store.submit(job.model_copy(update={"parameters": parameters}), f"run {number}")
            if number < RUNS - WAITING:
                record = RunRecord.read(run.folder)
                assert record is not None
                record.model_copy(update={"state": RunState.FINISHED}).write(run.folder)
        newest, *_, oldest = store.runs()
        print(f"status of one that has ended: {milliseconds(oldest.status)}")
        print(f"status of one that waits: {milliseconds(newest.status)}")
        print(f"all {RUNS}: {milliseconds(lambda: [run.status() for run in store.runs()])}")


if __name__ == "__main__":
    main()
