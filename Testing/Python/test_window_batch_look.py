"""The part "Batch" of the window: the look at the data before the start, what it found, and the table to correct."""

from __future__ import annotations

import pytest
from batch_tree import grid, write
from batch_window import planned_batch
from window_doubles import new_user

from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_file import write_found
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.batch_found import Found, Problem, read_found


@pytest.fixture
def planned(slicer_window, tmp_path):
    """A folder of CTs is chosen."""
    with new_user(slicer_window) as slicer, planned_batch(slicer, tmp_path / "cts") as window:
        yield window


@pytest.fixture
def looked(planned, tmp_path):
    """Somebody has looked: one good case, one with two segmentations, one that only its grid matches, an MR."""
    write(planned.source, "P1/ct.nii.gz", "P1/seg.nii.gz", "P1/t1.nii.gz", geometry=grid(1))
    write(planned.source, "P2 <x>/ct.nii.gz", "P2 <x>/seg_a.nii.gz", "P2 <x>/seg_b.nii.gz", geometry=grid(2))
    write(planned.source, "CT 3.nii.gz", "label.nii.gz", geometry=grid(3))
    found = find_cases(planned.source)
    write_found(tmp_path / "found.json", found)
    summary = {"kind": "files", "cases": len(found.cases), "without_segmentation": 0}
    planned.batch.batchLookButton.click()
    planned.logic.background.looks[0][1](read_found(tmp_path / "found.json", summary))
    return planned


def rows(window) -> list[list[str]]:
    table = window.batch.batchFoundTable
    return [[table.item(row, column).text() for column in (0, 1)] for row in range(table.rowCount)]


class TestLook:
    def test_looking_is_a_job_with_progress_that_can_be_cancelled(self, planned):
        planned.batch.batchLookButton.click()
        parameters, _done, error, progress, stage = planned.logic.background.looks[0]
        assert parameters["input"] == str(planned.source) and "out" not in parameters
        stage("Looking for CTs and their segmentations")
        progress(3, 12, 40.0)
        assert "(3 / 12, about 40 s left)" in planned.batch.batchLookStageLabel.text
        assert planned.batch.batchLookProgressBar.value == 250
        assert not planned.batch.batchLookButton.enabled and not planned.batch.batchStartButton.enabled
        planned.batch.batchLookCancelButton.click()
        assert planned.logic.background.cancelled == ["look"]
        error(Failure("CANCELLED", "the job was cancelled"))
        assert planned.batch.batchLookButton.enabled and not planned.panel.errors.shown

    def test_counts_and_problems_are_said_in_words(self, planned):
        problem = Problem("sub-09", "its CT is cut short", "copy it again")
        planned.batch.batchLookButton.click()
        planned.logic.background.looks[0][1](Found("bids", 12, 2, (problem,)))
        assert "12 CTs, 10 with their segmentation, 2 without" in planned.batch.batchFoundLabel.text
        table = planned.batch.batchFoundTable
        assert [table.item(0, column).text() for column in (0, 1)] == ["sub-09", "its CT is cut short"]
        assert "copy it again" in table.item(0, 1).toolTip() and not planned.batch.batchFoundFrame.isHidden()
        assert "2 CTs without segmentation" in planned.batch.batchReadinessLabel.text
        assert planned.batch.batchStartButton.enabled

    def test_no_more_problems_are_listed_than_somebody_reads(self, planned):
        planned.batch.batchLookButton.click()
        planned.logic.background.looks[0][1](Found("files", 1, 0, (Problem("a", "b", "c"),) * 700))
        table = planned.batch.batchFoundTable
        assert table.rowCount == 501 and table.item(500, 1).text() == "and 200 more"

    def test_other_data_are_another_matter(self, planned, tmp_path):
        planned.batch.batchLookButton.click()
        planned.logic.background.looks[0][1](Found("bids", 0, 0, ()))
        assert not planned.batch.batchStartButton.enabled
        (tmp_path / "others").mkdir()
        planned.dialogs.answers["folder"] = tmp_path / "others"
        planned.batch.batchFolderButton.click()
        assert planned.batch.batchFoundLabel.isHidden() and planned.batch.batchFoundFrame.isHidden()
        assert planned.batch.batchStartButton.enabled

    def test_a_failure_says_why(self, planned):
        planned.batch.batchLookButton.click()
        planned.logic.background.looks[0][2](Failure("INPUT_NOT_READABLE", "the table has no column 'ct'", "add one"))
        assert "Add one" in planned.ui.errorTextLabel.text and planned.batch.batchLookButton.enabled


class TestLists:
    def test_each_list_is_there_and_the_most_urgent_comes_first(self, looked):
        combo = looked.batch.batchFoundComboBox
        titles = [combo.itemText(number) for number in range(combo.count)]
        assert titles == ["Became no case (4)", "To be looked at (1)", "Cases (2)"]
        assert rows(looked)[0] == ["P2 <x>/ct.nii.gz", "2 segmentations fit this CT equally well"]
        assert rows(looked)[-1][0] == "P1/t1.nii.gz"
        combo.setCurrentIndex(2)
        assert rows(looked) == [["CT 3.nii.gz", "label.nii.gz"], ["P1/ct.nii.gz", "P1/seg.nii.gz"]]
        assert looked.batch.batchFoundTable.horizontalHeaderItem(1).text() == "Segmentation"

    def test_a_line_says_what_to_do(self, looked):
        label = looked.batch.batchFoundDetailsLabel
        assert label.isHidden()
        looked.batch.batchFoundTable.selectRow(0)
        assert "<b>P2 &lt;x&gt;/ct.nii.gz</b><br>2 segmentations fit this CT equally well." in label.text
        assert "What to do: keep one, or name the right ones in a table of cases ('Save table...'" in label.text
        looked.batch.batchFoundComboBox.setCurrentIndex(2)
        assert label.isHidden()
        looked.batch.batchFoundTable.selectRow(1)
        assert "Its segmentation: P1/seg.nii.gz." in label.text

    def test_the_table_is_saved_corrected_and_chosen(self, looked, tmp_path):
        looked.dialogs.answers["save_file"] = None
        looked.batch.batchSaveTableButton.click()
        assert looked.batch.batchTableSavedLabel.isHidden()
        looked.dialogs.answers["save_file"] = tmp_path / "mine"
        looked.batch.batchSaveTableButton.click()
        assert "Saved as mine.csv." in looked.batch.batchTableSavedLabel.text
        looked.dialogs.answers["open_file"] = tmp_path / "mine.csv"
        looked.batch.batchTableButton.click()
        assert looked.batch.batchInputEdit.text.endswith("mine.csv") and looked.batch.batchFoundFrame.isHidden()
        assert find_cases(looked.parts.settings.source).cases == find_cases(looked.source).cases

    def test_a_table_that_cannot_be_written_says_why(self, looked, tmp_path, monkeypatch):
        def full(*_arguments):
            raise MedUSISError(ErrorCode.DISK_FULL, "no space", "free some")

        monkeypatch.setattr("MedUSISGui.batch_found.write_table", full)
        looked.dialogs.answers["save_file"] = tmp_path / "mine.csv"
        looked.batch.batchSaveTableButton.click()
        assert "No space" in looked.ui.errorTextLabel.text and looked.batch.batchTableSavedLabel.isHidden()

    def test_without_a_list_there_is_nothing_to_save(self, planned):
        planned.batch.batchLookButton.click()
        planned.logic.background.looks[0][1](Found("files", 3, 0, ()))
        assert "3 CTs" in planned.batch.batchFoundLabel.text and planned.batch.batchFoundFrame.isHidden()
