"""``medusis runs`` and ``medusis train --background``: what a terminal says and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fake_run_worker
import pytest
import yaml
from runs_example import counting_store, end_worker, submit, wait_for_iteration, wait_for_state
from training_example import tiny_training
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.cli.main import main as entrance
from MedUSISLib.runs import store as store_module
from MedUSISLib.runs.claim import Claim
from MedUSISLib.runs.record import RunRecord, now
from MedUSISLib.runs.status import RunState
from MedUSISLib.runs.store import RunStore

SLOW = {"iterations": 100_000, "wait_s": 0.01}


@pytest.fixture()
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The store that the commands find, with a worker that counts."""
    monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "200")
    original = RunStore.__init__

    def counting(self: RunStore, folder: Path | None = None) -> None:
        original(self, folder, worker_command=fake_run_worker.WORKER, kinds=fake_run_worker.KINDS)

    store = counting_store(tmp_path)
    monkeypatch.setattr(RunStore, "__init__", counting)
    yield store
    end_worker(store)


def call(*arguments: str, typed: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["runs", *arguments], input=typed)
    return result.exit_code, result.stdout, result.stderr


def error_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["medusis", "runs", *arguments])
    with pytest.raises(SystemExit) as caught:
        entrance()
    assert isinstance(caught.value.code, int)
    return caught.value.code, capsys.readouterr().err


def test_no_runs(store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--background" in call("list")[1]
    assert json.loads(call("list", "--json")[1]) == []
    code, said = error_of(monkeypatch, capsys, "show", "nothing")
    assert code == 2 and "there is no run 'nothing'" in said


def test_a_run_from_pause_to_removal(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, waiting = submit(store, "first", **SLOW), submit(store, "second")
    wait_for_iteration(run, 5)
    table = call("list")[1]
    assert "first" in table and "running" in table and "place 1 in the queue" in table
    code, said = error_of(monkeypatch, capsys, "remove", run.id, "--yes")
    assert code == 2 and "cannot be removed: it is running" in said and "pause or stop it first" in said
    assert call("pause", run.id)[0] == 0
    code, said, told = call("follow", run.id)
    assert code == 130 and "paused at iteration" in told
    status = json.loads(call("show", run.id, "--json")[1])
    assert (status["state"], status["kind"], status["total"]) == ("paused", "count", 100_000)
    shown = call("show", run.id)[1]
    assert "paused at iteration" in shown and str(run.log_file) in shown
    assert call("resume", run.id)[0] == 0
    wait_for_state(waiting, RunState.FINISHED)
    wait_for_state(run, RunState.RUNNING)
    assert re.search(": finish(ing|ed)", call("finish", run.id)[1])  # it may be as quick as that
    code, said, _ = call("follow", run.id)
    assert (code, said.strip()) == (0, str(store.folder.parent / "first"))
    code, _, told = call("remove", run.id, typed="n\n")
    assert code == 1 and run.folder.is_dir() and str(run.folder) in told
    assert call("remove", run.id, "--yes")[0] == 0 and not run.folder.exists()
    assert (store.folder.parent / "first" / "result").is_file()
    assert json.loads(call("remove", waiting.id, "--yes", "--with-data", "--json")[1])["removed"][1:] == [
        str(store.folder.parent / "second" / "last.ckpt")
    ]


def test_following_a_run_that_fails_ends_with_its_exit_code(store: RunStore) -> None:
    run = submit(store, behaviour="fail")
    code, said, told = call("follow", run.id)
    assert code == 11 and "the CT has no air" in told and "give a CT in HU" in told
    run = submit(store, "b", behaviour="chatter")
    lines = call("follow", run.id, "--json")[1].splitlines()
    assert json.loads(lines[-1])["state"] == "finished"
    assert json.loads(lines[-1])["warnings"] == [["STRANGE", "something about "]]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_the_watching_and_not_the_run(store: RunStore) -> None:
    run = submit(store, **SLOW)
    wait_for_iteration(run, 1)
    process = subprocess.Popen(
        [sys.executable, "-m", "MedUSISLib.cli", "runs", "follow", run.id],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MEDUSIS_RUNS": str(store.folder)},
        # What a shell starts in the background ignores SIGINT, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    assert "running" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0 and "the run goes on" in said
    assert run.status().state is RunState.RUNNING


def test_train_in_the_background_submits_and_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "runs"))
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(store_module, "start_detached", lambda command, log: started.append(tuple(command)))
    configuration = tiny_training(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(configuration.model_dump(mode="json")))
    result = CliRunner().invoke(app, ["train", str(file), "--background"])
    assert result.exit_code == 0, result.output
    (run,) = RunStore().runs()
    assert result.stdout.strip() == run.id and f"medusis runs follow {run.id}" in result.stderr
    assert run.status().out == configuration.out and run.status().name == "tiny"
    work = ("-m", "MedUSISLib.runs", "work", "--python", sys.executable)
    assert started == [(sys.executable, *work, str(tmp_path / "runs"))]
    assert oct(run.folder.stat().st_mode & 0o777) == "0o700"
    again = CliRunner().invoke(app, ["train", str(file), "--background"])
    assert again.exit_code != 0 and "same output folder" in str(again.exception)


def test_a_list_says_how_long_a_run_has_left(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "start_detached", lambda command, log: None)
    run = submit(store)
    record = RunRecord.read(run.folder)
    assert record is not None
    running = {"state": RunState.RUNNING, "started": now(), "done": 250, "total": 1000, "eta_s": 3725.0}
    record.model_copy(update={**running, "stage": "training: l1"}).write(run.folder)
    assert Claim(run.folder / "owner.json").take()
    line = next(line for line in call("list")[1].splitlines() if run.id in line)
    assert "250 of 1000" in line and "1 h 2 min" in line and "training: l1" in line
