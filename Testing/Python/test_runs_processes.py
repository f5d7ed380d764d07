"""Background runs with real processes: they outlive who started them, and every kind of death."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fake_run_worker
import pytest
from runs_example import (
    PATIENCE_S,
    SLOW,
    counting_store,
    end_worker,
    lives,
    remove,
    starts_of,
    submit,
    wait_for,
    wait_for_deaf,
    wait_for_iteration,
    wait_for_start,
    wait_for_state,
    worker_pid,
)

from MedUSISLib.runs.record import RunRecord
from MedUSISLib.runs.run import Run
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@pytest.fixture()
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = counting_store(tmp_path)
    yield store
    end_worker(store)


STARTER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from runs_example import counting_store, submit
submit(counting_store(Path(sys.argv[2])), iterations=100_000, wait_s=0.01)
print("submitted", flush=True)
time.sleep(60)
"""


def default_hang_up() -> None:
    """What was started with nohup ignores the end of its terminal, and so would its children."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def assert_goes_on_to_its_end(run: Run) -> None:
    wait_for_iteration(run, (run.status().iteration or 0) + 5)
    run.finish()
    wait_for_state(run, RunState.FINISHED)


def starter(folder: Path) -> list[str]:
    return [sys.executable, "-c", STARTER, str(Path(__file__).parent), str(folder)]


def test_a_run_goes_on_when_all_of_its_starter_is_killed(store: RunStore, tmp_path: Path) -> None:
    process = subprocess.Popen(starter(tmp_path), stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None and process.stdout.readline() == "submitted\n"
    (run,) = store.runs()
    wait_for_state(run, RunState.RUNNING)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert_goes_on_to_its_end(run)
    assert [first for _, first in starts_of(store)] == [0]


def test_a_run_goes_on_when_the_terminal_is_closed(store: RunStore, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        starter(tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: (default_hang_up(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )
    os.close(theirs)
    wait_for(lambda: bool(store.runs()) and worker_pid(store) > 0)
    (run,) = store.runs()
    wait_for_state(run, RunState.RUNNING)
    os.close(ours)
    assert process.wait(timeout=50) == -signal.SIGHUP  # it did end the starter, who would sleep for a minute
    assert_goes_on_to_its_end(run)


def test_the_worker_is_tied_to_nobody(store: RunStore) -> None:
    submit(store, **SLOW)
    wait_for(lambda: worker_pid(store) > 0)
    pid = worker_pid(store)
    assert os.getsid(pid) == pid != os.getsid(0)
    if sys.platform == "linux":
        assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull
        assert os.readlink(f"/proc/{pid}/fd/1").endswith("worker.log")


def test_a_killed_worker_takes_its_job_along_and_the_run_can_be_resumed(store: RunStore) -> None:
    run = submit(store, **SLOW)
    wait_for_iteration(run, 15)
    ((child, _),) = starts_of(store)
    os.kill(worker_pid(store), signal.SIGKILL)
    wait_for(lambda: not lives(child))
    wait_for_state(run, RunState.PAUSED)
    status = run.status()
    assert status.message == f"interrupted at iteration {status.iteration}"
    assert "resume" in status.hint
    run.resume()
    wait_for_iteration(run, (status.iteration or 0) + 1)
    checkpoint = starts_of(store)[1][1]
    assert checkpoint >= 10 and checkpoint % 10 == 0
    run.stop()
    wait_for_state(run, RunState.STOPPED)


def test_a_job_that_outlived_its_killed_worker_is_ended_before_the_run_goes_on(store: RunStore) -> None:
    run = submit(store, behaviour="be_deaf")
    child, helper = wait_for_deaf(store)
    wait_for(lambda: (record := RunRecord.read(run.folder)) is not None and record.child is not None)
    record = RunRecord.read(run.folder)
    assert record is not None and record.workspace is not None and Path(record.workspace, "job.json").is_file()
    os.kill(worker_pid(store), signal.SIGKILL)
    wait_for_state(run, RunState.PAUSED)
    assert lives(child)
    run.resume()
    wait_for_start(store, number=2)
    assert not lives(child) and not lives(helper)
    assert not Path(record.workspace).exists()


def test_a_killed_job_pauses_its_run_and_the_queue_goes_on(store: RunStore) -> None:
    killed, crashed, failed = (submit(store, name, behaviour=name) for name in ("be_killed", "crash", "fail"))
    last = submit(store, "last")
    wait_for_state(last, RunState.FINISHED)
    status = killed.status()
    assert status.state is RunState.PAUSED
    assert re.fullmatch(r"interrupted (at iteration [123]|while .*) \(signal SIGKILL\)", status.message)
    assert "memory" in status.hint
    status = crashed.status()
    assert (status.state, status.code) == (RunState.FAILED, "INTERNAL")
    status = failed.status()
    assert (status.state, status.code, status.message) == (RunState.FAILED, "NOT_A_CT", "the CT has no air")
    assert status.hint == "give a CT in HU"


STARTER_OF_SLICER = """#!/bin/sh
{python} "$@"
code=$?
if [ $code -gt 128 ]; then echo "error: the child did exit abnormally" >&2; exit 1; fi
exit $code
"""


def test_a_job_killed_behind_the_starter_of_slicer_is_interrupted_too(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = tmp_path / "PythonSlicer"
    starter.write_text(STARTER_OF_SLICER.format(python=sys.executable))
    starter.chmod(0o755)
    monkeypatch.setenv("FAKE_STARTER", str(starter))
    run = submit(store, behaviour="be_killed")
    wait_for_state(run, RunState.PAUSED)
    assert "it ended abnormally" in run.status().message and "memory" in run.status().hint
    run.remove()
    run = submit(store, resume=True, **SLOW)
    wait_for_iteration(run, 5)
    child = starts_of(store)[-1][0]
    os.kill(worker_pid(store), signal.SIGKILL)
    wait_for(lambda: not lives(child))
    wait_for_state(run, RunState.PAUSED)


def test_first_come_first_served_and_a_paused_run_blocks_nobody(store: RunStore) -> None:
    first = submit(store, "first", **SLOW)
    second, third, fourth = (submit(store, name) for name in ("second", "third", "fourth"))
    wait_for_state(first, RunState.RUNNING)
    assert [run.status().position_in_queue for run in (second, third, fourth)] == [1, 2, 3]
    assert [run.id for run in store.runs()] == [run.id for run in (fourth, third, second, first)]
    second.pause()
    assert second.status().state is RunState.PAUSED
    second.resume()
    assert [run.status().position_in_queue for run in (second, third, fourth)] == [3, 1, 2]
    third.stop()
    assert third.status().state is RunState.STOPPED
    first.pause()
    wait_for_state(second, RunState.FINISHED)
    wait_for(lambda: worker_pid(store) == 0)
    ended = [run.status().ended for run in (fourth, second)]
    assert None not in ended and ended == sorted(ended)  # type: ignore[type-var]
    assert first.status().state is RunState.PAUSED
    assert not (store.folder.parent / "third").exists()


def test_many_workers_at_once_do_every_run_once(store: RunStore) -> None:
    names = [f"run{number}" for number in range(4)]
    threads = [threading.Thread(target=submit, args=(store, name)) for name in names]
    extra = []
    for thread in threads:
        thread.start()
        extra.append(subprocess.Popen([*fake_run_worker.WORKER, str(store.folder)], stderr=subprocess.DEVNULL))
    for thread in threads:
        thread.join()
    for run in store.runs():
        wait_for_state(run, RunState.FINISHED)
    assert [process.wait(timeout=120) for process in extra] == [0] * len(extra)
    assert [len(starts_of(store, name)) for name in names] == [1] * len(names)


def test_two_looking_at_a_run_never_see_nonsense(store: RunStore) -> None:
    run, other = submit(store, iterations=40, wait_s=0.02), counting_store(store.folder.parent)
    seen: list[list[RunState]] = [[], []]

    def look(number: int) -> None:
        mine = (run, other.run(run.id))[number]
        while not seen[number] or seen[number][-1] is not RunState.FINISHED:
            state = mine.status().state
            if not seen[number] or seen[number][-1] is not state:
                seen[number].append(state)

    threads = [threading.Thread(target=look, args=(number,), daemon=True) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    known = [RunState.QUEUED, RunState.RUNNING, RunState.FINISHED]
    for states in seen:  # who looks too late misses one, but none comes back and no other is seen
        assert states == [state for state in known if state in states] and states[-1] is RunState.FINISHED, seen


def test_a_shutdown_pauses_the_run_with_a_checkpoint(store: RunStore) -> None:
    run, waiting = submit(store, **SLOW), submit(store, "waiting")
    wait_for_iteration(run, 5)
    os.kill(worker_pid(store), signal.SIGTERM)
    wait_for_state(run, RunState.PAUSED)
    assert "a checkpoint is saved" in run.status().message
    wait_for(lambda: worker_pid(store) == 0)
    assert waiting.status().position_in_queue == 1
    counting_store(store.folder.parent).wake()
    wait_for_state(waiting, RunState.FINISHED)


def test_a_removed_folder_ends_its_job_and_nothing_else(store: RunStore) -> None:
    run, other = submit(store, **SLOW), submit(store, "other")
    wait_for_iteration(run, 5)
    ((child, _),) = starts_of(store)
    remove(run.folder)
    wait_for_state(other, RunState.FINISHED)
    assert not lives(child)
    assert run.status().state is RunState.FAILED and "removed" in run.status().message


def test_a_removed_store_ends_its_worker(store: RunStore) -> None:
    run = submit(store, **SLOW)
    wait_for_iteration(run, 5)
    worker, ((child, _),) = worker_pid(store), starts_of(store)
    remove(store.folder)
    wait_for(lambda: not lives(child))
    wait_for(lambda: not lives(worker))


def test_nothing_but_the_job_file_knows_the_patient(store: RunStore) -> None:
    run = submit(store, behaviour="chatter", patient="/data/Doe_Jane/ct_1962.nii.gz")
    wait_for_state(run, RunState.FINISHED)
    worker = worker_pid(store)
    wait_for(lambda: not lives(worker))  # it tidies up
    status = run.status()
    assert status.warnings == (("STRANGE", "something about <path>"),)
    assert status.newest_sample == store.folder.parent / "a" / "samples" / "000001.png"
    events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["stage", "warning", "preview", "metric", "result"]
    assert "reading <patient>" in run.log_file.read_text()
    assert run.folder.stat().st_mode & 0o777 == store.folder.stat().st_mode & 0o777 == 0o700
    for path in store.folder.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path.name
            assert path.name == "job.json" or "Doe" not in path.read_text(), path.name


@pytest.mark.long
def test_whatever_is_killed_whenever_the_run_gets_to_its_end(store: RunStore) -> None:
    chance = random.Random(7)
    run = submit(store, iterations=400, wait_s=0.01)
    kills = 0
    while run.status().state is not RunState.FINISHED:
        time.sleep(chance.uniform(0.0, 2.5))
        state = run.status().state
        if state.resumable:
            run.resume()
        elif kills < 15:
            record = RunRecord.read(run.folder)
            assert record is not None
            child = record.child.pid if record.child is not None else 0
            victim = chance.choice([worker_pid(store), child])
            if victim:
                kills += 1
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
    assert kills > 5
    assert (store.folder.parent / "a" / "result").read_text() == "400"
    assert all(first % 10 == 0 for _, first in starts_of(store))
    assert not any(lives(pid) for pid, _ in starts_of(store))
    assert not [path for path in run.folder.iterdir() if path.name.endswith(".tmp")]
