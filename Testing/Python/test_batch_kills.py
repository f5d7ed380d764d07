"""Whatever is killed and whenever: the same command goes on, nothing is lost and nothing is done twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import batch_example
import psutil
import pytest
from batch_example import Example, fake_workers
from runs_example import wait_for

from MedUSISLib.batch.folder import is_running
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.errors import MedUSISError
from MedUSISLib.runs.identity import ProcessIdentity

CASES = [f"{n}-slow" for n in range(8)]


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    with fake_workers():
        yield


@pytest.fixture
def example(tmp_path: Path) -> Example:
    example = Example(tmp_path)
    example.write(CASES)
    return example


def started(example: Example, **settings: object) -> subprocess.Popen[bytes]:
    """A batch in a process of its own."""
    command = [sys.executable, batch_example.__file__, example.request(**settings).model_dump_json()]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def states(example: Example) -> list[str]:
    try:
        return list(example.states().values())
    except MedUSISError:
        return []


def workers_of(example: Example) -> list[ProcessIdentity]:
    with Manifest.open(example.out, read_only=True) as manifest:
        return [ProcessIdentity.model_validate(found) for found in manifest.fact("workers", [])]


def killed(example: Example, when: Callable[[], bool]) -> list[ProcessIdentity]:
    """Kill the batch as soon as it is so; its workers of that moment."""
    process = started(example)
    wait_for(lambda: when() or process.poll() is not None)
    process.kill()
    process.wait()
    return workers_of(example) if (example.out / "manifest.sqlite").exists() else []


def assert_all_done_once(example: Example) -> None:
    assert set(states(example)) == {"done"}
    written = example.notes("written")
    assert len(written) == len(set(written)) <= len(CASES)
    assert not [path for path in (example.out / "cases").iterdir() if path.name.startswith(".")]


def test_a_killed_batch_goes_on_and_no_worker_outlives_it(example: Example) -> None:
    workers = killed(example, lambda: len(example.notes("written")) >= 2)
    wait_for(lambda: not any(worker.alive for worker in workers))
    assert workers and not is_running(example.out)
    assert "done" in states(example) and set(states(example)) != {"done"}
    half = example.out / "cases" / ".case-0008.medusis-0123456789ab"  # what a worker leaves that is killed as well
    (half / "new").mkdir(parents=True)
    (half / "new" / "mr.nii.gz").write_bytes(b"half")
    assert example.run().done == len(CASES)
    assert_all_done_once(example)


def test_a_killed_worker_costs_nothing_but_time(example: Example) -> None:
    process = started(example, workers=2)
    wait_for(lambda: len(example.notes("written")) >= 1)
    psutil.Process(workers_of(example)[0].pid).kill()
    assert process.wait(60) == 0
    assert_all_done_once(example)
    assert max(row.attempts for row in example.rows().values()) == 2


def test_the_manifest_is_read_while_it_is_written_and_nobody_else_works_in_the_folder(example: Example) -> None:
    process = started(example)
    wait_for(lambda: bool(states(example)))
    with pytest.raises(MedUSISError, match="another batch works in this output folder"):
        example.run()
    seen = set()
    with Manifest.open(example.out, read_only=True) as manifest:
        while process.poll() is None:
            rows = manifest.rows()
            assert [row.number for row in rows] == list(range(1, len(CASES) + 1))
            seen |= {row.state.value for row in rows}
            time.sleep(0.01)
    assert {"waiting", "computing", "done"} <= seen
    assert_all_done_once(example)


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 22))])
def test_kills_at_random_moments_lose_nothing(example: Example, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        process = started(example, workers=chance.choice([1, 2]))
        time.sleep(chance.uniform(0.2, 4.0))
        if (example.out / "manifest.sqlite").exists() and chance.random() < 0.4:
            for worker in workers_of(example):
                if worker.alive:
                    os.kill(worker.pid, signal.SIGKILL)
            time.sleep(chance.uniform(0.0, 1.0))
        process.kill()
        process.wait()
        if chance.random() < 0.3:
            time.sleep(3.5)  # workers have ended; otherwise the next batch finds them
    assert example.run().done == len(CASES)
    assert_all_done_once(example)
