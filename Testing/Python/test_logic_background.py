"""Jobs beside the scene: their answers arrive in the thread that asked, and so do their errors."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from logic_doubles import Later, ScriptedProcess, behaving_worker, scripted_worker

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.background_jobs import BackgroundJobs
from MedUSISLib.mrml.batch_found import Problem
from MedUSISLib.mrml.worker import Worker


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_devices_arrive_as_a_summary(temporary_folder: Path) -> None:
    process, answers = ScriptedProcess(), []
    jobs = BackgroundJobs(scripted_worker(process, Later()))
    jobs.find_devices(answers.append)
    assert jobs.running
    process.say('{"event": "result", "summary": {"torch": "2.9", "devices": [{"id": "cpu"}]}}')
    process.listener.finished(0)
    assert answers == [{"torch": "2.9", "devices": [{"id": "cpu"}]}]
    assert not jobs.running and list(temporary_folder.iterdir()) == []


def test_install_passes_source_and_checksum_on() -> None:
    process, answers, steps = ScriptedProcess(), [], []
    jobs = BackgroundJobs(scripted_worker(process, Later()))
    jobs.install_generator(
        "https://example.org/g.zip", answers.append, sha256="0" * 64, on_progress=lambda *step: steps.append(step)
    )
    job = json.loads(Path(process.command[-1]).read_text())
    assert job["kind"] == "install-generator"
    assert job["parameters"]["source"] == "https://example.org/g.zip" and job["parameters"]["sha256"] == "0" * 64
    process.say('{"event": "progress", "done": 1, "total": 4}')
    process.say('{"event": "result", "summary": {"id": "g"}}')
    process.listener.finished(0)
    assert answers == [{"id": "g"}] and steps == [(1, 4, None)]


def test_what_a_batch_would_have_goes_through_a_private_folder(temporary_folder: Path) -> None:
    process, answers, titles = ScriptedProcess(), [], []
    jobs = BackgroundJobs(scripted_worker(process, Later()))
    jobs.look_for_cases({"input": "/hospital"}, answers.append, pytest.fail, on_stage=titles.append)
    asked = json.loads(Path(process.command[-1]).read_text())["parameters"]
    assert asked["dry_run"] and Path(asked["found"]).is_relative_to(temporary_folder)
    problem = {"code": "X", "where": "doe", "what": "cut short", "remedy": "copy it again"}
    Path(asked["found"]).write_text(json.dumps({"kind": "bids", "cases": [], "problems": [problem]}))
    process.say('{"event": "stage", "name": "finding cases"}')
    process.say('{"event": "result", "summary": {"kind": "bids", "cases": 4, "without_segmentation": 1, "workers": 2}}')
    process.listener.finished(0)
    (found,) = answers
    assert found.problems == (Problem("doe", "cut short", "copy it again"),) and found.listed.cases == ()
    assert (found.kind, found.cases, found.without_segmentation, found.workers) == ("bids", 4, 1, 2)
    assert titles == ["Looking for CTs and their segmentations"] and list(temporary_folder.iterdir()) == []


def test_a_look_that_cannot_begin_leaves_nothing(temporary_folder: Path) -> None:
    failures: list[Failure] = []
    jobs = BackgroundJobs(Worker(command=lambda: ("/no/such/python",)))
    jobs.look_for_cases({"input": "/hospital"}, pytest.fail, failures.append)
    jobs.look_for_cases({"input": "/hospital", "passes": 0}, pytest.fail, failures.append)
    assert [failure.code for failure in failures] == ["DEPENDENCY_MISSING", "BAD_SETTING"]
    assert not jobs.running and list(temporary_folder.iterdir()) == []


def test_error_of_the_child_is_a_failure() -> None:
    process, failures = ScriptedProcess(), []
    jobs = BackgroundJobs(scripted_worker(process, Later()))
    jobs.find_devices(lambda summary: pytest.fail("no"), failures.append)
    process.say('{"event": "error", "code": "DEPENDENCY_MISSING", "message": "torch is broken"}')
    process.listener.finished(33)
    assert failures == [Failure("DEPENDENCY_MISSING", "torch is broken")]


def test_error_at_the_start_is_a_failure_too(temporary_folder: Path) -> None:
    failures: list[Failure] = []
    jobs = BackgroundJobs(Worker(command=lambda: ("/no/such/python",)))
    jobs.find_devices(lambda summary: pytest.fail("no"), failures.append)
    jobs.install_generator("", lambda summary: pytest.fail("no"), failures.append)
    assert [failure.code for failure in failures] == ["DEPENDENCY_MISSING", "BAD_SETTING"]
    assert not jobs.running and list(temporary_folder.iterdir()) == []


def test_close_calls_nobody_and_leaves_nothing(temporary_folder: Path) -> None:
    process = ScriptedProcess()
    jobs = BackgroundJobs(scripted_worker(process, Later()))
    jobs.find_devices(lambda summary: pytest.fail("no"), lambda failure: pytest.fail("no"))
    jobs.close()
    jobs.close()
    assert not jobs.running and list(temporary_folder.iterdir()) == []


def test_real_child_is_heard_in_the_thread_that_waits() -> None:
    """The job that lists devices, whatever this computer has."""
    heard: list[int] = []
    answers: list[object] = []

    def hear(answer: object) -> None:
        heard.append(threading.get_ident())
        answers.append(answer)

    jobs = BackgroundJobs()
    jobs.find_devices(hear, hear)
    assert jobs.wait(120.0)
    assert heard == [threading.get_ident()]
    assert isinstance(answers[0], dict) and answers[0]["devices"][0]["id"] == "cpu"


def test_cancel_ends_a_real_child() -> None:
    failures: list[Failure] = []
    jobs = BackgroundJobs(behaving_worker("sleep"))
    jobs.find_devices(lambda summary: pytest.fail("no"), failures.append)
    jobs.cancel()
    assert jobs.wait(120.0)
    assert failures[0].code == "CANCELLED"


def test_only_what_the_user_installed_can_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "generators"))
    (tmp_path / "generators" / "mine").mkdir(parents=True)
    (tmp_path / "generators" / "mine" / "manifest.json").write_text("{}")
    jobs = BackgroundJobs()
    with pytest.raises(MedUSISError, match="no generator of this id"):
        jobs.remove_generator("head-t1w")
    jobs.remove_generator("mine")
    assert list((tmp_path / "generators").iterdir()) == []
