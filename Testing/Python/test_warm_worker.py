"""A worker that stays between jobs: nothing of one job reaches the next, and it never outlives its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fake_worker
import psutil
import pytest

from MedUSISLib.jobs.events import Event, Failure, Metric, Result, Stage, Step
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.process import SubprocessProcess
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.warm_worker import WarmWorker, WorkerState

WAIT_S = 120.0


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def new_worker() -> Iterator[Callable[..., WarmWorker]]:
    made: list[WarmWorker] = []

    def make(idle_s: float = 600.0, answer_s: float = 120.0) -> WarmWorker:
        command = (*fake_worker.COMMAND, "--serve")
        made.append(WarmWorker(SubprocessProcess, lambda s: command, lambda: idle_s, answer_s=answer_s))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def launcher_of(worker: WarmWorker, behaviour: str, out: Path, private: Path | None = None) -> Launcher:
    job = JobSpecification(kind="fake", parameters={"behaviour": behaviour, "out": str(out)})
    return Launcher(job, worker.new_process(), fake_worker.COMMAND, kinds=fake_worker.KINDS, private=private)


def run(worker: WarmWorker, behaviour: str, out: Path) -> list[Event]:
    return list(launcher_of(worker, behaviour, out).events())


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def told(events: list[Event], name: str) -> float | None:
    return next(event.value for event in events if isinstance(event, Metric) and event.name == name)


def without_clock(events: list[Event]) -> list[Event]:
    return [replace(event, rate=None, eta_s=None) if isinstance(event, Step) else event for event in events]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_jobs_share_a_process_and_nothing_else(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker()
    first = run(worker, "say_where", tmp_path / "one")
    assert worker.state is WorkerState.READY and worker.memory_bytes > 5e6
    pid = worker.pid
    second = run(worker, "say_where", tmp_path / "two")
    assert [type(event) for event in first] == [type(event) for event in second]
    assert isinstance(second[-1], Result) and (tmp_path / "two" / "whole").is_file()
    assert told(first, "pid") == told(second, "pid") == worker.pid == pid
    assert told(first, "jobs before") == 0 and told(second, "jobs before") == 1
    # each has a workspace of its own, in which its temporary files were; nothing of it is left
    assert told(first, "workspace") != told(second, "workspace")
    assert told(first, "temporary files beside") == told(second, "temporary files beside") == 1
    assert list(temporary_folder.iterdir()) == []


def test_worker_says_what_a_run_of_its_own_says(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    alone = list(launcher_of(new_worker(idle_s=0), "succeed", tmp_path / "out").events())
    worker = new_worker()
    run(worker, "succeed", tmp_path / "out")
    assert without_clock(run(worker, "succeed", tmp_path / "out")) == without_clock(alone)


@pytest.mark.parametrize("behaviour", ["fail_by_name", "lack_memory_with_much", "lack_disk"])
def test_a_job_that_fails_by_name_leaves_the_worker_as_it_was(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path, behaviour: str
) -> None:
    worker = new_worker()
    run(worker, "succeed", tmp_path / "out")
    pid, before = worker.pid, worker.memory_bytes
    failure = run(worker, behaviour, tmp_path / "failed")[-1]
    assert isinstance(failure, Failure) and failure.code in ("NOT_A_CT", "OUT_OF_MEMORY", "DISK_FULL")
    assert worker.memory_bytes < before + 50e6  # 200 MB hung on the traceback
    assert isinstance(run(worker, "succeed", tmp_path / "out")[-1], Result)
    assert worker.pid == pid and list(temporary_folder.iterdir()) == [] and not (tmp_path / "failed").exists()


@pytest.mark.parametrize("behaviour", ["fail_without_name", "be_killed", "crash"])
def test_after_a_fault_the_next_job_gets_a_new_worker(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path, behaviour: str
) -> None:
    worker = new_worker()
    run(worker, "succeed", tmp_path / "out")
    pid = worker.pid
    failure = run(worker, behaviour, tmp_path / "failed")[-1]
    assert isinstance(failure, Failure) and failure.code == "INTERNAL"
    until(lambda: worker.state is WorkerState.OFF)
    assert pid is not None and is_gone(pid)
    assert isinstance(run(worker, "succeed", tmp_path / "out")[-1], Result)
    assert worker.pid not in (None, pid) and list(temporary_folder.iterdir()) == []


def cancelled(launcher: Launcher, on: type[Event], grace_s: float) -> Event:
    heard: list[Event] = []
    ready, ended = threading.Event(), threading.Event()

    def hear(event: Event) -> None:
        heard.append(event)
        if isinstance(event, on):
            ready.set()
        if isinstance(event, (Result, Failure)):
            ended.set()

    launcher.start(hear)
    assert ready.wait(WAIT_S)
    launcher.cancel(grace_s)
    assert ended.wait(WAIT_S)
    return heard[-1]


def test_a_cancelled_job_that_looks_at_its_checkpoint_leaves_the_worker_alive(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker()
    run(worker, "succeed", tmp_path / "out")
    pid = worker.pid
    last = cancelled(launcher_of(worker, "look_often", tmp_path / "cancelled"), Stage, grace_s=50.0)
    assert isinstance(last, Failure) and last.code == "CANCELLED"
    assert isinstance(run(worker, "succeed", tmp_path / "out")[-1], Result)
    assert worker.pid == pid
    assert list(temporary_folder.iterdir()) == [] and not (tmp_path / "cancelled").exists()


def test_a_deaf_job_is_killed_with_its_worker_and_its_helpers(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker()
    launcher = launcher_of(worker, "be_deaf", tmp_path / "cancelled")
    last = cancelled(launcher, Metric, grace_s=1.0)
    assert isinstance(last, Failure) and last.code == "CANCELLED"
    until(lambda: worker.state is WorkerState.OFF)
    assert list(temporary_folder.iterdir()) == []
    assert not [path for path in tmp_path.iterdir() if path != temporary_folder]


def test_worker_that_waits_too_long_ends_by_itself(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker(idle_s=0.5)
    pid = told(run(worker, "say_where", tmp_path / "out"), "pid")
    assert pid is not None
    until(lambda: worker.state is WorkerState.OFF)
    assert worker.memory_bytes == 0 and is_gone(int(pid))


def test_worker_that_does_not_answer_is_ended_and_the_job_starts_cold(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker(answer_s=0.5)
    run(worker, "succeed", tmp_path / "out")
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    events = run(worker, "say_where", tmp_path / "out")
    assert isinstance(events[-1], Result) and told(events, "pid") != pid
    assert is_gone(pid) and list(temporary_folder.iterdir()) == []


def test_worker_that_is_busy_is_not_waited_for_and_no_second_one_is_made(
    new_worker: Callable[..., WarmWorker], temporary_folder: Path, tmp_path: Path
) -> None:
    worker = new_worker()
    run(worker, "succeed", tmp_path / "out")
    pid = worker.pid
    busy = launcher_of(worker, "look_often", tmp_path / "busy")
    started = threading.Event()
    busy.start(lambda event: started.set())
    assert started.wait(WAIT_S) and worker.state is WorkerState.BUSY
    events = run(worker, "say_where", tmp_path / "other")
    assert isinstance(events[-1], Result) and told(events, "pid") != pid and told(events, "jobs before") == 0
    worker.end()  # after its job
    assert worker.state is WorkerState.BUSY
    busy.cancel(grace_s=50.0)
    assert busy.wait(WAIT_S)
    until(lambda: worker.state is WorkerState.OFF)


OWNER = """
import os, sys, threading
sys.path[:0] = {path!r}
import fake_worker
from test_warm_worker import launcher_of
from MedUSISLib.jobs.process import SubprocessProcess
from MedUSISLib.jobs.warm_worker import WarmWorker
from MedUSISLib.private_folder import PrivateFolder
from pathlib import Path
worker = WarmWorker(SubprocessProcess, lambda s: (*fake_worker.COMMAND, "--serve"), lambda: 600.0)
list(launcher_of(worker, "succeed", Path({out!r})).events())
if {busy!r}:
    started, private = threading.Event(), PrivateFolder("inputs").path
    (private / "ct.nii").write_text("a patient")
    launcher_of(worker, "sleep_with_helper", Path({out!r} + "2"), private).start(lambda event: started.set())
    started.wait()
print(worker.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_worker_ends_with_its_owner_and_leaves_nothing(tmp_path: Path, busy: bool) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    script = OWNER.format(path=sys.path, out=str(tmp_path / "out"), busy=busy)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=WAIT_S, env=environment)
    pid = int(done.stdout.splitlines()[-1])
    until(lambda: is_gone(pid))
    until(lambda: list(temporary.iterdir()) == [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "temporary"]


def test_only_jobs_that_keep_something_are_done_by_a_worker_that_stays(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(JobSpecification(kind="devices", parameters={}).model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "MedUSISLib.jobs", "serve", "--idle-s", "600"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(f"{job}\n")
        worker.stdin.flush()
        said = ""
        while '"ended"' not in said:
            said += worker.stdout.readline()
        worker.stdin.close()
        assert worker.wait(WAIT_S) == 0
    assert "BAD_SETTING" in said and "it does: segment, synthesize" in said
