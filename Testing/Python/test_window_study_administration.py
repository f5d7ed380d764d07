"""The administrator's pages: from folders of cases to packages, and from answers to the report, by real jobs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import study_example
from reading_studies import MODULE_FILE, Reader

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.study_preview import open_preview
from MedUSISLib.study.case_folders import find_cases, read_cells, write_cells
from MedUSISLib.study.case_table import COLUMNS, read_case_table
from MedUSISLib.study.key import load_study
from MedUSISLib.study.package import open_package


@pytest.fixture(scope="session")
def case_folders(tmp_path_factory) -> Path:
    """Four heads, each in a folder of its own."""
    root = tmp_path_factory.mktemp("heads") / "cases"
    for number in range(4):
        folder = root / f"Doe_Jane_{number}"
        folder.mkdir(parents=True)
        places = ((20.0, 10.0, 0.0),) if number % 2 else ()
        row = study_example.write_case(folder, study_example.Head(number + 1, places), "x")
        for role in ("real", "synthetic", "ct", "lesions"):
            (folder / row[role]).rename(folder / f"{role}.nii.gz")
    return root


@pytest.fixture
def module(slicer_window):
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.mainWindow().show()
    slicer_window.slicer.util.selectModule("MedUSISReader")
    widget = slicer_window.slicer.modules.MedUSISReaderWidget
    widget.ui.administratorCheckBox.checked = True
    return widget


def wait(slicer_window, module):
    """Until the job has ended."""
    slicer_window.wait_until(lambda: not module.logic.jobs.kind, timeout_s=180)


class TestCases:
    def test_folders_become_cases_and_a_table_that_the_library_reads(self, case_folders, tmp_path):
        cells = find_cases(case_folders)
        assert len(cells) == 4 and set(cells[0]) == {"case", "real", "synthetic", "ct", "lesions"}
        assert "Doe" not in cells[0]["case"]
        write_cells(tmp_path / "cases.csv", cells)
        rows = read_case_table(tmp_path / "cases.csv")
        assert [set(row.images) for row in rows] == [{"real", "synthetic", "ct"}] * 4
        assert read_cells(tmp_path / "cases.csv") == cells

    def test_relative_paths_of_a_table_start_from_its_folder(self, tmp_path):
        table = study_example.write_cases(tmp_path / "in", 2)
        cells = read_cells(table)
        assert all(Path(row["real"]).is_absolute() and Path(row["real"]).is_file() for row in cells)
        assert cells[0]["training"] == "yes"

    def test_a_folder_without_cases_and_a_case_with_two_files_are_refused(self, tmp_path):
        (tmp_path / "empty" / "notes").mkdir(parents=True)
        with pytest.raises(MedUSISError, match="no case"):
            find_cases(tmp_path / "empty")
        (tmp_path / "two" / "a").mkdir(parents=True)
        for name in ("ct.nii", "ct.nii.gz"):
            (tmp_path / "two" / "a" / name).touch()
        with pytest.raises(MedUSISError, match="two files"):
            find_cases(tmp_path / "two")


class TestPages:
    def test_pages_appear_with_the_switch_and_say_what_is_needed(self, module):
        ui = module.ui
        assert not ui.newStudyCollapsibleButton.isHidden() and not ui.resultsCollapsibleButton.isHidden()
        assert not ui.newStudyButton.enabled and not ui.buildPackagesButton.enabled and not ui.analyseButton.enabled
        ui.administratorCheckBox.checked = False
        assert ui.newStudyCollapsibleButton.isHidden()

    def test_everything_fits_into_a_panel_of_450_pixels(self, module):
        assert module.parent.minimumSizeHint().width() <= 450

    def test_cells_can_be_changed_and_files_are_shown_by_name(self, module, case_folders):
        cases = module.panel.administration.new_study.cases
        cases.add_folder(case_folders)
        table = module.ui.casesTable
        assert table.rowCount == 4 and table.item(0, 1).text() == "real.nii.gz"
        assert "4 cases: 4 real, 4 synthetic, 4 ct" in module.ui.casesStateLabel.text
        table.item(1, COLUMNS.index("stratum")).setText("scanner A")
        table.item(0, COLUMNS.index("training")).setText("yes")
        assert cases.cells[1]["stratum"] == "scanner A" and cases.cells[0]["training"] == "yes"
        assert Path(cases.cells[0]["real"]).is_file()

    def test_settings_reach_the_protocol_and_wrong_ones_are_named(self, module):
        ui, page = module.ui, module.panel.administration.new_study
        page.kind.select("forced-choice")
        page.mode.select("slice")
        page.plane.select("sagittal")
        ui.breaksSpinBox.value, ui.feedbackCheckBox.checked, ui.backCheckBox.checked = 7, True, True
        ui.readersEdit.text = "R1, R2"
        protocol = page.protocol()
        assert (protocol.design, protocol.readers, protocol.breaks_after) == ("forced-choice", ("R1", "R2"), 7)
        assert (protocol.display.mode, protocol.display.plane) == ("slice", "sagittal")
        assert protocol.training_feedback and protocol.allow_back
        page.kind.select("lesion-sequential")
        with pytest.raises(MedUSISError, match="allow_back"):
            page.protocol()

    def test_a_whole_study_without_the_command_line(self, slicer_window, module, case_folders, tmp_path):
        ui, pages = module.ui, module.panel.administration
        pages.new_study.cases.add_folder(case_folders)
        ui.casesTable.item(0, COLUMNS.index("training")).setText("yes")
        ui.studyIdEdit.text, ui.readersEdit.text = "heads", "R1, R2"
        ui.studyFolderEdit.text = str(tmp_path / "study")
        protocol = study_example.small(pages.new_study.protocol())
        (tmp_path / "coarse.json").write_text(protocol.model_dump_json())
        pages.new_study.kind.select("file")
        ui.protocolEdit.text = str(tmp_path / "coarse.json")
        ui.newStudyButton.click()
        assert not ui.jobFrame.isHidden() and not ui.newStudyButton.enabled
        wait(slicer_window, module)
        assert not module.panel.errors.shown, ui.errorTextLabel.text
        assert "4 cases" in ui.newStudyText.plainText and (tmp_path / "study-cases.csv").is_file()
        assert load_study(tmp_path / "study")[0] == protocol

        ui.checkButton.click()
        wait(slicer_window, module)
        assert "No leak was found" in ui.newStudyText.plainText

        slicer_window.messages.answer(str(tmp_path / "packages"))
        ui.buildPackagesButton.click()
        wait(slicer_window, module)
        assert not module.panel.errors.shown, ui.errorTextLabel.text
        packages = sorted((tmp_path / "packages").iterdir())
        assert [open_package(path).reader for path in packages] == ["R1", "R2"]
        assert not any("key" in name for path in packages for name in zipfile.ZipFile(path).namelist())

        for number, path in enumerate(packages):
            assert module.read(path, f"R{number + 1}"), ui.errorTextLabel.text
            Reader(slicer_window, module.panel.room, seed=number).read()
        assert ui.resultsStudyEdit.text == str(tmp_path / "study")
        files = sorted((tmp_path / "packages").glob("*.sqlite"))
        slicer_window.messages.answer(tuple(str(path) for path in files))
        ui.addAnswersButton.click()
        ui.mergeButton.click()
        assert [ui.readersTable.item(row, 3).text() for row in range(2)] == ["yes", "yes"]
        assert "answered everything" in ui.resultsText.plainText

        ui.analyseButton.click()
        wait(slicer_window, module)
        assert not module.panel.errors.shown, ui.errorTextLabel.text
        assert "2 of 2 readers are complete" in ui.resultsText.plainText
        assert "<img" in ui.resultsText.html
        ui.reportButton.click()
        assert slicer_window.messages.texts("openUrl")[0].endswith("study-results/report.html")

    def test_a_preview_shows_the_trials_and_keeps_nothing(self, slicer_window, module, tmp_path):
        from reading_studies import make_study

        study = make_study(tmp_path, "turing")
        before = sorted(path.name for path in study.folder.rglob("*"))
        module.ui.studyFolderEdit.text = str(study.folder)
        module.ui.previewButton.click()
        room = module.panel.room
        assert room is not None and room.flow.session.package.reader == "R1"
        folder = room._opened.folder
        Reader(slicer_window, room).read(trials=2)
        room.leave()
        assert not folder.exists() and sorted(path.name for path in study.folder.rglob("*")) == before
        with pytest.raises(MedUSISError):
            open_preview(tmp_path)

    def test_an_error_of_a_job_is_shown_and_another_one_can_be_started(self, slicer_window, module, tmp_path):
        ui = module.ui
        (tmp_path / "study").mkdir()
        (tmp_path / "study" / "protocol.json").write_text("{}")
        ui.studyFolderEdit.text = str(tmp_path / "study")
        ui.checkButton.click()
        wait(slicer_window, module)
        assert module.panel.errors.shown and ui.checkButton.enabled and ui.jobFrame.isHidden()
