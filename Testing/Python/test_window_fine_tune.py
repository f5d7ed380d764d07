"""The part "Fine-tune a generator" of the window: data, settings, start and runs, with doubles behind it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fine_tune_doubles import hospital, scanned, write_job, write_log
from window_doubles import INCOMPLETE, FakeInstallation, FakeLogic, open_panel

from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.fine_tune_settings import LENGTHS
from MedUSISLib.runs.status import RunState

NEEDS = {"memory_bytes": 1_300_000_000, "free_bytes": 6_000_000_000, "seconds": 5400.0, "device": "cpu"}


@pytest.fixture(scope="module")
def scan_once(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    root = tmp_path_factory.mktemp("fine-tune")
    data = hospital(root / "data")
    scanned(data, root / "work" / "scan")
    return SimpleNamespace(data=data, working=root / "work")


@pytest.fixture
def slicer(slicer_window):
    slicer_window.slicer.app.userSettings().clear()
    yield slicer_window.slicer
    slicer_window.slicer.app.userSettings().clear()


@pytest.fixture(autouse=True)
def impatient(slicer, monkeypatch):
    """The estimate begins soon after a change."""
    from MedUSISGui import fine_tune_start

    monkeypatch.setattr(fine_tune_start, "_REST_MS", 50)


@pytest.fixture
def wait(slicer_window):
    return lambda condition, timeout_s=60.0: slicer_window.wait_until(condition, timeout_s=timeout_s)


def remember(slicer, folders: list[Path], working: Path) -> None:
    settings = slicer.app.userSettings()
    settings.setValue("MedUSIS/Training/Folders", "\n".join(map(str, folders)))
    settings.setValue("MedUSIS/Training/WorkingFolder", str(working))


def unfold(slicer, logic: Any = None) -> SimpleNamespace:
    """The panel with the part opened; ``tune`` are its widgets."""
    window = open_panel(slicer, logic)
    window.ui.fineTuneCollapsibleButton.collapsed = False
    window.tune = window.panel.fine_tune.ui
    window.parts = window.panel.fine_tune.parts
    return window


@pytest.fixture
def empty(slicer, tmp_path):
    """Opened for the first time, with a working folder of its own."""
    remember(slicer, [], tmp_path / "work")
    window = unfold(slicer)
    yield window
    window.panel.close()


@pytest.fixture
def opened(slicer, scan_once):
    """Opened with a dataset that was scanned before; what a test changes in it is put back."""
    file = scan_once.working / "scan" / "dataset.json"
    text = file.read_text()
    remember(slicer, [scan_once.data], scan_once.working)
    window = unfold(slicer)
    window.dataset = file
    yield window
    window.panel.close()
    file.write_text(text)


def ready(window, wait) -> None:
    """Answer the estimate."""
    wait(lambda: window.logic.background.estimates)
    window.logic.background.estimates[-1][1](NEEDS)
    assert window.tune.startTrainingButton.enabled, window.tune.trainingReadinessLabel.text


def text_of(table, row: int) -> list[str]:
    return [table.item(row, column).text() for column in range(1, table.columnCount)]


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


class TestFolders:
    def test_folders_are_added_removed_and_remembered(self, slicer, empty, tmp_path):
        for name in ("ct", "mr"):
            (tmp_path / name).mkdir()
            empty.dialogs.answers["folder"] = tmp_path / name
            empty.tune.trainingFolderAddButton.click()
        assert empty.parts.folders.folders == [tmp_path / "ct", tmp_path / "mr"]
        assert not empty.tune.trainingFolderRemoveButton.enabled
        empty.tune.trainingFoldersList.setCurrentRow(0)
        assert empty.tune.trainingFolderRemoveButton.enabled
        empty.tune.trainingFolderRemoveButton.click()
        again = unfold(slicer)
        assert again.parts.folders.folders == [tmp_path / "mr"] and again.tune.trainingFoldersList.count == 1
        again.panel.close()

    def test_no_scene_holds_the_folders(self, slicer, opened, scan_once):
        node = opened.logic.getParameterNode().parameterNode
        assert all(str(scan_once.data) not in str(node.GetParameter(name)) for name in node.GetParameterNames())

    def test_a_scan_of_nothing_and_one_into_its_own_data_are_refused(self, empty, tmp_path):
        empty.tune.scanButton.click()
        assert "add the folders" in empty.ui.errorTextLabel.text.lower()
        assert empty.logic.background.scans == []
        (tmp_path / "data" / "work").mkdir(parents=True)
        empty.parts.folders.add(tmp_path / "data")
        empty.parts.folders.set_working(tmp_path / "data" / "work")
        empty.tune.scanButton.click()
        assert "inside a folder" in empty.ui.errorTextLabel.text and empty.logic.background.scans == []


class TestScan:
    def test_the_scan_is_a_job_with_progress_that_can_be_cancelled(self, empty, tmp_path):
        (tmp_path / "data").mkdir()
        empty.parts.folders.add(tmp_path / "data")
        empty.tune.scanButton.click()
        parameters, _done, error, progress, stage = empty.logic.background.scans[0]
        assert parameters == {
            "folders": [str(tmp_path / "data")],
            "out": str(tmp_path / "work" / "scan"),
            "label_schema": "head",
        }
        stage("Reading each file")
        progress(3, 12, 40.0)
        assert empty.tune.scanStageLabel.text == "Reading each file (3 / 12, about 40 s left)"
        assert empty.tune.scanProgressBar.value == 250
        assert not empty.tune.scanButton.enabled and not empty.tune.trainingFolderAddButton.enabled
        empty.tune.scanCancelButton.click()
        assert empty.logic.background.cancelled == ["scan"]
        error(Failure("CANCELLED", "the job was cancelled"))
        assert empty.tune.scanButton.enabled and empty.tune.scanProgressFrame.isHidden()
        assert not empty.panel.errors.shown

    def test_what_was_found_appears_when_it_is_done(self, empty, scan_once, tmp_path):
        import shutil

        empty.parts.folders.add(scan_once.data)
        empty.tune.scanButton.click()
        shutil.copytree(scan_once.working / "scan", tmp_path / "work" / "scan")
        empty.logic.background.scans[0][1]({"cases": 5})
        assert empty.tune.casesTable.rowCount == 6
        assert "2 MRs" in empty.tune.datasetSummaryLabel.text

    def test_a_failed_scan_says_why(self, empty, tmp_path):
        (tmp_path / "data").mkdir()
        empty.parts.folders.add(tmp_path / "data")
        empty.tune.scanButton.click()
        empty.logic.background.scans[0][2](Failure("DISK_FULL", "the dataset cannot be written", "free some space"))
        assert "free some space" in empty.ui.errorTextLabel.text.lower() and empty.tune.scanButton.enabled

    def test_a_broken_dataset_file_is_said_and_does_not_stop_the_window(self, slicer, tmp_path):
        (tmp_path / "work" / "scan").mkdir(parents=True)
        (tmp_path / "work" / "scan" / "dataset.json").write_text("{")
        remember(slicer, [], tmp_path / "work")
        window = unfold(slicer)
        assert window.panel.errors.shown and window.tune.casesTable.isHidden()
        window.panel.close()


    def test_other_folders_than_those_of_the_table_are_said(self, opened, tmp_path):
        assert opened.tune.datasetNoteLabel.isHidden()
        opened.parts.folders.add(tmp_path)
        assert "other folders" in opened.tune.datasetNoteLabel.text

    def test_what_somebody_else_writes_is_seen_when_the_part_is_opened_again(self, opened):
        opened.ui.fineTuneCollapsibleButton.collapsed = True
        text = opened.dataset.read_text()
        opened.dataset.write_text(text.replace('"split": "validation"', '"split": "test"'))
        opened.ui.fineTuneCollapsibleButton.collapsed = False
        assert "To be judged on: nobody" in opened.tune.datasetSummaryLabel.text

    def test_label_maps_are_checked_against_the_classes_of_the_parent(self, opened, monkeypatch):
        from dataclasses import replace

        entry = replace(opened.panel.generator.entries[0], schema_id="torso")
        monkeypatch.setattr(type(opened.panel.generator), "entries", property(lambda self: [entry]))
        opened.tune.scanButton.click()
        assert opened.logic.background.scans[0][0]["label_schema"] == "torso"


class TestCases:
    def test_the_table_says_what_each_case_holds_and_what_is_wrong(self, opened):
        table = opened.tune.casesTable
        assert text_of(table, 0) == ["P001", "MR T1w", "training", ""]
        assert text_of(table, 2)[2] == "validation"
        assert "nobody knows" in text_of(table, 4)[3]
        assert text_of(table, 5)[1] == "file in no case"

    def test_a_row_shows_picture_problems_and_files(self, opened, scan_once):
        opened.tune.casesTable.selectRow(4)
        assert not opened.tune.casePictureLabel.isHidden()
        assert "scan again" in opened.tune.caseTextLabel.text
        assert str(scan_once.data / "P005" / "ct.nii.gz") in opened.tune.caseTextLabel.text
        opened.tune.casesTable.clearSelection()
        assert opened.tune.caseFrame.isHidden()

    def test_the_tick_is_written(self, opened, wait):
        import qt

        case = load_dataset(opened.dataset).cases
        first = next(one for one in case if one.person == "P001").id
        opened.tune.casesTable.item(0, 0).setCheckState(qt.Qt.Unchecked)
        wait(lambda: "4 of 5" in opened.tune.datasetSummaryLabel.text)
        assert first not in {used.id for used in load_dataset(opened.dataset).used_cases()}
        opened.tune.casesTable.item(0, 0).setCheckState(qt.Qt.Checked)
        wait(lambda: "5 of 5" in opened.tune.datasetSummaryLabel.text)

    def test_the_side_of_several_people_is_changed_at_once(self, opened):
        import qt

        table = opened.tune.casesTable
        mode = qt.QItemSelectionModel.Select | qt.QItemSelectionModel.Rows
        for row in (0, 1):
            table.selectionModel().select(table.model().index(row, 0), mode)
        assert "2 cases" in opened.tune.caseTextLabel.text
        opened.tune.caseSideComboBox.setCurrentIndex(1)
        dataset = load_dataset(opened.dataset)
        assert {dataset.split_of(person) for person in ("P001", "P002", "P003")} == {"validation"}
        assert text_of(table, 0)[2] == "validation"
        assert "To learn from: 1 segmentation" in opened.tune.datasetSummaryLabel.text

    def test_the_meaning_of_labels_is_written_and_a_scan_is_asked_for(self, opened):
        opened.tune.casesTable.selectRow(4)
        combo = opened.tune.caseMappingComboBox
        texts = [combo.itemText(number) for number in range(combo.count)]
        assert "synthseg" in texts
        combo.setCurrentIndex(texts.index("synthseg"))
        dataset = load_dataset(opened.dataset)
        case = next(one for one in dataset.cases if one.person == "P005")
        assert dataset.file(case.labels).mapping == "synthseg"
        assert "Scan again" in opened.tune.datasetNoteLabel.text

    def test_the_sequence_is_written(self, opened):
        opened.tune.casesTable.selectRow(0)
        combo = opened.tune.caseSequenceComboBox
        assert combo.currentText == "T1w"
        combo.setCurrentIndex([combo.itemText(number) for number in range(combo.count)].index("T2w"))
        assert text_of(opened.tune.casesTable, 0)[1] == "MR T2w"
        assert "MRs of different sequences" in opened.tune.trainingReadinessLabel.text

    def test_many_cases_are_filled_in_steps(self, slicer, wait):
        import qt
        from MedUSISGui.fine_tune_cases import CasesTable

        from MedUSISLib.mrml.fine_tune_data import CaseRow

        table = qt.QTableWidget()
        table.setColumnCount(5)
        cases = CasesTable(table)
        cases.show([CaseRow(str(n), f"P{n}", "MR", "train", True, True) for n in range(300)])
        assert table.rowCount == 300 and table.item(0, 1) is not None and table.item(299, 1) is None
        wait(lambda: table.item(299, 1) is not None)

    def test_the_page_opens_in_the_browser(self, opened):
        opened.tune.datasetPageButton.click()
        assert opened.dialogs.asked == ["open_outside"]


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

    @pytest.mark.parametrize(
        ("button", "wish"), [("Pause", "pause"), ("Finish", "finish"), ("Stop", "stop")]
    )
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
