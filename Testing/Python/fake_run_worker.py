"""A worker of runs whose only kind of job counts iterations, as fast as its request says: what runs must survive.

``python fake_run_worker.py FOLDER`` is ``python -m MedUSISLib.runs work FOLDER``; with ``job`` it is the child.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pydantic import BaseModel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.kinds import JobKind
from MedUSISLib.progress import Progress, Wish

KINDS = {"count": JobKind("count", "fake_run_worker:CountRequest", "fake_run_worker:count")}
WORKER = (sys.executable, __file__, "work")
CHILD = (os.environ.get("FAKE_STARTER", sys.executable), __file__, "job")
"""As in Slicer, a program may stand between that starts Python."""


class CountRequest(BaseModel):
    out: Path
    iterations: int = 10
    wait_s: float = 0.0
    behaviour: str = "count"
    patient: str = ""
    resume: bool = False


def count(request: CountRequest, progress: Progress) -> dict[str, float]:
    """A training without a network: its state is the number of the iteration."""
    request.out.mkdir(parents=True, exist_ok=True)
    checkpoint = request.out / "last.ckpt"
    iteration = int(checkpoint.read_text()) if request.resume and checkpoint.is_file() else 0
    with (request.out / "starts").open("a") as file:
        file.write(f"{os.getpid()} {iteration}\n")
    progress.stage("training: counting")
    if request.behaviour == "prepare":
        progress.stage("preparing the data")
        while True:
            progress.checkpoint()
            time.sleep(0.01)
    with progress.answering_wishes():
        while iteration < request.iterations:
            progress.checkpoint()
            wish = progress.wish
            if wish is Wish.FINISH:
                break
            if wish is not None:
                checkpoint.write_text(str(iteration))
                raise MedUSISError(ErrorCode.CANCELLED, f"paused at iteration {iteration}: a checkpoint is saved")
            misbehave(request, progress, iteration)
            time.sleep(request.wait_s)
            iteration += 1
            if iteration % 10 == 0:
                checkpoint.write_text(str(iteration))
            progress.step(iteration, request.iterations)
    checkpoint.write_text(str(iteration))
    (request.out / "result").write_text(str(iteration))
    return {"counted": iteration}


def misbehave(request: CountRequest, progress: Progress, iteration: int) -> None:
    if request.behaviour == "fail":
        raise MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air", "give a CT in HU", path=request.out)
    if request.behaviour == "lack_disk":
        raise OSError(errno.ENOSPC, "No space left on device", request.patient)
    if request.behaviour == "be_killed" and iteration == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if request.behaviour == "crash" and iteration == 3:
        os._exit(7)
    if request.behaviour == "be_deaf":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=False)
    if request.behaviour == "chatter" and iteration == 1:
        print(f"reading {request.patient}", file=sys.stderr)
        progress.warning("STRANGE", f"something about {request.patient}")
        picture = request.out / "samples" / "000001.png"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(b"png")
        progress.preview(picture)
        progress.metric("cases", 3)
        progress.metric("loss", 0.5, iteration=iteration)


if __name__ == "__main__":
    if sys.argv[1] == "job":
        from MedUSISLib.jobs.run import run_job, take_standard_output

        sys.exit(run_job(sys.argv[-1], take_standard_output(), KINDS))
    import logging

    from MedUSISLib.runs.worker import Worker

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    sys.exit(Worker(Path(sys.argv[-1]), CHILD, KINDS).work())
