"""What the user wants of a background run, with real processes: pause, finish, stop, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs_example import (
    SLOW,
    counting_store,
    end_worker,
    lives,
    starts_of,
    submit,
    wait_for,
    wait_for_deaf,
    wait_for_iteration,
    wait_for_start,
    wait_for_state,
)

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@pytest.fixture()
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = counting_store(tmp_path)
    yield store
    end_worker(store)


def test_pause_gives_the_process_back_and_resume_goes_on_from_there(store: RunStore) -> None:
    run = submit(store, **SLOW)
    wait_for_iteration(run, 5)
    run.pause()
    assert run.status().state in (RunState.PAUSING, RunState.PAUSED)
    wait_for_state(run, RunState.PAUSED)
    ((child, _),) = starts_of(store)
    assert not lives(child)
    saved = int((store.folder.parent / "a" / "last.ckpt").read_text())
    assert run.status().message == f"paused at iteration {saved}: a checkpoint is saved"
    run.resume()
    wait_for_start(store, number=2)
    wait_for_iteration(run, saved + 5)
    run.finish()
    wait_for_state(run, RunState.FINISHED)
    assert [first for _, first in starts_of(store)] == [0, saved]
    assert int((store.folder.parent / "a" / "result").read_text()) >= saved + 5


def test_a_pause_is_heard_while_the_data_are_prepared(store: RunStore) -> None:
    run = submit(store, behaviour="prepare")
    wait_for(lambda: run.status().stage == "preparing the data")
    run.pause()
    wait_for_state(run, RunState.PAUSED)
    assert run.status().message == "ended before there was anything new to keep"


def test_finish_of_a_running_and_of_a_paused_run(store: RunStore) -> None:
    run, later = submit(store, **SLOW), submit(store, "later", **SLOW)
    wait_for_iteration(run, 5)
    run.finish()
    wait_for_state(run, RunState.FINISHED)
    result = int((store.folder.parent / "a" / "result").read_text())
    assert 5 <= result < SLOW["iterations"]
    wait_for_iteration(later, 5)
    later.pause()
    wait_for_state(later, RunState.PAUSED)
    later.finish()
    wait_for_state(later, RunState.FINISHED)
    assert (store.folder.parent / "later" / "result").read_text() == str(starts_of(store, "later")[1][1])


def test_stop_at_once_ends_a_job_that_hears_nothing(store: RunStore) -> None:
    run = submit(store, behaviour="be_deaf")
    child, _ = wait_for_deaf(store)
    run.stop()
    assert run.status().state is RunState.STOPPING
    run.stop(now=True)
    wait_for_state(run, RunState.STOPPED)
    assert not lives(child)


def test_what_a_state_does_not_allow_is_refused_with_a_hint(store: RunStore) -> None:
    run = submit(store, **SLOW)
    wait_for_iteration(run, 5)
    for forbidden in (run.resume, run.remove):
        with pytest.raises(MedUSISError) as caught:
            forbidden()
        assert caught.value.code is ErrorCode.BAD_SETTING and "running" in caught.value.message and caught.value.hint
    with pytest.raises(MedUSISError, match="same output folder"):
        submit(store)
    run.stop()
    wait_for_state(run, RunState.STOPPED)
    for forbidden in (run.pause,):
        with pytest.raises(MedUSISError, match="stopped"):
            forbidden()
    run.remove()
    assert store.runs() == [] and (store.folder.parent / "a" / "last.ckpt").is_file()
    with pytest.raises(MedUSISError, match="no run"):
        run.resume()
