"""A worker of a batch without a network: it does what the names of the CTs say. Run as a program it is that worker.

"die" kills its own process while it computes, "hang" never ends, "memory-2" runs out of memory twice, "fault" has a
fault of ours, "disk" finds the disk full, "bad" is no CT, "slow" takes 0.3 s, "gate" waits until a test opens it,
"once-die" dies at the first attempt; all others are done at once.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from MedUSISLib.batch.pool import CaseTask
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress

COMMAND = (sys.executable, str(Path(__file__).resolve()))
OPEN = "open"
"""File beside the inputs."""
GENERATOR_SHA256 = "FAKE_BATCH_SHA256"
"""Environment variable: what the results say of their generator."""


class FakeStages:
    """Stages of a case, as `synthesis_stages.SynthesisStages` has them."""

    def __init__(self, request: BatchRequest, device: str) -> None:
        self._request = request

    def prepare(self) -> None:
        """Nothing to load."""

    def read(self, task: CaseTask, progress: Progress) -> CaseTask:
        progress.checkpoint()
        note(task, "reading")
        if "bad" in task.ct.name:
            raise MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air", "give a CT in HU", task.ct)
        return task

    def compute(self, read: CaseTask, progress: Progress) -> CaseTask:
        note(read, "computing")
        print(f"a library talks of {read.ct}", flush=True)
        name = read.ct.name
        if "hang" in name:
            time.sleep(600)
        if "once-die" in name:
            if read.attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        elif "die" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "memory" in name and read.attempt <= 2:
            raise MemoryError
        if "fault" in name:
            raise ValueError(f"cannot do {read.ct}")
        if "slow" in name:
            for _ in range(30):
                progress.checkpoint()
                time.sleep(0.01)
        while "gate" in name and not (read.ct.parent / OPEN).exists():
            progress.checkpoint()
            time.sleep(0.01)
        return read

    def write(self, computed: CaseTask, progress: Progress) -> dict[str, Any]:
        if "disk" in computed.ct.name and not (computed.ct.parent / "space").exists():
            raise OSError(28, "No space left on device")
        request = self._request.synthesis(computed.ct, computed.ct, computed.out, computed.labels)
        with atomic_output_directory(computed.out, overwrite=True) as folder:
            write_result(folder, request.settings())
        note(computed, "written")
        return {"review": "review" in computed.ct.name}


def write_result(folder: Path, settings: dict[str, object]) -> None:
    """The files of a result, as small as can be."""
    for name in ("mr", "labels"):
        (folder / f"{name}.nii.gz").write_bytes(gzip.compress(b"voxels" * 100))
    generator = {"id": "fake", "sha256": os.environ.get(GENERATOR_SHA256, "")}
    (folder / "provenance.json").write_text(json.dumps({"generator": generator, "settings": settings}))
    (folder / "quality.json").write_text(json.dumps({"review": False, "verdict": "fine"}))
    (folder / "report.html").write_text("<p>SYNTHETIC - not for diagnosis</p>")


def note(task: CaseTask, what: str) -> None:
    """Leave a line beside the inputs: which case, what, alone or not."""
    with open(task.ct.parent / "notes", "a", encoding="utf-8") as notes:
        notes.write(f"{task.number} {what} {task.attempt} {'alone' if task.alone else 'beside'}\n")


if __name__ == "__main__":
    import MedUSISLib.batch.worker as worker
    from MedUSISLib.jobs.run import take_standard_output

    worker.SynthesisStages = FakeStages  # type: ignore[misc,assignment]
    sys.exit(worker.Worker(sys.stdin, take_standard_output()).work())
