"""What is known of runs: damaged files, stale claims, full disks, time left; no process is started here."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs_example import counting_store, submit, wait_for

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Metric, Stage, Step, Warned
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.progress import Wish
from MedUSISLib.runs import files
from MedUSISLib.runs import store as store_module
from MedUSISLib.runs.claim import FOREIGN_S, Claim
from MedUSISLib.runs.detach import start_detached
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.runs.listening import RunListener
from MedUSISLib.runs.record import RunRecord
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore
from MedUSISLib.runs.time_left import TimeLeft


@pytest.fixture()
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store in which nobody works."""
    monkeypatch.setattr(store_module, "start_detached", lambda command, log: None)
    return counting_store(tmp_path)


def state_as(run_folder: Path, **changes: object) -> None:
    record = RunRecord.read(run_folder)
    assert record is not None
    record.model_copy(update=changes).write(run_folder)


def claim_of(path: Path, **changes: object) -> Claim:
    me = ProcessIdentity.of()
    assert me is not None
    path.write_text(me.model_copy(update=changes).model_dump_json())
    return Claim(path)


# -- claims --------------------------------------------------------------------------------------------------------


def test_a_claim_of_a_living_process_is_respected(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        other = ProcessIdentity.of(process.pid)
        assert other is not None
        (tmp_path / "owner").write_text(other.model_dump_json())
        claim = Claim(tmp_path / "owner")
        assert claim.held and not claim.take()
    finally:
        process.kill()
        wait_for(lambda: not claim.held)  # dead, though nobody has fetched its end yet
        process.wait()
    assert claim.take() and claim.mine


def test_a_claim_of_a_process_whose_number_was_given_away_is_stale(tmp_path: Path) -> None:
    claim = claim_of(tmp_path / "owner", began="another boot:1")
    assert not claim.held
    assert claim.take() and claim.held and claim.mine
    claim.release()
    assert list(tmp_path.iterdir()) == []


def test_a_claim_of_another_computer_lives_as_long_as_it_is_touched(tmp_path: Path) -> None:
    claim = claim_of(tmp_path / "owner", host="elsewhere")
    assert claim.held and not claim.take()
    old = time.time() - FOREIGN_S - 1
    os.utime(claim.path, (old, old))
    assert not claim.held and claim.take()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"pid": "x"}'])
def test_a_damaged_claim_is_nobodys(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "owner").write_bytes(content)
    assert not Claim(tmp_path / "owner").held
    assert Claim(tmp_path / "owner").take()


def test_an_identity_is_that_of_one_process_only() -> None:
    me, parent = ProcessIdentity.of(), ProcessIdentity.of(os.getppid())
    assert me == ProcessIdentity.of(os.getpid()) and me is not None and me.alive and me.here
    assert parent != me
    assert ProcessIdentity.of(2**22 + 1) is None


# -- damaged runs --------------------------------------------------------------------------------------------------


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)))
def test_whatever_stands_in_the_files_a_status_comes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = counting_store(tmp_path_factory.getbasetemp() / "damage")
    folder = store.folder / "20260101-000000-00000"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state.json", "job.json", "owner.json", "wish"):
        (folder / name).write_bytes(content)
    (run,) = store.runs()
    assert run.status().state is RunState.PAUSED
    assert run.data() == []


def test_a_run_with_a_damaged_state_can_be_resumed_and_keeps_its_place(store: RunStore) -> None:
    run = submit(store, name="mine")
    (run.folder / "state.json").write_text('{"version": 1, "id": "2026')
    status = run.status()
    assert status.state is RunState.PAUSED and "damaged" in status.message and status.hint
    assert status.out == store.folder.parent / "mine"
    run.resume()
    assert run.status().position_in_queue == 1
    record = RunRecord.read(run.folder)
    assert record is not None and record.resume


def test_half_written_files_of_others_are_no_runs(store: RunStore) -> None:
    run = submit(store)
    (store.folder / ".new-20260101-000000-00000").mkdir()
    (store.folder / "notes.txt").write_text("x")
    assert [r.id for r in store.runs()] == [run.id]
    assert run.status().position_in_queue == 1


def test_running_without_its_worker_reads_as_interrupted(store: RunStore) -> None:
    run = submit(store)
    state_as(run.folder, state=RunState.RUNNING, stage="preparing the data")
    assert run.status().state is RunState.PAUSED
    assert run.status().message == "interrupted while preparing the data"
    claim_of(run.folder / "owner.json", began="another boot:1")
    state_as(run.folder, iteration=1234)
    assert run.status().message == "interrupted at iteration 1234"
    claim_of(run.folder / "owner.json")
    assert run.status().state is RunState.RUNNING
    for wish, state in (
        (Wish.PAUSE, RunState.PAUSING),
        (Wish.FINISH, RunState.FINISHING),
        (Wish.STOP, RunState.STOPPING),
    ):
        WishFile(run.folder / "wish").write(wish)
        assert run.status().state is state


def test_a_run_that_waits_for_nobody_says_so(store: RunStore) -> None:
    run = submit(store)
    assert run.status().message == ""
    record = RunRecord.read(run.folder)
    assert record is not None
    state_as(run.folder, queued=record.queued.replace(year=2020))
    assert "nothing works on the queue" in run.status().message


# -- submitting ----------------------------------------------------------------------------------------------------


def test_a_wrong_job_is_refused_before_anything_is_written(store: RunStore) -> None:
    with pytest.raises(MedUSISError) as caught:
        store.submit(JobSpecification(kind="count", parameters={"out": "x", "iterations": "many"}), "a")
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert not store.folder.exists()


def test_an_output_folder_with_an_earlier_training_is_refused_at_once(store: RunStore) -> None:
    out = store.folder.parent / "a"
    out.mkdir()
    (out / "last.ckpt").write_text("5")
    with pytest.raises(MedUSISError, match="earlier training"):
        submit(store)
    assert submit(store, resume=True).status().state is RunState.QUEUED


def test_a_full_disk_at_submitting_leaves_nothing(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "write_whole", full)
    with pytest.raises(MedUSISError) as caught:
        submit(store)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert list(store.folder.iterdir()) == []


def test_a_worker_that_cannot_be_started_leaves_nothing(tmp_path: Path) -> None:
    import fake_run_worker

    store = RunStore(tmp_path / "runs", worker_command=("/no/such/python",), kinds=fake_run_worker.KINDS)
    with pytest.raises(MedUSISError) as caught:
        submit(store)
    assert caught.value.code is ErrorCode.DEPENDENCY_MISSING
    assert store.runs() == []


def test_the_folder_of_the_runs_is_chosen_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "mine"))
    assert RunStore().folder == tmp_path / "mine"
    assert RunStore().runs() == []


def test_a_run_is_found_by_the_beginning_of_its_id(store: RunStore) -> None:
    runs = [submit(store, name) for name in "ab"]
    assert store.run(runs[0].id).id == runs[0].id
    for wrong, words in ((runs[0].id[:4], "2 runs begin"), ("x", "no run 'x'"), ("", "no run")):
        with pytest.raises(MedUSISError, match=words):
            store.run(wrong)


def test_a_start_does_not_hand_on_what_ties_a_job_to_its_launcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "medusis-workspace"
    workspace.mkdir()
    for name in ("MEDUSIS_WORKSPACE", "TMPDIR"):
        monkeypatch.setenv(name, str(workspace))
    monkeypatch.setenv("MEDUSIS_CONTROL", "stdin")
    monkeypatch.setenv("ITK_AUTOLOAD_PATH", "/slicer/plugins")
    script = "import os, json; print(json.dumps(dict(os.environ)), flush=True)"
    start_detached((sys.executable, "-c", script), tmp_path / "log")
    end = time.monotonic() + 30
    while not (tmp_path / "log").read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    text = (tmp_path / "log").read_text()
    assert "medusis-workspace" not in text and "slicer/plugins" not in text and "MEDUSIS_CONTROL" not in text
    assert '"OMP_WAIT_POLICY": "PASSIVE"' in text


# -- listening -----------------------------------------------------------------------------------------------------


@pytest.fixture()
def listener(store: RunStore) -> RunListener:
    run = submit(store)
    record = RunRecord.read(run.folder)
    assert record is not None
    return RunListener(run.folder, record)


def test_events_become_what_is_known(listener: RunListener) -> None:
    listener(Stage("preparing the data"))
    listener(Step(3, 12))
    assert (listener.record.done, listener.record.total, listener.record.iteration) == (3, 12, None)
    listener(Metric("estimated_hours", 2.0, {"iteration": 0}))
    listener(Stage("training: l1"))
    assert (listener.record.done, listener.record.total, listener.record.eta_s) == (0, 0, 7200)
    listener(Step(10, 100))
    listener(Metric("l1", 0.5, {"iteration": 13}))
    listener(Stage("training: adversarial"))
    assert (listener.record.done, listener.record.total, listener.record.iteration) == (13, 100, 13)
    for number in range(9):
        listener(Warned("ODD", f"number {number}"))
    assert [text for _, text in listener.record.warnings] == [f"number {number}" for number in range(4, 9)]


def test_a_full_disk_costs_a_look_not_the_run(listener: RunListener, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    listener(Stage("training"))
    with monkeypatch.context() as patch:
        patch.setattr("MedUSISLib.runs.record.write_whole", full)
        listener.flush()
    listener._written = float("-inf")  # a second later
    listener.flush()
    record = RunRecord.read(listener._folder)
    assert record is not None and record.stage == "training"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_whole(tmp_path / "state.json", "old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError):
        files.write_whole(tmp_path / "state.json", "new")
    assert (tmp_path / "state.json").read_text() == "old\n"
    assert len(list(tmp_path.iterdir())) == 1


@given(
    steps=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 100)), max_size=30),
    first=st.integers(0, 1000),
)
def test_time_left_is_never_negative_and_knows_no_false_rate(steps: list[tuple[int, float]], first: int) -> None:
    left, done, at = TimeLeft(), first, 0.0
    assert left.after(done, 2000, at) is None
    for more, seconds in steps:
        done, at = done + more, at + seconds
        found = left.after(done, 2000, at)
        assert found is None or found >= 0


def test_time_left_after_a_pause_counts_from_there() -> None:
    left = TimeLeft()
    assert left.after(900, 1000, at_s=0) is None
    assert left.after(910, 1000, at_s=5) == pytest.approx(45)
    assert left.after(1, 12, at_s=6) is None  # another stage
    assert left.after(500, 1000, at_s=7) is None
    assert left.after(490, 1000, at_s=8) is None  # rolled back


# -- removing ------------------------------------------------------------------------------------------------------


def test_removing_with_data_leaves_what_others_wrote(store: RunStore, tmp_path: Path) -> None:
    out, cache = tmp_path / "out", tmp_path / "cache"
    for name in ("last.ckpt", "samples/1.png", "bundle/g/manifest.json", "mine.txt"):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    cache.mkdir()
    (cache / "case-1.npz").write_text("x")
    run = submit(store, name="one", out=str(out), resume=True)
    job = (run.folder / "job.json").read_text()
    (run.folder / "job.json").write_text(job.replace('"resume"', f'"cache": "{cache}", "resume"'))
    other = store.folder / "20200101-000000-00000"
    shutil.copytree(run.folder, other)
    assert {path.name for path in run.data()} == {"last.ckpt", "samples", "bundle"}  # the other one needs the cache
    shutil.rmtree(other)
    assert {path.name for path in run.data()} == {"last.ckpt", "samples", "bundle", "case-1.npz"}
    run.remove(with_data=True)
    assert not run.folder.exists() and not cache.exists()
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
