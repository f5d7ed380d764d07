"""The part "Batch" of the window: what is planned, what is found, how the cases stand, with doubles behind it."""

from __future__ import annotations

import pytest
from batch_doubles import make_batch, set_state
from batch_window import planned_batch, unfold
from window_doubles import INCOMPLETE, FakeInstallation, FakeLogic, new_user, open_panel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.runs.status import RunState

STATES = ["done", "review", "failed", "skipped", "computing", "waiting"]


@pytest.fixture
def slicer(slicer_window):
    with new_user(slicer_window) as slicer:
        yield slicer


@pytest.fixture
def wait(slicer_window):
    return lambda condition, timeout_s=30.0: slicer_window.wait_until(condition, timeout_s=timeout_s)


@pytest.fixture
def empty(slicer):
    """Opened for the first time."""
    window = unfold(slicer)
    yield window
    window.panel.close()


@pytest.fixture
def planned(slicer, tmp_path):
    with planned_batch(slicer, tmp_path / "cts") as window:
        yield window


@pytest.fixture
def running(slicer, tmp_path):
    """A batch of six cases, each in another state, and the run that works on it."""
    logic = FakeLogic()
    manifest = make_batch(tmp_path / "night", STATES)
    run = logic.store.add(tmp_path / "night", "night", kind="batch", eta_s=9000.0, stage="synthesizing")
    window = unfold(slicer, logic)
    window.manifest, window.run, window.folder = manifest, run, tmp_path / "night"
    yield window
    window.panel.close()


def row_of(window, row: int) -> list[str]:
    table = window.batch.batchCasesTable
    return [table.item(row, column).text() for column in range(table.columnCount)]


def shown_rows(window) -> list[int]:
    table = window.batch.batchCasesTable
    return [row for row in range(table.rowCount) if not table.isRowHidden(row)]


class TestOpening:
    def test_nothing_is_loaded_before_it_is_opened(self, slicer):
        window = open_panel(slicer)
        assert window.ui.batchCollapsibleButton.collapsed
        assert window.panel.batch.ui is None and window.panel.batch.parts is None
        window.panel.close()

    def test_without_the_packages_it_points_to_the_banner(self, slicer):
        logic = FakeLogic(FakeInstallation(INCOMPLETE))
        window = unfold(slicer, logic)
        assert not window.batch.batchMissingLabel.isHidden() and window.batch.batchContent.isHidden()
        assert window.parts is None
        window.ui.dependencyInstallButton.click()
        assert window.batch.batchMissingLabel.isHidden() and not window.batch.batchContent.isHidden()
        assert window.panel.batch.parts is not None
        window.panel.close()

    def test_it_fits_into_a_panel_of_450_pixels(self, slicer_window, running):
        running.parts.runs.table.choose(3)
        running.widget.show()
        slicer_window.process_events()
        assert running.widget.minimumSizeHint().width() <= 450
        running.widget.hide()

    def test_the_batches_are_looked_at_only_while_they_can_be_seen(self, running):
        runs = running.parts.runs
        assert runs.polling
        running.ui.batchCollapsibleButton.collapsed = True
        assert not runs.polling
        running.ui.batchCollapsibleButton.collapsed = False
        assert runs.polling
        running.panel.exit()
        assert not runs.polling

    def test_closing_the_scene_disturbs_nothing(self, slicer, running):
        slicer.mrmlScene.Clear(0)
        running.panel.scene_closing()
        running.panel.scene_changed()
        assert running.run.asked == [] and running.batch.batchCasesTable.rowCount == 6


class TestPlan:
    def test_a_folder_is_chosen_and_remembered_but_by_no_scene(self, slicer, planned):
        assert planned.batch.batchInputEdit.text == str(planned.source)
        assert planned.batch.batchOutEdit.text == f"{planned.source} - synthetic MR"
        node = planned.logic.getParameterNode().parameterNode
        assert all(str(planned.source) not in str(node.GetParameter(name)) for name in node.GetParameterNames())
        again = unfold(slicer)
        assert again.batch.batchInputEdit.text == str(planned.source)
        again.panel.close()

    def test_the_settings_are_those_of_the_panel(self, planned):
        planned.ui.passesSpinBox.value = 3
        planned.panel.refresh()
        text = planned.batch.batchSettingsLabel.text
        assert "3 passes" in text and "head-t1w" in text
        assert planned.parts.settings.synthesis.passes == 3

    def test_a_generator_in_3d_works_in_windows(self, planned):
        planned.panel.parameters.generator = "head-t1w-3d"
        planned.panel.refresh()
        assert planned.parts.settings.synthesis.mode == "window"
        assert "overlapping windows" in planned.batch.batchSettingsLabel.text

    def test_own_choices_go_into_the_job(self, planned, tmp_path):
        planned.batch.batchSegmentComboBox.setCurrentIndex(1)
        planned.batch.batchWorkersSpinBox.value = 2
        combo = planned.batch.batchLabelsComboBox
        combo.setCurrentIndex(next(n for n in range(combo.count) if "synthseg" in combo.itemText(n)))
        planned.batch.batchStartButton.click()
        chosen = planned.logic.store.submitted[0].parameters
        assert (chosen["segment"], chosen["workers"], chosen["labels"]) == ("head-seg", 2, "synthseg")

    def test_cases_and_labels_from_tables(self, planned, tmp_path):
        (tmp_path / "cases.csv").write_text("ct,segmentation\n")
        planned.dialogs.answers["open_file"] = tmp_path / "cases.csv"
        planned.batch.batchTableButton.click()
        assert planned.parts.settings.source == tmp_path / "cases.csv"
        combo = planned.batch.batchLabelsComboBox
        planned.dialogs.answers["open_file"] = None
        combo.setCurrentIndex(combo.count - 1)
        assert planned.parts.settings.labels == "" and combo.currentIndex == 0  # nothing was chosen
        planned.dialogs.answers["open_file"] = tmp_path / "ours.csv"
        combo.setCurrentIndex(combo.count - 1)
        assert planned.parts.settings.labels == str(tmp_path / "ours.csv") and "ours.csv" in combo.currentText

    def test_what_is_missing_stands_beside_the_button(self, empty):
        assert not empty.batch.batchStartButton.enabled and "No CTs are chosen" in empty.batch.batchReadinessLabel.text


class TestStart:
    def test_a_start_submits_the_job_and_proposes_another_folder(self, planned):
        planned.batch.batchStartButton.click()
        (job,) = planned.logic.store.submitted
        assert job.kind == "batch" and job.parameters["out"] == f"{planned.source} - synthetic MR"
        assert "has been started. Slicer may be closed" in planned.batch.batchStartedLabel.text
        assert planned.batch.batchOutEdit.text.endswith("synthetic MR 2")
        planned.logic.store.all[0].change(stage="finding cases")
        planned.parts.runs.look()
        assert planned.batch.batchCountsLabel.text == "Looking for CTs and their segmentations"

    def test_one_that_has_to_wait_says_so(self, planned, tmp_path):
        planned.logic.store.add(tmp_path / "knees")
        planned.parts.runs.look()
        planned.batch.batchStartButton.click()
        assert "waits" in planned.batch.batchStartedLabel.text and "Waiting" in planned.batch.batchStateLabel.text

    def test_a_refused_start_says_why(self, planned):
        planned.logic.store.refusal = MedUSISError(ErrorCode.DISK_FULL, "no space", "free some")
        planned.batch.batchStartButton.click()
        assert "No space" in planned.ui.errorTextLabel.text and planned.logic.store.submitted == []


class TestCases:
    def test_each_case_has_a_row(self, running):
        assert row_of(running, 0) == ["1", "done", "1:35", "", ""]
        assert row_of(running, 1)[3] == "look"
        assert row_of(running, 2)[1:] == ["went wrong", "1:35", "", "the CT is not a CT"]
        assert [row_of(running, row)[1] for row in (3, 4, 5)] == ["left out", "computing", "waiting"]

    def test_one_look_tells_how_it_stands(self, running):
        assert "Working</b></span><br>1 case in hand." in running.batch.batchStateLabel.text
        assert running.batch.batchCountsLabel.text == "4 of 6 cases, 1 went wrong, 1 to be looked at, about 2.5 h left"
        assert running.batch.batchProgressBar.value == round(1000 * 4 / 6)

    def test_what_the_run_has_to_say_is_shown(self, running):
        running.run.change(warnings=(("INPUT_CHANGED", "the input names other files now"),))
        running.parts.runs.look()
        assert "The input names other files now." in running.batch.batchStateLabel.text

    def test_states_are_live_and_only_what_changes_is_drawn(self, running, wait):
        drawn = running.parts.runs.table.drawn
        set_state(running.manifest, 6, "writing")
        wait(lambda: row_of(running, 5)[1] == "writing")
        assert running.parts.runs.table.drawn - drawn <= 6  # this row, and the clock of the one that is computed

    def test_many_cases_are_filled_in_steps(self, slicer, tmp_path, wait):
        make_batch(tmp_path / "many", ["waiting"] * 350).close()
        window = unfold(slicer)
        window.parts.runs.open(tmp_path / "many")
        table = window.batch.batchCasesTable
        assert table.rowCount == 350 and table.item(0, 0) is not None and table.item(349, 0) is None
        wait(lambda: table.item(349, 0) is not None)
        window.parts.runs.look()
        assert window.parts.runs.table.drawn == 350
        window.panel.close()

    def test_the_table_shows_what_is_asked_for(self, running):
        combo = running.batch.batchFilterComboBox
        assert [combo.itemText(number) for number in range(combo.count)] == [
            "All cases (6)", "To be looked at (1)", "Went wrong or left out (2)", "Not done yet (2)", "Done (2)",
        ]  # fmt: skip
        combo.setCurrentIndex(2)
        assert shown_rows(running) == [2, 3]
        set_state(running.manifest, 6, "failed")
        running.parts.runs.look()
        assert shown_rows(running) == [2, 3, 5] and "(3)" in combo.itemText(2)

    def test_a_case_says_what_happened_and_what_to_do(self, running):
        assert running.batch.batchCaseFrame.isHidden()
        running.parts.runs.table.choose(3)
        text = running.batch.batchCaseLabel.text
        assert "Case 3" in text and "sub-003" in text and "The CT is not a CT." in text
        assert "Give a CT in Hounsfield units." in text
        assert not running.batch.batchLoadButton.enabled and not running.batch.batchReportButton.enabled
        running.parts.runs.table.choose(2)
        assert "should be looked at" in running.batch.batchCaseLabel.text and running.batch.batchLoadButton.enabled

    def test_the_chosen_case_stays_chosen_while_others_change(self, running):
        running.parts.runs.table.choose(5)
        set_state(running.manifest, 5, "done")
        running.parts.runs.look()
        assert "Case 5" in running.batch.batchCaseLabel.text and running.batch.batchLoadButton.enabled

    def test_a_case_that_cannot_be_loaded_says_why(self, slicer, running):
        running.parts.runs.table.choose(1)
        before = slicer.mrmlScene.GetNumberOfNodes()
        running.batch.batchLoadButton.click()
        assert "The case has no result" in running.ui.errorTextLabel.text
        assert slicer.mrmlScene.GetNumberOfNodes() == before

    def test_summary_report_and_folder_open_outside(self, running):
        running.parts.runs.table.choose(1)
        (case := running.folder / "cases" / "case-0001").mkdir(parents=True)
        (case / "report.html").touch()
        assert not running.batch.batchSummaryButton.enabled and not running.batch.batchProblemsButton.enabled
        (running.folder / "summary.html").touch()
        (running.folder / "problems.csv").touch()
        running.parts.runs.look()
        for name in ("Report", "Summary", "Problems", "Results"):
            getattr(running.batch, f"batch{name}Button").click()
        assert running.dialogs.asked == ["open_outside"] * 4


class TestRuns:
    def test_pause_go_on_and_stop(self, running):
        assert not running.batch.batchGoOnButton.enabled and not running.batch.batchRemoveButton.enabled
        running.batch.batchPauseButton.click()
        assert "Paused" in running.batch.batchStateLabel.text and not running.batch.batchPauseButton.enabled
        running.batch.batchGoOnButton.click()
        running.batch.batchStopButton.click()
        assert running.run.asked == ["pause", "resume", "stop"]
        assert "Stopped" in running.batch.batchStateLabel.text

    def test_failed_cases_are_tried_again_when_all_others_are_done(self, running):
        for number in (5, 6):
            set_state(running.manifest, number, "done")
        assert not running.batch.batchRetryButton.enabled
        running.run.change(state=RunState.FINISHED)
        running.parts.runs.look()
        assert "1 went wrong" in running.batch.batchStateLabel.text
        running.batch.batchRetryButton.click()
        (job,) = running.logic.store.submitted
        assert job.parameters["retry_failed"] and job.parameters["out"] == str(running.folder)

    def test_an_earlier_batch_is_opened_gone_on_with_and_remembered(self, slicer, empty, tmp_path):
        make_batch(tmp_path / "old", ["done", "waiting"]).close()
        empty.dialogs.answers["folder"] = tmp_path / "old"
        empty.batch.batchOpenButton.click()
        assert "Interrupted" in empty.batch.batchStateLabel.text and empty.batch.batchCasesTable.rowCount == 2
        empty.batch.batchGoOnButton.click()
        assert empty.logic.store.submitted[0].parameters["resume"]
        again = unfold(slicer)
        assert again.batch.batchChoiceComboBox.currentText == "old" and again.batch.batchCasesTable.rowCount == 2
        again.panel.close()

    def test_a_folder_for_results_that_holds_a_batch_shows_it(self, planned, tmp_path):
        make_batch(tmp_path / "old", ["done", "waiting"]).close()
        planned.dialogs.answers["folder"] = tmp_path / "old"
        planned.batch.batchOutButton.click()
        assert "holds a batch already" in planned.batch.batchReadinessLabel.text
        assert planned.parts.runs.folder == tmp_path / "old" and planned.batch.batchGoOnButton.enabled

    def test_a_folder_without_a_batch_is_refused_and_a_damaged_one_is_said_once(self, empty, tmp_path):
        empty.dialogs.answers["folder"] = tmp_path
        empty.batch.batchOpenButton.click()
        assert "holds no batch" in empty.ui.errorTextLabel.text and not empty.batch.noBatchesLabel.isHidden()
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "manifest.sqlite").write_bytes(b"no database" * 99)
        empty.parts.runs.open(tmp_path / "broken")
        assert empty.panel.errors.shown and empty.batch.batchCasesTable.isHidden()
        empty.panel.errors.hide()
        empty.parts.runs.look()
        assert not empty.panel.errors.shown

    def test_a_batch_whose_folder_is_deleted_shows_no_cases(self, empty, tmp_path):
        import shutil

        make_batch(tmp_path / "old", ["done", "waiting"]).close()
        empty.parts.runs.open(tmp_path / "old")
        shutil.rmtree(tmp_path / "old")
        empty.parts.runs.look()
        assert empty.batch.batchCasesTable.isHidden() and not empty.panel.errors.shown

    def test_another_batch_can_be_chosen(self, running, tmp_path):
        make_batch(tmp_path / "second", ["done"]).close()
        running.parts.runs.open(tmp_path / "second")
        assert running.batch.batchCasesTable.rowCount == 1 and "Finished" in running.batch.batchStateLabel.text
        running.batch.batchChoiceComboBox.setCurrentIndex(0)
        assert running.batch.batchCasesTable.rowCount == 6 and "Working" in running.batch.batchStateLabel.text

    def test_removing_keeps_the_results(self, running):
        running.run.change(state=RunState.STOPPED)
        running.parts.runs.look()
        for answer in (False, True):
            assert running.run.asked == []
            running.dialogs.answers["confirm"] = answer
            running.batch.batchRemoveButton.click()
        assert running.run.asked == ["remove False"] and (running.folder / "manifest.sqlite").is_file()
        assert not running.batch.noBatchesLabel.isHidden() and running.batch.batchFrame.isHidden()

    def test_what_cannot_be_done_or_read_is_said(self, running):
        running.logic.store.refusal = MedUSISError(ErrorCode.BAD_SETTING, "the run cannot be paused", "wait")
        running.batch.batchPauseButton.click()
        assert "cannot be paused" in running.ui.errorTextLabel.text
        running.logic.store.refusal = MedUSISError(ErrorCode.INPUT_NOT_READABLE, "no such folder", "check it")
        running.parts.runs.look()
        assert "No such folder" in running.ui.errorTextLabel.text and not running.parts.runs.polling
