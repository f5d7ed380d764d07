"""Children that hang are ended and named; those that work, wait for others or were stopped by their user are not."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import fake_worker
import numpy as np
import psutil
import pytest

from MedUSISLib.dataset.workers import for_each
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.jobs.events import EventWriter, Failure, JobProgress, Metric, Result, Stage
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.process import SubprocessProcess
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.warm_worker import WarmWorker
from MedUSISLib.progress import Progress
from MedUSISLib.segmentation.totalsegmentator import run_totalsegmentator
from MedUSISLib.stillness import LIMIT_VARIABLE, Stillness


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    return folder


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For children that must not be taken for stuck while a busy machine keeps them waiting."""
    monkeypatch.setenv(LIMIT_VARIABLE, "3")


def launcher_for(tmp_path: Path, behaviour: str, **options: object) -> Launcher:
    job = JobSpecification(kind="fake", parameters={"behaviour": behaviour, "out": str(tmp_path / "out")})
    return Launcher(job, command=fake_worker.COMMAND, kinds=fake_worker.KINDS, **options)  # type: ignore[arg-type]


@pytest.mark.fault
@pytest.mark.parametrize("behaviour", ["sleep", pytest.param("be_deaf", marks=pytest.mark.long), "wait_for_a_batch"])
def test_a_job_that_hangs_is_ended_and_leaves_nothing(tmp_path: Path, behaviour: str) -> None:
    launcher = launcher_for(tmp_path, behaviour)
    events = list(launcher.events())
    last = events[-1]
    assert isinstance(last, Failure) and last.code == "TIMED_OUT" and last.hint, last
    assert launcher.exit_code == 34
    helpers = [int(event.value or 0) for event in events if isinstance(event, Metric)]
    assert not [pid for pid in helpers if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.fault
def test_a_job_that_computes_in_silence_is_left_alone(tmp_path: Path) -> None:
    assert isinstance(list(launcher_for(tmp_path, "compute").events())[-1], Result)


@pytest.mark.fault
def test_a_worker_that_hangs_costs_its_job_and_the_next_one_gets_another(tmp_path: Path, patient: None) -> None:
    worker = WarmWorker(SubprocessProcess, lambda s: (*fake_worker.COMMAND, "--serve"), lambda: 600.0)
    try:
        codes = []
        for behaviour in ("sleep", "succeed"):
            last = list(launcher_for(tmp_path, behaviour, process=worker.new_process()).events())[-1]
            codes.append(last.code if isinstance(last, Failure) else "")
        assert codes == ["TIMED_OUT", ""]
    finally:
        worker.close()


def test_who_waits_for_another_process_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    progress = JobProgress(EventWriter(stream))
    progress.checkpoint()
    assert stream.getvalue() == ""
    monkeypatch.setattr(JobProgress, "ALIVE_S", 0.0)
    time.sleep(0.01)
    progress.checkpoint()
    assert json.loads(stream.getvalue()) == {"event": "alive"}


def test_a_listener_hears_nothing_of_that(tmp_path: Path) -> None:
    heard: list[object] = []
    launcher = launcher_for(tmp_path, "succeed")
    launcher._listener = heard.append
    launcher.output_line('{"event": "alive"}')
    launcher.output_line('{"event": "stage", "name": "x"}')
    assert heard == [Stage("x")]


class Clock:
    """Seconds as a test wants them."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_in_which_the_computer_slept_does_not_count() -> None:
    clock = Clock()
    still = Stillness(list, clock)
    still.look(10.0)
    clock.now += 3600.0
    assert still.look(10.0) == 0.0, "nothing to look at: nobody is stuck"
    script = "import time; print('asleep', flush=True); time.sleep(60)"
    sleeping = psutil.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert sleeping.stdout is not None and sleeping.stdout.readline() == b"asleep\n"
        while sleeping.status() != psutil.STATUS_SLEEPING:  # what it computes before that would count
            time.sleep(0.01)
        time.sleep(0.3)
        still = Stillness(lambda: [sleeping], clock)
        clock.now += 10.0
        still.look(10.0)  # all that it has done since it began
        clock.now += 3600.0
        assert still.look(10.0) == 20.0
        clock.now += 10.0
        assert still.look(10.0) == 30.0
        still.hear()
        clock.now += 10.0
        assert still.look(10.0) == 0.0
        sleeping.suspend()
        os.waitpid(sleeping.pid, os.WUNTRACED)
        clock.now += 10.0
        assert still.look(10.0) == 0.0, "its user has stopped it"
    finally:
        sleeping.kill()
        sleeping.wait()


# TotalSegmentator, a guest in a process of its own

GUEST = """
import sys, time
def main():
    what = "%s"
    if what == "hang": time.sleep(60)
    if what == "memory": sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate /data/Doe_Jane")
    if what == "disk": sys.exit("OSError: [Errno 28] No space left on device: '/data/Doe_Jane'")
    if what == "killed":
        import os
        os.kill(os.getpid(), 9)
    if what == "fails": sys.exit("KeyError: 'Doe^Jane'")
    if what == "writes":
        print("much " * 100_000, file=sys.stderr)
        import shutil
        shutil.copy(sys.argv[sys.argv.index("-i") + 1], sys.argv[sys.argv.index("-o") + 1])
"""
IMAGE = Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), Geometry((4, 3, 2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))


def guest(folder: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "guest" / "totalsegmentator"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "bin" / "__init__.py").touch()
    (package / "bin" / "TotalSegmentator.py").write_text(GUEST % what)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("hang", ErrorCode.TIMED_OUT),
        ("memory", ErrorCode.OUT_OF_MEMORY),
        ("killed", ErrorCode.OUT_OF_MEMORY),
        ("disk", ErrorCode.DISK_FULL),
        ("fails", ErrorCode.INTERNAL),
    ],
)
def test_a_guest_that_fails_is_ended_and_named(
    tmp_path: Path, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, what: str, code: ErrorCode
) -> None:
    guest(tmp_path, what, monkeypatch)
    monkeypatch.setenv(LIMIT_VARIABLE, "1" if what == "hang" else "60")
    with pytest.raises(MedUSISError) as caught:
        run_totalsegmentator(IMAGE, "ct", "cpu", Progress())
    assert caught.value.code is code and caught.value.hint and "Doe" not in str(caught.value)
    assert list(temporary_folder.iterdir()) == []


def test_a_guest_that_works_is_heard_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guest(tmp_path, "writes", monkeypatch)
    monkeypatch.setenv(LIMIT_VARIABLE, "60")
    assert (run_totalsegmentator(IMAGE, "ct", "cpu", Progress()).array_kji == IMAGE.array_kji).all()


# Files of a scan


def look_at(seconds: float) -> str:
    time.sleep(seconds)
    return "read"


@pytest.mark.fault
def test_a_file_that_hangs_a_scan_is_named_and_the_others_are_read(patient: None) -> None:
    """Two processes: the hanging one takes the other's answers along, which are asked for again."""
    answers = dict(for_each(look_at, [0.0, 600.0, 0.0], 2, Progress(), lambda seconds: "hangs"))
    assert answers == {0: "read", 1: "hangs", 2: "read"}
