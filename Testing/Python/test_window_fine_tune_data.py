"""The part "Fine-tune a generator" of the window: folders, scan and cases, with doubles behind it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fine_tune_window import (
    be_impatient,
    opened_for_the_first_time,
    opened_with,
    remember,
    scan_of_a_hospital,
    text_of,
    unfold,
)
from window_doubles import new_user

from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.jobs.events import Failure


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
