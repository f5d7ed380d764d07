"""A job in a child process: what it says arrives, however it ends; cancel ends everything and leaves nothing."""

from __future__ import annotations

import inspect
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import fake_worker
import psutil
import pytest

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Event, Failure, Metric, Preview, Result, Stage, Step, Warned
from MedUSISLib.jobs.failures import EXIT_CODES
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.process import ProcessListener
from MedUSISLib.jobs.specification import JobSpecification


@pytest.fixture(autouse=True)
def private_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where workspaces appear, so that a test can see that they are gone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def launcher_for(tmp_path: Path, behaviour: str, **settings: object) -> Launcher:
    parameters = {"behaviour": behaviour, "out": str(tmp_path / "out"), "ct": "/data/Doe_Jane/ct.nii.gz"}
    specification = JobSpecification(kind="fake", parameters=parameters)
    return Launcher(specification, command=fake_worker.COMMAND, kinds=fake_worker.KINDS, **settings)  # type: ignore[arg-type]


def run(tmp_path: Path, behaviour: str, **settings: object) -> tuple[list[Event], Launcher]:
    launcher = launcher_for(tmp_path, behaviour, **settings)
    return list(launcher.events()), launcher


def assert_nothing_left(tmp_path: Path) -> None:
    assert [p.name for p in tmp_path.iterdir()] == ["temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


PATIENCE_S = 50.0
"""Of a busy machine; what is waited for here would end by itself after 60 seconds."""


def wait_until_gone(pid: int) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_events_arrive_in_order_and_result_is_last(tmp_path: Path) -> None:
    events, launcher = run(tmp_path, "succeed")
    assert launcher.exit_code == 0
    assert [type(e) for e in events if not isinstance(e, Step)] == [Stage, Metric, Warned, Preview, Result]
    assert [e.done for e in events if isinstance(e, Step)][-1] == 4
    assert events[-1] == Result(str(tmp_path / "out"), {"dice": 0.5, "nothing": None})
    assert (tmp_path / "out" / "whole").is_file()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_libraries_print_never_reaches_the_events(tmp_path: Path) -> None:
    printed: list[str] = []
    events, _ = run(tmp_path, "chatter", on_output=printed.append)
    assert [type(e) for e in events] == [Stage, Result]
    for speaker in ("python", "original stream", "a C library", "a child"):
        assert f"{speaker} was here" in printed


def test_log_holds_the_chatter_without_patient_paths(tmp_path: Path) -> None:
    log = tmp_path / "temporary" / "job.log"
    run(tmp_path, "chatter", log=log)
    text = log.read_text()
    assert "a C library was here" in text
    assert "reading <ct> now" in text
    assert "Doe_Jane" not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("fail_by_name", ErrorCode.NOT_A_CT),
        ("fail_without_name", ErrorCode.INTERNAL),
        ("lack_memory", ErrorCode.OUT_OF_MEMORY),
        ("lack_disk", ErrorCode.DISK_FULL),
        ("lack_package", ErrorCode.DEPENDENCY_MISSING),
    ],
)
def test_failure_becomes_a_named_error_and_its_exit_code(tmp_path: Path, behaviour: str, code: ErrorCode) -> None:
    log = tmp_path / "temporary" / "job.log"
    events, launcher = run(tmp_path, behaviour, log=log)
    last = events[-1]
    assert isinstance(last, Failure)
    assert last.code == code.value
    assert launcher.exit_code == EXIT_CODES[code]
    assert "Doe_Jane" not in last.message + last.hint
    assert "Doe_Jane" not in log.read_text()
    log.unlink()
    assert_nothing_left(tmp_path)


def test_error_keeps_the_local_path_apart(tmp_path: Path) -> None:
    events, _ = run(tmp_path, "fail_by_name")
    assert events[-1] == Failure("NOT_A_CT", "the CT has no air", "give a CT in HU", "/data/Doe_Jane/ct.nii.gz")


@pytest.mark.parametrize(
    ("behaviour", "word"), [("die", "exit code 7"), ("be_killed", "SIGKILL"), ("crash", "SIGSEGV")]
)
def test_silent_death_is_an_internal_error_that_says_how(tmp_path: Path, behaviour: str, word: str) -> None:
    events, launcher = run(tmp_path, behaviour)
    last = events[-1]
    assert isinstance(last, Failure)
    assert (last.code, launcher.exit_code) == ("INTERNAL", EXIT_CODES[ErrorCode.INTERNAL])
    assert word in last.message
    assert_nothing_left(tmp_path)


def test_exit_code_and_not_the_text_tells_success(tmp_path: Path) -> None:
    events, launcher = run(tmp_path, "claim_success_then_die")
    assert isinstance(events[-1], Failure)
    assert not any(isinstance(e, Result) for e in events)
    assert launcher.exit_code == 1


def test_what_does_not_end_when_asked_is_killed_a_second_later() -> None:
    """By the clock two seconds are promised; how long a busy machine takes for the killing nobody knows."""
    assert inspect.signature(Launcher.cancel).parameters["grace_s"].default == 1.0


@pytest.mark.parametrize("behaviour", ["sleep_with_helper", "be_deaf"])
def test_cancel_ends_the_whole_tree(tmp_path: Path, behaviour: str) -> None:
    launcher = launcher_for(tmp_path, behaviour)
    helper = 0
    began = 0.0
    last: Event | None = None
    for last in launcher.events():
        if isinstance(last, Metric):
            helper = int(last.value or 0)
            began = time.monotonic()
            launcher.cancel()
    assert time.monotonic() - began < PATIENCE_S
    assert isinstance(last, Failure)
    assert (last.code, launcher.exit_code) == ("CANCELLED", 130)
    assert wait_until_gone(helper)
    assert_nothing_left(tmp_path)


def test_leaving_the_loop_cancels(tmp_path: Path) -> None:
    launcher = launcher_for(tmp_path, "sleep_with_helper")
    for event in launcher.events():
        if isinstance(event, Metric):
            break
    assert launcher.wait(PATIENCE_S)
    assert launcher.exit_code == 130
    assert_nothing_left(tmp_path)


def test_helper_left_behind_does_not_outlive_the_job(tmp_path: Path) -> None:
    events, launcher = run(tmp_path, "leave_helper")
    helper = next(int(e.value or 0) for e in events if isinstance(e, Metric))
    assert launcher.exit_code == 0
    assert wait_until_gone(helper)


def test_job_ends_when_its_launcher_dies(tmp_path: Path) -> None:
    job = tmp_path / "temporary" / "job.json"
    parameters = {"behaviour": "sleep", "out": str(tmp_path / "out")}
    job.write_text(json.dumps({"kind": "fake", "parameters": parameters}))
    child = subprocess.Popen(
        [*fake_worker.COMMAND, str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "MEDUSIS_CONTROL": "stdin"},
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdout.readline()
    child.stdin.close()  # what the system does when the launcher is gone
    assert child.wait(30) == 130
    assert b"CANCELLED" in child.stdout.read()
    child.stdout.close()
    job.unlink()
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_cancels_a_job_that_was_started_by_hand(tmp_path: Path, number: signal.Signals) -> None:
    job = tmp_path / "temporary" / "job.json"
    job.write_text(json.dumps({"kind": "fake", "parameters": {"behaviour": "sleep", "out": str(tmp_path / "out")}}))
    with subprocess.Popen(
        [*fake_worker.COMMAND, str(job)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    ) as child:
        assert child.stdout is not None
        assert b"working" in child.stdout.readline()
        child.send_signal(number)
        assert b"CANCELLED" in child.stdout.read()
    assert child.returncode == 130
    job.unlink()
    assert_nothing_left(tmp_path)


def test_wrong_settings_are_refused_before_any_process_starts(tmp_path: Path) -> None:
    launcher = Launcher(JobSpecification(kind="fake", parameters={"out": 3}), kinds=fake_worker.KINDS)
    with pytest.raises(MedUSISError) as raised:
        launcher.start(lambda event: None)
    assert raised.value.code is ErrorCode.BAD_SETTING
    assert "behaviour" in raised.value.message
    assert not launcher.running


def test_worker_that_cannot_be_started_is_a_named_error(tmp_path: Path) -> None:
    specification = JobSpecification(kind="fake", parameters={"behaviour": "succeed", "out": "out"})
    launcher = Launcher(specification, command=["/no/such/python"], kinds=fake_worker.KINDS)
    with pytest.raises(MedUSISError, match="cannot be started"):
        launcher.start(lambda event: None)
    assert_nothing_left(tmp_path)


class ScriptedProcess:
    """A process protocol double: says the lines that it was given when told to."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.asked_to_stop = False

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        self.pid, self.command, self.listener = 2**22 + 1, command, listener
        self.workspace = Path(environment["MEDUSIS_WORKSPACE"])
        self.environment = environment

    def ask_to_stop(self) -> None:
        self.asked_to_stop = True


def test_process_can_be_injected(tmp_path: Path) -> None:
    process = ScriptedProcess()
    events: list[Event] = []
    launcher = launcher_for(tmp_path, "succeed", process=process)
    launcher.start(events.append)
    assert stat.S_IMODE(process.workspace.stat().st_mode) == 0o700
    assert json.loads(Path(process.command[-1]).read_text())["kind"] == "fake"
    process.listener.output_line('{"event": "stage", "name": "reading"}')
    process.listener.output_line('{"event": "result", "out": "o"}')
    assert events == [Stage("reading")]
    process.listener.finished(0)
    assert events[-1] == Result("o")
    assert not process.workspace.exists()
    assert not launcher.running


@pytest.mark.parametrize(("chosen", "given"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_the_user_wants_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, given: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if chosen is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", chosen)
    process = ScriptedProcess()
    launcher_for(tmp_path, "succeed", process=process).start(lambda event: None)
    assert process.environment["OMP_WAIT_POLICY"] == given
    process.listener.finished(0)


def test_cancel_asks_first(tmp_path: Path) -> None:
    process = ScriptedProcess()
    events: list[Event] = []
    launcher = launcher_for(tmp_path, "succeed", process=process)
    launcher.start(events.append)
    launcher.cancel(grace_s=0.01)
    assert process.asked_to_stop
    process.listener.finished(130)
    assert isinstance(events[-1], Failure) and events[-1].code == "CANCELLED"


def test_module_command_runs_a_job_file(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"kind": "segment", "parameters": {"out": str(tmp_path / "seg.nii.gz")}}))
    done = subprocess.run([sys.executable, "-m", "MedUSISLib.jobs", "run", str(job)], capture_output=True, text=True)
    event = json.loads(done.stdout)
    assert (event["event"], event["code"], done.returncode) == ("error", "BAD_SETTING", 2)
    assert "either a CT or an MR" in event["message"]
