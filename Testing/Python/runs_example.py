"""Runs of made jobs in a store of their own, for the tests of background runs."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import fake_run_worker
import psutil

from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.runs.claim import Claim
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.runs.run import Run
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore

SLOW = {"iterations": 100_000, "wait_s": 0.01}
"""Parameters of a job that does not end by itself."""
PATIENCE_S = 120.0


def counting_store(folder: Path) -> RunStore:
    """A store whose jobs count."""
    return RunStore(folder / "runs", worker_command=fake_run_worker.WORKER, kinds=fake_run_worker.KINDS)


def submit(store: RunStore, name: str = "a", **parameters: object) -> Run:
    """Queue a counting job that writes beside the store."""
    given = {"out": str(store.folder.parent / name), **parameters}
    return store.submit(JobSpecification(kind="count", parameters=given), name)


def wait_for(what: Callable[[], bool]) -> None:
    """Until it is so; an error after two minutes."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def wait_for_state(run: Run, *states: RunState) -> None:
    """Until the run is in one of the states; an error that says what it is instead."""
    end = time.monotonic() + PATIENCE_S
    while (status := run.status()).state not in states:
        assert status.state is not RunState.FINISHED and time.monotonic() < end, status
        time.sleep(0.02)


def wait_for_iteration(run: Run, iteration: int) -> None:
    """Until it has come so far."""
    wait_for(lambda: (run.status().iteration or 0) >= iteration)


def starts_of(store: RunStore, name: str = "a") -> list[tuple[int, int]]:
    """Process and first iteration of each time that a counting job began."""
    text = (store.folder.parent / name / "starts").read_text()
    return [(int(pid), int(first)) for pid, first in (line.split() for line in text.splitlines())]


def wait_for_start(store: RunStore, name: str = "a", number: int = 1) -> int:
    """Until a counting job has begun so many times; the process of the last time."""

    def begun() -> bool:
        with suppress(OSError):
            return len(starts_of(store, name)) >= number
        return False

    wait_for(begun)
    return starts_of(store, name)[number - 1][0]


def wait_for_deaf(store: RunStore, name: str = "a") -> tuple[int, int]:
    """Until a job that hears nothing has gone so far that it does; its process and that of its helper."""
    child = wait_for_start(store, name)
    wait_for(lambda: len(psutil.Process(child).children()) == 1)
    return child, psutil.Process(child).children()[0].pid


def remove(folder: Path) -> None:
    """As a user does it who does not know that somebody writes there."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)  # what is being written just now is there a moment later
        return not folder.exists()

    wait_for(gone)


def worker_pid(store: RunStore) -> int:
    """Number of the living worker; 0 when there is none."""
    claim = Claim(store.folder / "worker.json")
    owner = claim.owner()
    return owner.pid if owner is not None and claim.held else 0


def lives(pid: int) -> bool:
    """Whether a process does anything more; one that nobody has fetched yet (a zombie) does not."""
    return ProcessIdentity.of(pid) is not None


def end_worker(store: RunStore) -> None:
    """After a test: whatever still works on the store, jobs that hear nothing too."""
    pid = worker_pid(store)
    if pid:
        family: list[psutil.Process] = []
        with suppress(psutil.Error):
            family = psutil.Process(pid).children(recursive=True)
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.Error):
                process.kill()
