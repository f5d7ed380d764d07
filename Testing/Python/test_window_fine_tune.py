"""The part "Fine-tune a generator" of the window: opening, settings and start, with doubles behind it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fine_tune_window import (
    NEEDS,
    be_impatient,
    opened_for_the_first_time,
    opened_with,
    ready,
    scan_of_a_hospital,
    unfold,
)
from window_doubles import INCOMPLETE, FakeInstallation, FakeLogic, new_user, open_panel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.fine_tune_settings import LENGTHS


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
def empty(slicer, tmp_path):
    with opened_for_the_first_time(slicer, tmp_path / "work") as window:
        yield window


@pytest.fixture
def opened(slicer, scan_once):
    with opened_with(slicer, scan_once) as window:
        yield window


class TestOpening:
    def test_nothing_is_loaded_before_it_is_opened(self, slicer):
        window = open_panel(slicer)
        assert window.ui.fineTuneCollapsibleButton.collapsed
        assert window.panel.fine_tune.ui is None and window.panel.fine_tune.parts is None
        window.panel.close()

    def test_it_fits_into_a_panel_of_450_pixels(self, slicer_window, opened):
        opened.tune.trainingAdvancedCollapsibleButton.collapsed = False
        opened.widget.show()
        slicer_window.process_events()
        assert opened.widget.minimumSizeHint().width() <= 450
        opened.widget.hide()

    def test_packages_of_a_training_are_asked_for_here_only(self, slicer):
        logic = FakeLogic()
        logic.training_installation = FakeInstallation(INCOMPLETE)
        window = unfold(slicer, logic)
        assert window.ui.dependencyFrame.isHidden() and not window.tune.trainingDependencyFrame.isHidden()
        assert "205 MB" in window.tune.trainingDependencyLabel.text and window.tune.fineTuneContent.isHidden()
        assert window.parts is None and logic.training_installation.asked == []
        window.tune.trainingDependencyInstallButton.click()
        assert logic.training_installation.asked == [None]
        assert not window.tune.fineTuneContent.isHidden() and window.panel.fine_tune.parts is not None
        window.panel.close()

    def test_the_runs_are_looked_at_only_while_they_can_be_seen(self, opened):
        runs = opened.parts.runs
        assert runs.polling
        opened.ui.fineTuneCollapsibleButton.collapsed = True
        assert not runs.polling
        opened.ui.fineTuneCollapsibleButton.collapsed = False
        assert runs.polling
        opened.panel.exit()
        assert not runs.polling
        opened.panel.enter()
        assert runs.polling
        opened.panel.close()
        assert not runs.polling

    def test_closing_the_scene_disturbs_nothing(self, slicer, opened, tmp_path):
        run = opened.logic.store.add(tmp_path / "out")
        opened.parts.runs.look()
        slicer.mrmlScene.Clear(0)
        opened.panel.scene_closing()
        opened.panel.scene_changed()
        assert run.asked == [] and opened.parts.runs.line.state == "running"
        assert opened.tune.casesTable.rowCount == 6


class TestSettings:
    def test_a_length_sets_the_iterations_and_own_numbers_are_own(self, opened):
        tune = opened.tune
        tune.lengthComboBox.setCurrentIndex(0)
        assert (tune.firstIterationsSpinBox.value, tune.secondIterationsSpinBox.value) == LENGTHS["short"]
        tune.secondIterationsSpinBox.value = 77
        assert "own numbers" in tune.lengthComboBox.currentText
        assert opened.parts.form.settings.iterations == LENGTHS["short"][0] + 77

    def test_the_name_follows_the_parent_until_it_is_typed(self, opened):
        assert opened.tune.newNameEdit.text == "my-head-t1w"
        opened.tune.newNameEdit.text = "our-3t"
        opened.panel.refresh()
        assert opened.parts.form.settings.name == "our-3t" and opened.tune.newNameEdit.text == "our-3t"

    def test_the_configuration_is_saved(self, opened, tmp_path):
        opened.dialogs.answers["save_file"] = tmp_path / "mine"
        opened.tune.saveConfigurationButton.click()
        assert "start_from" in (tmp_path / "mine.yaml").read_text()
        assert "medusis train mine.yaml" in opened.tune.trainingStartedLabel.text


class TestStart:
    def test_time_and_memory_are_said_before_a_start_is_possible(self, opened, wait):
        assert not opened.tune.startTrainingButton.enabled
        ready(opened, wait)
        assert "1.5 hours" in opened.tune.trainingEstimateLabel.text
        assert "1.3 GB" in opened.tune.trainingEstimateLabel.text

    def test_other_settings_are_estimated_anew_and_a_name_is_not(self, opened, wait):
        ready(opened, wait)
        opened.tune.newNameEdit.text = "other"
        assert opened.tune.startTrainingButton.enabled and len(opened.logic.background.estimates) == 1
        opened.tune.trainingBatchSpinBox.value = 4
        assert not opened.tune.startTrainingButton.enabled
        wait(lambda: len(opened.logic.background.estimates) == 2)
        assert opened.logic.background.estimates[1][0]["batch_size"] == 4

    def test_an_estimate_that_nobody_waits_for_is_ended(self, opened, wait):
        wait(lambda: opened.logic.background.estimates)
        opened.ui.fineTuneCollapsibleButton.collapsed = True
        assert opened.logic.background.cancelled == ["estimate"]
        opened.logic.background.estimates[0][1](NEEDS)  # too late
        assert not opened.tune.startTrainingButton.enabled

    def test_what_the_check_finds_stands_beside_the_button(self, opened, wait):
        wait(lambda: opened.logic.background.estimates)
        opened.logic.background.estimates[0][2](Failure("DEVICE_NOT_AVAILABLE", "no such card", "choose another"))
        assert "No such card. Choose another." in opened.tune.trainingReadinessLabel.text
        assert not opened.tune.startTrainingButton.enabled

    def test_too_little_memory_is_said_and_does_not_block(self, opened, wait):
        wait(lambda: opened.logic.background.estimates)
        opened.logic.background.estimates[0][1]({**NEEDS, "free_bytes": 1_000_000_000})
        assert "1.0 GB are free" in opened.tune.trainingReadinessLabel.text and opened.tune.startTrainingButton.enabled

    def test_a_start_submits_the_job_and_the_second_one_waits(self, opened, wait, tmp_path):
        opened.parts.folders.set_working(opened.parts.folders.working)
        ready(opened, wait)
        opened.tune.startTrainingButton.click()
        (job,) = opened.logic.store.submitted
        assert job.kind == "train" and job.parameters["name"] == "my-head-t1w"
        assert "'my-head-t1w' has been started. Slicer may be closed." in opened.tune.trainingStartedLabel.text
        assert opened.tune.runsTable.rowCount == 1 and opened.parts.form.settings.name != "my-head-t1w"
        opened.tune.startTrainingButton.click()
        assert "waits: it begins when 'my-head-t1w' has ended" in opened.tune.trainingStartedLabel.text
        assert [line.title for line in opened.parts.run_list.refresh()] == ["next", "running"]

    def test_a_refused_start_says_why(self, opened, wait):
        ready(opened, wait)
        opened.logic.store.refusal = MedUSISError(ErrorCode.DISK_FULL, "no space", "free some")
        opened.tune.startTrainingButton.click()
        assert "No space" in opened.ui.errorTextLabel.text

    def test_without_validation_it_says_so_and_estimates_nothing(self, opened, wait):
        opened.tune.casesTable.selectRow(2)
        opened.tune.caseSideComboBox.setCurrentIndex(0)
        assert "kept for validation" in opened.tune.trainingReadinessLabel.text
        opened.logic.background.estimates.clear()
        with pytest.raises(TimeoutError):
            wait(lambda: opened.logic.background.estimates, timeout_s=0.5)
