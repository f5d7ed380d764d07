"""The engine that Slicer keeps between runs: heard by the event loop, said in words, ended with the module."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fake_worker
import pytest
from logic_doubles import Ear, Inputs, Loading, is_gone, nodes
from window_doubles import PANEL_FILE, FakeLogic, open_panel

from MedUSISLib.mrml.kept_engine import DEFAULT_MINUTES, KeptEngine

WAIT_S = 120.0
SERVE = (sys.executable, fake_worker.__file__, "--serve", "succeed")


def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    import qt

    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        qt.QCoreApplication.processEvents()
        time.sleep(0.01)


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def bench(slicer_window: Any, mrml_scene: Any, temporary_folder: Path) -> Any:
    """The logic of the module on an engine that does not compute."""
    from MedUSISGui.qprocess import QtProcess, single_shot

    from MedUSISLib.mrml.settings import SynthesisSettings
    from MedUSISLib.mrml.synthesis_logic import SynthesisLogic
    from MedUSISLib.mrml.worker import Worker

    cold = (sys.executable, fake_worker.__file__, "--behaviour", "succeed")
    engine = KeptEngine(Worker(QtProcess, lambda: cold, single_shot, serve_command=lambda idle_s: SERVE))
    logic = SynthesisLogic(engine.worker, Inputs(), Loading(), lambda: mrml_scene)  # type: ignore[arg-type]
    inputs, ear = nodes(mrml_scene), Ear(logic)
    seeds = itertools.count()  # the same run again would need no process

    def run() -> list[str]:
        ear.heard.clear()
        logic.start(inputs, SynthesisSettings(passes=1, seed=next(seeds)))
        until(lambda: not logic.running)
        return ear.outcomes()

    yield SimpleNamespace(engine=engine, logic=logic, run=run, folder=temporary_folder)
    logic.close()
    engine.close()


def test_runs_follow_each_other_in_one_process_that_ends_when_asked(bench: Any) -> None:
    bench.engine.minutes = 5
    assert not bench.engine.running
    assert bench.run() == ["finished"]
    pid = bench.engine.pid
    assert bench.engine.running and not bench.engine.busy
    assert bench.run() == ["finished"] and bench.engine.pid == pid
    until(lambda: bench.engine.memory_bytes > 0)
    assert list(bench.folder.iterdir()) == []  # nothing of a patient waits with it
    bench.engine.end()
    until(lambda: is_gone(pid))
    assert not bench.engine.running
    assert bench.run() == ["finished"] and bench.engine.pid != pid


def test_switched_off_nothing_stays(bench: Any) -> None:
    bench.engine.minutes = 0
    assert bench.run() == ["finished"] and not bench.engine.running
    bench.engine.minutes = 5
    assert bench.run() == ["finished"] and bench.engine.running
    pid = bench.engine.pid
    bench.engine.minutes = 0
    until(lambda: is_gone(pid))
    assert bench.run() == ["finished"] and not bench.engine.running


def test_closing_the_module_ends_it(bench: Any) -> None:
    bench.engine.minutes = 5
    bench.run()
    pid = bench.engine.pid
    bench.logic.close()
    bench.engine.close()
    until(lambda: is_gone(pid))


def test_the_panel_says_how_it_stands_and_remembers_how_long(slicer_window: Any, bench: Any) -> None:
    slicer = slicer_window.slicer
    slicer.app.userSettings().remove("MedUSIS/EngineMinutes")
    logic = FakeLogic()
    logic.engine = bench.engine
    window = open_panel(slicer, logic)
    ui = window.ui
    assert ui.engineMinutesSpinBox.value == DEFAULT_MINUTES == bench.engine.minutes
    assert ui.engineStateLabel.text == "Not loaded." and not ui.engineEndButton.enabled
    bench.run()
    until(lambda: "of memory" in ui.engineStateLabel.text)
    assert "MB" in ui.engineStateLabel.text and ui.engineEndButton.enabled
    ui.engineEndButton.click()
    assert ui.engineStateLabel.text == "Not loaded." and not ui.engineEndButton.enabled
    ui.engineMinutesSpinBox.value = 0
    assert bench.engine.minutes == 0 and "anew" in ui.engineStateLabel.text
    window.panel.close()
    again = open_panel(slicer, logic)
    assert again.ui.engineMinutesSpinBox.value == 0
    again.panel.close()
    slicer.app.userSettings().remove("MedUSIS/EngineMinutes")
    assert PANEL_FILE.is_file() and slicer_window.uncaught == []


def test_packages_are_not_replaced_under_it(slicer_window: Any, bench: Any) -> None:
    logic = FakeLogic()
    logic.engine = bench.engine
    window = open_panel(slicer_window.slicer, logic)
    bench.engine.minutes = 5
    bench.run()
    pid = bench.engine.pid
    window.panel.banner.installing()
    until(lambda: is_gone(pid))
    window.panel.close()
