"""The child process as a QProcess: what it says arrives whole and in order, however it ends; cancel ends the tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logic_doubles import PATIENCE_S, Ear, Inputs, Loading, all_gone, is_gone, nodes

START_S = 60.0


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.on_line: Callable[[], None] = lambda: None

    def output_line(self, line: str) -> None:
        self.heard.append(("output", line))
        self.on_line()

    def error_line(self, line: str) -> None:
        self.heard.append(("error", line))

    def finished(self, exit_code: int) -> None:
        self.heard.append(("finished", exit_code))

    def ended(self) -> bool:
        return any(kind == "finished" for kind, _ in self.heard)

    def lines(self, kind: str = "output") -> list[str]:
        return [line for heard, line in self.heard if heard == kind]


@pytest.fixture
def window(slicer_window: Any) -> Any:
    """The module's own folder on the search path, as Slicer has it."""
    folder = str(Path(__file__).resolve().parents[2] / "MedUSIS")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return slicer_window


def until(condition: Callable[[], bool], timeout_s: float = START_S) -> None:
    import qt

    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        qt.QCoreApplication.processEvents()
        time.sleep(0.01)


def run(script: str, environment: dict[str, str] | None = None) -> Listener:
    """A child that does a script, heard to its end by the event loop."""
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    process.start([sys.executable, "-c", script], {**os.environ, **(environment or {})}, listener)
    assert process.pid
    until(listener.ended)
    assert listener.heard[-1][0] == "finished" and len(listener.lines("finished")) == 1
    return listener


def test_letters_that_are_cut_between_two_pieces_arrive_whole(window: Any) -> None:
    script = (
        "import sys, time\n"
        "line = 'Gewebe f\\u00fcr \\u6d4b'.encode() + b'\\n'\n"
        "for piece in line[:9], line[9:]:\n"
        "    sys.stdout.buffer.write(piece); sys.stdout.buffer.flush(); time.sleep(0.3)\n"
    )
    assert run(script).lines() == ["Gewebe für 测"]


def test_last_line_without_an_end_is_heard(window: Any) -> None:
    heard = run("import sys; sys.stdout.write('one\\r\\ntwo'); sys.stderr.write('three')")
    assert (heard.lines(), heard.lines("error"), heard.lines("finished")) == (["one", "two"], ["three"], [0])


def test_bytes_that_are_no_text_do_no_harm(window: Any) -> None:
    (line,) = run("import sys; sys.stdout.buffer.write(b'a\\xffb\\n')").lines()
    assert line == "a\N{REPLACEMENT CHARACTER}b"


def test_much_output_arrives_complete_and_in_order(window: Any) -> None:
    assert run("for n in range(20000): print(n)").lines() == [str(n) for n in range(20000)]


def test_order_is_kept_when_the_listener_handles_events(window: Any) -> None:
    import qt
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    listener.on_line = lambda: qt.QCoreApplication.processEvents()
    script = "import time\nfor n in range(300):\n    print(n, flush=True)\n    time.sleep(0.0005)"
    process.start([sys.executable, "-c", script], os.environ, listener)
    until(listener.ended)
    assert listener.lines() == [str(n) for n in range(300)]
    assert listener.heard[-1] == ("finished", 0)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit(33)", 33),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 11)", -11),
    ],
)
def test_end_is_told_with_its_code(window: Any, script: str, code: int) -> None:
    assert run(script).lines("finished") == [code]


def test_program_that_is_not_there_is_an_oserror(window: Any) -> None:
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    with pytest.raises(OSError, match="did not start"):
        process.start(["/no/such/python"], {}, listener)
    assert process.pid is None and listener.heard == []


def test_child_has_the_environment_that_was_given_and_no_other(window: Any) -> None:
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    script = "import os; print(os.environ['WORD']); print('HOME' in os.environ)"
    process.start([sys.executable, "-c", script], {"WORD": "Wörter = mehr", "PYTHONIOENCODING": "utf-8"}, listener)
    until(listener.ended)
    assert listener.lines() == ["Wörter = mehr", "False"]


def test_closed_standard_input_is_the_word_to_stop(window: Any) -> None:
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    script = (
        "import signal, sys; signal.signal(15, signal.SIG_IGN)\n"
        "print('up', flush=True); sys.stdin.read(); print('end')"
    )
    process.start([sys.executable, "-c", script], os.environ, listener)
    until(lambda: listener.lines() == ["up"])
    process.ask_to_stop()
    until(listener.ended)
    assert listener.lines() == ["up", "end"] and listener.lines("finished") == [0]
    process.ask_to_stop()  # after the end: nothing


def test_waiting_needs_no_event_loop(window: Any) -> None:
    from MedUSISGui.qprocess import QtProcess

    listener, process = Listener(), QtProcess()
    process.start([sys.executable, "-c", "print('here')"], os.environ, listener)
    assert process.wait(START_S)
    assert listener.heard == [("output", "here"), ("finished", 0)]


# With the logic on top


class Bench:
    def __init__(self, scene: Any, behaviour: str, starter: tuple[str, ...] = ()) -> None:
        import fake_worker
        from MedUSISGui.qprocess import qt_worker

        from MedUSISLib.mrml.synthesis_logic import SynthesisLogic
        from MedUSISLib.mrml.worker import Worker

        real = qt_worker()
        command = (*starter, sys.executable, fake_worker.__file__, "--behaviour", behaviour)
        worker = Worker(real.new_process, lambda: command, real.single_shot)
        self.load = Loading()
        self.logic = SynthesisLogic(worker, Inputs(), self.load, lambda: scene)  # type: ignore[arg-type]
        self.ear = Ear(self.logic)
        self.inputs = nodes(scene)

    def start(self) -> None:
        from MedUSISLib.mrml.settings import SynthesisSettings

        self.logic.start(self.inputs, SynthesisSettings(passes=1))

    def tree(self) -> list[int]:
        """Process ids of the child and of the child's child, when both are there."""
        import psutil

        until(lambda: ("Working",) in self.ear.all("stage"))
        pid = self.logic._job._run._process.pid  # type: ignore[union-attr]
        assert pid is not None
        until(lambda: bool(psutil.Process(pid).children(recursive=True)))
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_run_is_heard_by_the_event_loop_alone(window: Any, mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, "succeed")
    bench.start()
    until(lambda: not bench.logic.running)
    assert bench.ear.outcomes() == ["finished"] and bench.load.calls
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("behaviour", ["be_deaf", "sleep_with_helper"])
def test_cancel_ends_the_tree_where_threads_do_not_run(
    window: Any, mrml_scene: Any, temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    bench = Bench(mrml_scene, behaviour)
    bench.start()
    tree = bench.tree()
    # as in Slicer, where the main thread keeps the interpreter to itself
    monkeypatch.setattr("threading.Thread.start", lambda self: None)
    bench.logic.cancel()
    until(lambda: not bench.logic.running, PATIENCE_S)
    assert bench.ear.outcomes() == ["cancelled"]
    assert all_gone(tree)
    assert list(temporary_folder.iterdir()) == []


# PythonSlicer is no Python but a starter that has Python as its child, on the same standard streams.
STARTER = ("/bin/sh", "-c", '"$@"; exit $?', "PythonSlicer")


def test_run_through_a_starter_is_heard(window: Any, mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, "fail_by_name", STARTER)
    bench.start()
    until(lambda: not bench.logic.running)
    assert bench.ear.all("failed")[0][0].code == "NOT_A_CT"
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.parametrize("behaviour", ["be_deaf", "sleep_with_helper"])
def test_cancel_ends_what_a_starter_started(
    window: Any, mrml_scene: Any, temporary_folder: Path, behaviour: str
) -> None:
    import psutil

    bench = Bench(mrml_scene, behaviour, STARTER)
    bench.start()
    tree = bench.tree()
    until(lambda: len(psutil.Process(tree[0]).children(recursive=True)) == 2)
    tree = [tree[0], *(child.pid for child in psutil.Process(tree[0]).children(recursive=True))]
    bench.logic.cancel()
    until(lambda: not bench.logic.running, PATIENCE_S)
    assert bench.ear.outcomes() == ["cancelled"]
    assert all_gone(tree)
    assert list(temporary_folder.iterdir()) == []


def test_closing_the_scene_ends_the_child(window: Any, mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, "sleep_with_helper")
    bench.start()
    tree = bench.tree()
    mrml_scene.Clear(0)
    until(lambda: not bench.logic.running, PATIENCE_S)
    assert bench.ear.outcomes() == ["cancelled"] and not bench.load.calls
    assert all_gone(tree)
    assert list(temporary_folder.iterdir()) == []


def test_close_leaves_neither_process_nor_file_nor_timer(
    window: Any, mrml_scene: Any, temporary_folder: Path
) -> None:
    bench = Bench(mrml_scene, "be_deaf")
    bench.start()
    tree = bench.tree()
    bench.logic.close()
    assert all_gone(tree)
    until(lambda: list(temporary_folder.iterdir()) == [])  # on a busy machine it ends later than closing waits
    said = len(bench.ear.heard)
    end = time.monotonic() + 0.3
    until(lambda: time.monotonic() > end)
    assert len(bench.ear.heard) == said


def test_child_that_dies_leaves_no_helper(window: Any, mrml_scene: Any, temporary_folder: Path) -> None:
    bench = Bench(mrml_scene, "leave_helper")
    pids: list[int] = []
    bench.start()
    assert bench.logic._job._run is not None
    bench.logic._job._run.metric.connect(lambda name, value, details: pids.append(int(value)))
    until(lambda: not bench.logic.running)
    assert bench.ear.outcomes() == ["finished"]
    until(lambda: is_gone(pids[0]), PATIENCE_S)


def test_child_ends_and_tidies_up_when_the_application_is_killed(window: Any, tmp_path: Path) -> None:
    import fake_worker

    (tmp_path / "temporary").mkdir()
    script = tmp_path / "application.py"
    here = Path(__file__).resolve()
    script.write_text(
        "import os, sys, time\n"
        f"sys.path[:0] = {[str(here.parents[2] / 'MedUSIS'), *sys.path]!r}\n"
        "import qt\n"
        "application = qt.QCoreApplication([])\n"
        "from MedUSISGui.qprocess import QtProcess\n"
        "from MedUSISLib.jobs.specification import JobSpecification\n"
        "from MedUSISLib.mrml.job_run import JobRun\n"
        f"job = JobSpecification(kind='segment', parameters={{'ct': 'ct', 'out': {str(tmp_path / 'out')!r}}})\n"
        f"command = {(sys.executable, fake_worker.__file__, '--behaviour', 'sleep')!r}\n"
        "process = QtProcess()\n"
        "run = JobRun(job, process, command)\n"
        "(run.folder / 'ct.nii').write_text('a patient')\n"
        "def hear(name):\n"
        "    print(process.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "run.stage.connect(hear)\n"
        "run.start()\n"
        "while True:\n"
        "    application.processEvents()\n"
        "    time.sleep(0.02)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, timeout=START_S, env=environment)
    assert done.returncode == -9
    pid = int(done.stdout.splitlines()[0])
    end = time.monotonic() + PATIENCE_S
    while not is_gone(pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["application.py", "temporary"]
