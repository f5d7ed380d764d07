"""The part "Fine-tune a generator" of the window: how runs go, and what is done with them, with doubles behind it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fine_tune_doubles import write_job, write_log
from fine_tune_window import (
    be_impatient,
    opened_with,
    scan_of_a_hospital,
    text_of,
    unfold,
)
from window_doubles import FakeLogic, new_user

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.runs.status import RunState


@pytest.fixture(scope="module")
def scan_once(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return scan_of_a_hospital(tmp_path_factory.mktemp("fine-tune"))


@pytest.fixture
def slicer(slicer_window):
    with new_user(slicer_window) as slicer:
        yield slicer


@pytest.fixture(autouse=True)
def impatient(slicer, monkeypatch):
    be_impatient(monkeypatch)


@pytest.fixture
def wait(slicer_window):
    return slicer_window.wait_until


@pytest.fixture
def opened(slicer, scan_once):
    with opened_with(slicer, scan_once) as window:
        yield window


@pytest.fixture
def running(opened, tmp_path):
    """A run in its second phase, better than its parent, with a sample picture."""
    from PIL import Image

    out = tmp_path / "my-head-t1w"
    sample = out / "samples" / "000300.png"
    sample.parent.mkdir(parents=True)
    Image.new("RGB", (600, 300), (90, 90, 90)).save(sample)
    entries: list[dict[str, Any]] = [{"iteration": 0, "before": True, "validation": {"mean_error": 0.037}}]
    for iteration in (210, 250, 300):
        entries.append({"iteration": iteration, "phase": "adversarial", "rate": 0.5, "l1": 0.02})
    entries.append({"iteration": 300, "validation": {"mean_error": 0.031, "correlation": 0.97}})
    write_log(out, entries)
    write_job(out.with_name(f"{out.name}-run"))
    warnings = (("FEW", "few people"),)
    opened.run = opened.logic.store.add(out, newest_sample=sample, done=300, iteration=300, warnings=warnings)
    opened.parts.runs.look(everything=True)
    return opened


class TestRuns:
    def test_one_look_tells_how_it_is_going(self, running):
        tune = running.tune
        assert text_of(tune.runsTable, 0) == ["running", "25 %", "about 67 min"]
        assert "Going well" in tune.runVerdictLabel.text and "head-t1w had 0.0370" in tune.runVerdictLabel.text
        assert "300 / 1200" in tune.runStageLabel.text
        assert not tune.runCurvesLabel.isHidden() and not tune.runSampleLabel.isHidden()
        assert "Few people." in tune.runNotesLabel.text and tune.useGeneratorButton.isHidden()

    def test_curves_are_drawn_again_only_when_something_was_added(self, running, monkeypatch):
        from MedUSISLib.mrml import curves_picture

        drawn: list[Path] = []
        draw = curves_picture.write_png
        monkeypatch.setattr(
            curves_picture, "write_png", lambda panels, last, path: drawn.append(path) or draw(panels, last, path)
        )
        for _ in range(3):
            running.parts.runs.look()
        assert drawn == []
        write_log(running.run.now.out, [{"iteration": 310, "phase": "adversarial", "rate": 0.5, "l1": 0.02}])
        running.parts.runs.look()
        assert len(drawn) == 1

    def test_a_folded_part_stays_folded_while_the_runs_are_looked_at(self, slicer_window, running):
        running.widget.show()
        running.tune.runsCollapsibleButton.collapsed = True
        running.parts.runs.look(everything=True)
        slicer_window.process_events()
        assert not running.tune.runPauseButton.isVisible() and not running.tune.runCurvesLabel.isVisible()
        running.tune.runsCollapsibleButton.collapsed = False
        assert running.tune.runPauseButton.isVisible() and running.tune.runCurvesLabel.isVisible()
        running.widget.hide()

    def test_preparing_the_data_is_no_progress_of_the_training(self, running):
        running.run.change(stage="preparing the data: 2 of 4 cases are new", done=1, total=2, iteration=None)
        running.parts.runs.look()
        assert text_of(running.tune.runsTable, 0)[1] == ""
        assert "1 / 2" in running.tune.runStageLabel.text

    def test_the_timer_sees_what_changes(self, running, wait):
        running.run.change(done=600, iteration=600)
        wait(lambda: text_of(running.tune.runsTable, 0)[1] == "50 %")

    @pytest.mark.parametrize(("button", "wish"), [("Pause", "pause"), ("Finish", "finish"), ("Stop", "stop")])
    def test_buttons_do_what_they_say(self, running, button, wish):
        getattr(running.tune, f"run{button}Button").click()
        assert running.run.asked == [wish]

    def test_pause_and_resume(self, running):
        assert not running.tune.runResumeButton.enabled
        running.tune.runPauseButton.click()
        assert text_of(running.tune.runsTable, 0)[0] == "paused"
        assert running.tune.runResumeButton.enabled and not running.tune.runPauseButton.enabled
        running.tune.runResumeButton.click()
        assert running.run.asked == ["pause", "resume"]

    def test_what_cannot_be_done_is_said(self, running):
        running.logic.store.refusal = MedUSISError(ErrorCode.BAD_SETTING, "the run cannot be paused", "wait")
        running.tune.runPauseButton.click()
        assert "cannot be paused" in running.ui.errorTextLabel.text

    def test_removing_asks_and_can_keep_the_files(self, running):
        running.run.change(state=RunState.STOPPED)
        running.parts.runs.look(everything=True)
        running.dialogs.answers["confirm"] = False
        running.tune.runRemoveButton.click()
        assert running.run.asked == [] and running.tune.runsTable.rowCount == 1
        running.dialogs.answers.update(confirm=True, yes_no=False)
        running.tune.runRemoveButton.click()
        assert running.run.asked == ["remove False"] and running.tune.runsTable.rowCount == 0
        assert not running.tune.noRunsLabel.isHidden() and running.tune.runViewFrame.isHidden()

    def test_a_failed_run_says_what_happened_and_what_to_do(self, running):
        running.run.change(
            state=RunState.FAILED, message="the disk is full", hint="free some space, then resume", code="DISK_FULL"
        )
        running.parts.runs.look()
        assert "Went wrong" in running.tune.runVerdictLabel.text
        assert "The disk is full." in running.tune.runVerdictLabel.text
        assert "Free some space, then resume." in running.tune.runNotesLabel.text
        assert running.tune.runResumeButton.enabled

    def test_another_run_can_be_chosen(self, running, tmp_path):
        running.logic.store.add(tmp_path / "second", "second", state=RunState.QUEUED, position_in_queue=1)
        running.parts.runs.look()
        assert running.parts.runs.line.name == "my-head-t1w"
        running.tune.runsTable.selectRow(0)
        assert running.parts.runs.line.name == "second" and "Waiting" in running.tune.runVerdictLabel.text
        assert running.tune.runCurvesLabel.isHidden()

    def test_the_pictures_open_outside(self, running):
        running.tune.runPicturesButton.click()
        assert running.dialogs.asked[-1] == "open_outside"

    def test_a_window_that_opens_later_finds_the_run_again(self, slicer, running):
        logic = FakeLogic()
        logic.store = running.logic.store
        again = unfold(slicer, logic)
        assert text_of(again.tune.runsTable, 0)[0] == "running" and "Going well" in again.tune.runVerdictLabel.text
        again.panel.close()

    def test_runs_that_cannot_be_read_are_said_once(self, running, wait):
        running.panel.errors.hide()
        running.logic.store.refusal = MedUSISError(ErrorCode.INPUT_NOT_READABLE, "no such folder", "check it")
        running.parts.runs.look()
        assert "No such folder" in running.ui.errorTextLabel.text and not running.parts.runs.polling


class TestUse:
    @pytest.fixture
    def finished(self, running):
        bundle = running.run.now.out / "bundle" / "my-head-t1w"
        running.run.change(state=RunState.FINISHED, bundle=bundle, eta_s=None)
        running.parts.runs.look()
        running.bundle = bundle
        return running

    def test_a_finished_one_is_installed_and_chosen(self, finished):
        finished.logic.background.answer = lambda done, error: done({"id": "head-t1w"})
        finished.panel.parameters.generator = "another"
        assert not finished.tune.useGeneratorButton.isHidden()
        finished.tune.useGeneratorButton.click()
        assert finished.logic.background.sources == [(str(finished.bundle), None)]
        assert finished.panel.parameters.generator == "head-t1w"
        assert "installed and chosen" in finished.tune.useGeneratorLabel.text

    def test_one_that_cannot_be_installed_says_why(self, finished):
        failure = Failure("GENERATOR_CORRUPT", "a file is damaged", "train it again")
        finished.logic.background.answer = lambda done, error: error(failure)
        finished.tune.useGeneratorButton.click()
        assert "A file is damaged" in finished.ui.errorTextLabel.text
        assert finished.tune.useGeneratorButton.enabled and finished.tune.useGeneratorLabel.isHidden()

    def test_replacing_an_installed_one_is_asked(self, finished, monkeypatch):
        monkeypatch.setattr(finished.parts.run, "_is_installed", lambda identifier: identifier == "my-head-t1w")
        finished.dialogs.answers["confirm"] = False
        finished.tune.useGeneratorButton.click()
        assert finished.logic.background.sources == []
        finished.dialogs.answers["confirm"] = True
        finished.tune.useGeneratorButton.click()
        assert finished.logic.background.replaced == [True]
