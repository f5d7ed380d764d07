"""A worker process whose only kind of job behaves as its request says: what a launcher must survive.

Started as a script it is what ``python -m MedUSISLib.jobs run`` is; imported it gives the same kinds to the launcher.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from pydantic import BaseModel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Result
from MedUSISLib.jobs.kinds import JobKind
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress

KINDS = {"fake": JobKind("fake", "fake_worker:FakeRequest", "fake_worker:work", keeps="generators")}
COMMAND = (sys.executable, __file__)


class FakeRequest(BaseModel):
    behaviour: str
    out: Path
    ct: Path = Path("ct.nii.gz")


def work(request: FakeRequest, progress: Progress, generators: object = None) -> dict[str, object]:
    with atomic_output_directory(request.out) as partial:
        (partial / "half").write_text("x")
        Path(tempfile.mkstemp()[1]).write_text("a patient's data")
        progress.stage("working")
        globals()[request.behaviour](request, progress)
        (partial / "half").rename(partial / "whole")
    return {"dice": 0.5, "nothing": float("nan"), "histogram": [1, 2]}


def succeed(request: FakeRequest, progress: Progress) -> None:
    for done in range(1, 5):
        progress.step(done, 4)
    progress.metric("loss", 0.25, iteration=3)
    progress.warning("RESAMPLED", "the segmentation was in another grid")
    progress.preview(request.out / "slice.png")


def chatter(request: FakeRequest, progress: Progress) -> None:
    print("python was here")
    assert sys.__stdout__ is not None
    sys.__stdout__.write("original stream was here\n")
    os.write(1, b"a C library was here\n")
    subprocess.run([sys.executable, "-c", "print('a child was here')"], check=True)
    print(f"reading {request.ct} now", file=sys.stderr)


def say_where(request: FakeRequest, progress: Progress) -> None:
    """In which process, after how many others, in which workspace, beside how many temporary files."""
    workspace = Path(tempfile.gettempdir())
    progress.metric("pid", os.getpid())
    progress.metric("jobs before", len(WORKSPACES))
    WORKSPACES.append(workspace)
    progress.metric("workspace", workspace.stat().st_ino)
    progress.metric("temporary files beside", len([path for path in workspace.iterdir() if path.name[:3] == "tmp"]))


WORKSPACES: list[Path] = []


def look_often(request: FakeRequest, progress: Progress) -> None:
    for _ in range(6000):
        progress.checkpoint()
        time.sleep(0.1)


def lack_memory_with_much(request: FakeRequest, progress: Progress) -> None:
    much = b"x" * 200_000_000
    raise MemoryError(len(much))


def fail_by_name(request: FakeRequest, progress: Progress) -> None:
    raise MedUSISError(ErrorCode.NOT_A_CT, "the CT has no air", "give a CT in HU", path=request.ct)


def fail_without_name(request: FakeRequest, progress: Progress) -> None:
    raise ValueError(f"cannot make sense of {request.ct}")


def lack_memory(request: FakeRequest, progress: Progress) -> None:
    raise MemoryError


def lack_disk(request: FakeRequest, progress: Progress) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(request.ct))


def lack_package(request: FakeRequest, progress: Progress) -> None:
    import a_package_that_is_not_installed  # type: ignore[import-not-found] # noqa: F401


def sleep(request: FakeRequest, progress: Progress) -> None:
    time.sleep(60)


def compute(request: FakeRequest, progress: Progress) -> None:
    while time.process_time() < 1.6:  # starting took a part of it
        pass


def wait_for_a_batch(request: FakeRequest, progress: Progress) -> None:
    """As a training waits for its next batch (``training.prefetch``) while the disk of the data does not answer."""
    ThreadPoolExecutor(2).submit(time.sleep, 60).result()


def sleep_with_helper(request: FakeRequest, progress: Progress) -> None:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    progress.metric("helper", helper.pid)
    time.sleep(60)


def be_deaf(request: FakeRequest, progress: Progress) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sleep_with_helper(request, progress)


def leave_helper(request: FakeRequest, progress: Progress) -> None:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    progress.metric("helper", helper.pid)


def die(request: FakeRequest, progress: Progress) -> None:
    os._exit(7)


def be_killed(request: FakeRequest, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_for_lack_of_memory(request: FakeRequest, progress: Progress) -> None:
    os.write(2, b"OpenBLAS error: Memory allocation still failed after 10 retries, giving up.\n")
    os._exit(1)


def crash(request: FakeRequest, progress: Progress) -> None:
    ctypes.string_at(0)


def claim_success_then_die(request: FakeRequest, progress: Progress) -> None:
    progress._writer.write(Result(out="nowhere"))  # type: ignore[attr-defined]
    os._exit(3)


def behave(request: BaseModel, progress: Progress, generators: object = None) -> dict[str, object]:
    """Any verb's request, with the behaviour that the command line of this script names."""
    known = {"behaviour": sys.argv[2], **request.model_dump(include={"out", "ct"}, exclude_none=True)}
    return work(FakeRequest(**known), progress)


if __name__ == "__main__":
    from MedUSISLib.jobs.run import run_job, take_standard_output

    kinds = dict(KINDS)
    if sys.argv[1] == "--behaviour" or sys.argv[2:]:
        segment = "MedUSISLib.segmentation.request:SegmentationRequest"
        synthesis = "MedUSISLib.synthesis.request:SynthesisRequest"
        kinds = {
            "segment": JobKind("segment", segment, "__main__:behave", keeps="generators"),
            "synthesize": JobKind("synthesize", synthesis, "__main__:behave", keeps="generators"),
        }
    if sys.argv[1] == "--serve":
        from MedUSISLib.jobs.serve import serve

        sys.exit(serve(take_standard_output(), kinds=kinds))
    sys.exit(run_job(sys.argv[-1], take_standard_output(), kinds))
