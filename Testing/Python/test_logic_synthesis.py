"""A synthesis in the scene: every way it can end, and what is left behind, which is nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from logic_doubles import (
    PATIENCE_S,
    PATIENT,
    Ear,
    Inputs,
    Later,
    Loading,
    ScriptedProcess,
    all_gone,
    behaving_worker,
    nodes,
    scripted_worker,
)

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs, SynthesisSettings
from MedUSISLib.mrml.synthesis_logic import SynthesisLogic
from MedUSISLib.mrml.worker import Worker

START_S = 60.0  # for a child process on a busy machine


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


class Bench:
    """A logic with doubles around it."""

    def __init__(self, scene: Any, worker: Worker | None = None) -> None:
        self.process, self.later = ScriptedProcess(), Later()
        self.prepare, self.load = Inputs(), Loading()
        self.scene = scene
        self.inputs = nodes(scene)
        self.logic = SynthesisLogic(
            worker or scripted_worker(self.process, self.later), self.prepare, self.load, lambda: scene  # type: ignore[arg-type]
        )
        self.ear = Ear(self.logic)

    def start(self, settings: SynthesisSettings | None = None) -> None:
        self.logic.start(self.inputs, settings or SynthesisSettings(passes=1), OutputChoice())

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = START_S) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, self.logic.log_text()
            self.logic.pump()
            time.sleep(0.02)


@pytest.fixture
def bench(mrml_scene: Any) -> Any:
    made = Bench(mrml_scene)
    yield made
    made.logic.close()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def test_success_loads_the_result_and_leaves_no_file(bench: Bench, temporary_folder: Path) -> None:
    bench.start()
    assert bench.logic.running
    bench.process.succeed()
    assert bench.ear.outcomes() == ["finished"]
    assert bench.ear.all("finished") == [("nodes",)]
    folder, ct, _ = bench.load.calls[0]
    assert folder == bench.prepare.folders[0] / "result" and ct is bench.inputs.ct
    assert not bench.logic.running
    assert files_in(temporary_folder) == []


def test_events_become_signals_with_words_for_people(bench: Bench) -> None:
    bench.start(SynthesisSettings(passes=8))
    for line in (
        '{"event": "stage", "name": "synthesizing"}',
        '{"event": "progress", "done": 5, "total": 10, "eta_s": 30.0}',
        '{"event": "preview", "path": "slice.png"}',
        '{"event": "warning", "code": "RESAMPLED", "message": "another grid"}',
    ):
        bench.process.say(line)
    assert bench.ear.all("stage") == [("Preparing the inputs",), ("Making the synthetic MR",)]
    assert bench.ear.all("progressed") == [(5, 10, 30.0)]
    assert bench.ear.all("previewed") == [("slice.png",)]
    assert bench.ear.all("warned") == [("RESAMPLED", "another grid")]
    assert 0.4 < bench.ear.all("advanced")[-1][0] < 0.6


def test_fraction_of_the_whole_never_goes_back_and_ends_at_one(bench: Bench) -> None:
    bench.start()
    stages = "reading", "preparing", "synthesizing", "segmenting", "restoring", "measuring", "reporting", "writing"
    for name in stages:
        bench.process.say(f'{{"event": "stage", "name": "{name}"}}')
        bench.process.say('{"event": "progress", "done": 1, "total": 1}')
    bench.process.succeed()
    fractions = [arguments[0] for arguments in bench.ear.all("advanced")]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_error_of_the_child_arrives_with_code_message_and_hint(bench: Bench, temporary_folder: Path) -> None:
    bench.start()
    bench.process.say('{"event": "error", "code": "NOT_A_CT", "message": "no air", "hint": "give a CT in HU"}')
    bench.process.listener.finished(11)
    (failure,) = bench.ear.all("failed")[0]
    assert (failure.code, failure.message, failure.hint) == ("NOT_A_CT", "no air", "give a CT in HU")
    assert bench.ear.outcomes() == ["failed"]
    assert bench.load.calls == [] and files_in(temporary_folder) == []


def test_hints_and_warnings_name_nothing_of_the_command_line(bench: Bench) -> None:
    bench.start()
    bench.process.say('{"event": "warning", "code": "FIELD_OF_VIEW", "message": "large: --mode window keeps to it"}')
    bench.process.say('{"event": "error", "code": "OUT_OF_MEMORY", "message": "none left", "hint": "--batch-size 1"}')
    bench.process.listener.finished(30)
    assert bench.ear.all("warned") == [("FIELD_OF_VIEW", "large: the mode 'window' keeps to it")]
    assert "--" not in bench.ear.all("failed")[0][0].hint


def test_child_that_dies_after_claiming_success_loads_nothing(bench: Bench) -> None:
    bench.start()
    bench.process.say('{"event": "result", "out": "somewhere"}')
    bench.process.listener.finished(-11)
    assert bench.ear.all("failed")[0][0].code == "INTERNAL"
    assert bench.load.calls == []


def test_inputs_that_cannot_be_prepared_are_a_failure(bench: Bench, temporary_folder: Path) -> None:
    def refuse(*_: object) -> Any:
        raise MedUSISError(ErrorCode.EMPTY_SEGMENTATION, "the segmentation is empty", "draw something")

    bench.logic._prepare = refuse
    bench.start()
    assert bench.ear.all("failed")[0][0].code == "EMPTY_SEGMENTATION"
    assert bench.ear.names()[0] == "logged" and bench.ear.all("stage") == [("Preparing the inputs",)]
    assert not bench.logic.running and files_in(temporary_folder) == []


def test_result_that_cannot_be_loaded_is_a_failure_without_foreign_words(bench: Bench, temporary_folder: Path) -> None:
    def fail(*_: object) -> Any:
        raise ValueError(f"cannot load {PATIENT}")

    bench.logic._load = fail
    bench.start()
    bench.process.succeed()
    failure = bench.ear.all("failed")[0][0]
    assert failure.code == "INTERNAL" and PATIENT not in failure.message
    assert bench.ear.outcomes() == ["failed"] and files_in(temporary_folder) == []


def test_worker_that_cannot_be_started_is_a_failure(mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, Worker(command=lambda: ("/no/such/python",)))
    bench.start()
    assert bench.ear.all("failed")[0][0].code == "DEPENDENCY_MISSING"
    assert files_in(temporary_folder) == []


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (SynthesisSettings(passes=0), "BAD_SETTING"),
        (SynthesisSettings(device="toaster"), "BAD_SETTING"),
        (SynthesisSettings(generator="no-such"), "GENERATOR_NOT_FOUND"),
        (SynthesisSettings(generator="head-seg"), "GENERATOR_NOT_FOUND"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_said(
    bench: Bench, settings: SynthesisSettings, code: str
) -> None:
    with pytest.raises(MedUSISError) as raised:
        bench.start(settings)
    assert raised.value.code.value == code
    assert bench.ear.heard == [] and not bench.logic.running


def test_nothing_selected_is_refused(bench: Bench) -> None:
    with pytest.raises(MedUSISError, match="no segmentation is selected"):
        bench.logic.start(SynthesisInputs(bench.inputs.ct, None), SynthesisSettings(), OutputChoice())


def test_node_that_has_left_the_scene_is_refused(bench: Bench) -> None:
    bench.scene.RemoveNode(bench.inputs.segmentation)
    with pytest.raises(MedUSISError, match="the segmentation is no longer in the scene"):
        bench.start()
    assert bench.ear.heard == [] and not bench.logic.running


def test_second_start_while_running_is_refused_and_the_first_goes_on(bench: Bench) -> None:
    bench.start()
    with pytest.raises(MedUSISError, match="going on already"):
        bench.start()
    bench.process.succeed()
    assert bench.ear.outcomes() == ["finished"]


def test_listener_may_start_the_next_run(bench: Bench) -> None:
    begun: list[bool] = []
    bench.logic.finished.connect(lambda _: begun.append(True) if begun else (begun.append(True), bench.start()))
    bench.start()
    bench.process.succeed()
    assert bench.logic.running
    bench.process.succeed()
    assert bench.ear.outcomes() == ["finished", "finished"]


def test_listener_that_fails_stops_nobody(bench: Bench, temporary_folder: Path) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a window that is gone")

    for name in ("stage", "advanced", "warned", "finished"):
        getattr(bench.logic, name).connect(fail)
    bench.start()
    bench.process.say('{"event": "stage", "name": "reading"}')
    bench.process.succeed()
    assert bench.ear.outcomes() == ["finished"] and files_in(temporary_folder) == []


def test_cancel_is_its_own_outcome(bench: Bench, temporary_folder: Path) -> None:
    bench.start()
    bench.logic.cancel()
    assert bench.process.asked_to_stop and bench.logic.running
    bench.process.listener.finished(130)
    assert bench.ear.outcomes() == ["cancelled"]
    assert bench.load.calls == [] and files_in(temporary_folder) == []


def test_grace_period_is_kept_by_the_event_loop_s_timer(bench: Bench) -> None:
    bench.start()
    bench.logic.cancel()
    ((milliseconds, kill),) = bench.later.waiting
    assert milliseconds == 1000
    bench.process.listener.finished(130)
    kill()  # rings later: nothing is left to kill


def test_result_that_comes_after_the_cancel_is_not_loaded(bench: Bench) -> None:
    bench.start()
    bench.logic.cancel()
    bench.process.succeed()
    assert bench.ear.outcomes() == ["cancelled"] and bench.load.calls == []


def test_cancel_by_a_listener_while_the_inputs_are_prepared(bench: Bench, temporary_folder: Path) -> None:
    bench.logic.stage.connect(lambda title: bench.logic.cancel())
    bench.start()
    assert bench.ear.outcomes() == ["cancelled"]
    assert bench.process.pid is None and files_in(temporary_folder) == []


def test_closing_the_scene_ends_the_run_and_adds_nothing_to_the_next(bench: Bench) -> None:
    bench.start()
    bench.scene.Clear(0)
    assert bench.process.asked_to_stop
    before = bench.scene.GetNumberOfNodes()
    bench.process.succeed()
    assert bench.ear.outcomes() == ["cancelled"] and bench.load.calls == []
    assert [code for code, _ in bench.ear.all("warned")] == ["SCENE_CLOSED"]
    assert bench.scene.GetNumberOfNodes() == before


@pytest.mark.parametrize("which", ["ct", "segmentation"])
def test_removing_an_input_ends_the_run_and_says_so(bench: Bench, which: str) -> None:
    bench.start()
    bench.scene.RemoveNode(getattr(bench.inputs, which))
    bench.process.listener.finished(130)
    assert bench.ear.outcomes() == ["cancelled"]
    ((code, message),) = bench.ear.all("warned")
    assert code == "INPUT_REMOVED" and which.lower() in message.lower() and PATIENT not in message


def test_other_nodes_may_come_and_go(bench: Bench) -> None:
    bench.start()
    other = bench.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    bench.scene.RemoveNode(other)
    bench.process.succeed()
    assert bench.ear.outcomes() == ["finished"]


def test_nothing_observes_the_scene_after_the_run(bench: Bench) -> None:
    bench.start()
    bench.process.succeed()
    bench.scene.RemoveNode(bench.inputs.ct)
    bench.scene.Clear(0)
    assert bench.ear.all("warned") == []


def test_close_ends_a_run_in_silence_and_can_be_repeated(bench: Bench, temporary_folder: Path) -> None:
    bench.start()
    said = len(bench.ear.heard)
    bench.logic.close()
    bench.logic.close()
    assert len(bench.ear.heard) == said
    assert not bench.logic.running and files_in(temporary_folder) == []
    with pytest.raises(MedUSISError, match="closed"):
        bench.start()


def test_log_is_kept_without_the_patient(bench: Bench) -> None:
    bench.start()
    folder = bench.prepare.folders[0]
    bench.process.listener.error_line(f"reading {PATIENT} from {folder}/ct.nii and /data/jane/Doe_Jane/ct.dcm")
    bench.process.succeed()
    text = bench.logic.log_text()
    assert "Preparing the inputs" in text and text.endswith("done")
    assert "MedUSIS 0." in text and "generator head-t1w" in text and "passes 1" in text
    assert PATIENT not in text and str(folder) not in text and "Doe_Jane" not in text
    assert all(PATIENT not in line for (line,) in bench.ear.all("logged"))


# With real child processes


def test_signals_of_a_real_child_come_in_the_thread_that_waits(mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, behaving_worker("succeed"))
    threads: set[int] = set()
    for name in ("stage", "progressed", "logged", "finished"):
        getattr(bench.logic, name).connect(lambda *_: threads.add(threading.get_ident()))
    bench.start()
    idle: list[int] = []
    assert bench.logic.wait(START_S, idle=lambda: idle.append(1))
    assert bench.ear.outcomes() == ["finished"] and idle
    assert ("RESAMPLED", "the segmentation was in another grid") in bench.ear.all("warned")
    assert threads == {threading.get_ident()}
    assert files_in(temporary_folder) == []


@pytest.mark.parametrize(
    ("behaviour", "code"), [("die", "INTERNAL"), ("fail_by_name", "NOT_A_CT"), ("lack_memory", "OUT_OF_MEMORY")]
)
def test_failures_of_a_real_child(mrml_scene: Any, temporary_folder: Path, behaviour: str, code: str) -> None:
    bench = Bench(mrml_scene, behaving_worker(behaviour))
    bench.start()
    assert bench.logic.wait(START_S)
    assert bench.ear.all("failed")[0][0].code == code
    assert files_in(temporary_folder) == []


def start_deaf_child(bench: Bench) -> list[int]:
    """Start a child that ignores SIGTERM and has a child of its own; the ids of both."""
    import psutil

    bench.start()
    bench.wait_for(lambda: ("Working",) in bench.ear.all("stage"))
    assert bench.logic._job._run is not None
    pid = bench.logic._job._run._process.pid
    assert pid is not None
    bench.wait_for(lambda: len(psutil.Process(pid).children(recursive=True)) > 0)
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def test_cancel_ends_the_whole_tree_of_a_deaf_child(
    mrml_scene: Any, temporary_folder: Path
) -> None:
    bench = Bench(mrml_scene, behaving_worker("be_deaf"))
    tree = start_deaf_child(bench)
    bench.logic.cancel()
    assert bench.logic.wait(PATIENCE_S)
    assert bench.ear.outcomes() == ["cancelled"]
    assert all_gone(tree)
    assert files_in(temporary_folder) == []


def test_close_ends_the_whole_tree_of_a_deaf_child(mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, behaving_worker("be_deaf"))
    tree = start_deaf_child(bench)
    bench.logic.close()
    assert all_gone(tree)
    bench.wait_for(lambda: files_in(temporary_folder) == [])  # on a busy machine it ends later than closing waits


def test_closing_the_scene_ends_a_real_child(mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, behaving_worker("sleep_with_helper"))
    tree = start_deaf_child(bench)
    mrml_scene.Clear(0)
    assert bench.logic.wait(PATIENCE_S)
    assert bench.ear.outcomes() == ["cancelled"]
    assert all_gone(tree)
    assert files_in(temporary_folder) == []
