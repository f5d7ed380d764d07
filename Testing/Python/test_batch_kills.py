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
from runs_example import PATIENCE_S, wait_for

from MedUSISLib.batch.folder import is_running
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.errors import MedUSISError
from MedUSISLib.runs.identity import ProcessIdentity

CASES = [f"{n}-slow" for n in range(8)]
GATED = [*CASES[:3], "3-gate", *CASES[4:]]
"""The fourth one waits until the test lets it through, however slow or quick the machine is."""


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    with fake_workers():
        yield


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    example = Example(tmp_path)
    example.write(CASES)
    yield example
    end_started()


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[Example]:
    example = Example(tmp_path)
    example.write(GATED)
    yield example
    end_started()


_started: list[subprocess.Popen[bytes]] = []


def started(example: Example, **settings: object) -> subprocess.Popen[bytes]:
    """A batch in a process of its own."""
    command = [sys.executable, batch_example.__file__, example.request(**settings).model_dump_json()]
    _started.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL))
    return _started[-1]


def end_started() -> None:
    """What a test that failed has left."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()


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


def test_a_killed_batch_goes_on_and_no_worker_outlives_it(gated: Example) -> None:
    workers = killed(gated, lambda: "done" in states(gated))
    wait_for(lambda: not any(worker.alive for worker in workers))
    assert workers and not is_running(gated.out)
    assert "done" in states(gated) and set(states(gated)) != {"done"}
    half = gated.out / "cases" / ".case-0008.medusis-0123456789ab"  # what a worker leaves that is killed as well
    (half / "new").mkdir(parents=True)
    (half / "new" / "mr.nii.gz").write_bytes(b"half")
    gated.open_gate()
    assert gated.run().done == len(CASES)
    assert_all_done_once(gated)


def test_a_killed_worker_costs_nothing_but_time(gated: Example) -> None:
    process = started(gated, workers=2)
    wait_for(lambda: "computing" in states(gated) and gated.states()["3-gate"] == "computing")
    number = int(gated.rows()["3-gate"].worker)
    psutil.Process(workers_of(gated)[number - 1].pid).kill()
    gated.open_gate()
    assert process.wait(PATIENCE_S) == 0
    assert_all_done_once(gated)
    assert max(row.attempts for row in gated.rows().values()) == gated.rows()["3-gate"].attempts == 2


def test_the_manifest_is_read_while_it_is_written_and_nobody_else_works_in_the_folder(gated: Example) -> None:
    process = started(gated)
    wait_for(lambda: bool(states(gated)))
    with pytest.raises(MedUSISError, match="another batch works in this output folder"):
        gated.run()
    seen: set[str] = set()
    with Manifest.open(gated.out, read_only=True) as manifest:

        def look() -> set[str]:
            rows = manifest.rows()
            assert [row.number for row in rows] == list(range(1, len(CASES) + 1))
            seen.update(row.state.value for row in rows)
            return seen

        wait_for(lambda: {"waiting", "computing", "done"} <= look())
        gated.open_gate()
        while process.poll() is None:
            look()
            time.sleep(0.01)
    assert_all_done_once(gated)


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
