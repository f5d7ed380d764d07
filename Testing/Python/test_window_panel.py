"""The module's panel with doubles behind it: what it asks for, what it says, what it starts."""

from __future__ import annotations

import pytest
from window_doubles import (
    INCOMPLETE,
    FakeInstallation,
    FakeLogic,
    add_ct,
    add_segmentation,
    open_panel,
    panel_with_inputs,
)

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure


@pytest.fixture
def slicer(slicer_window):
    return slicer_window.slicer


@pytest.fixture
def wait(slicer_window):
    """Waits until a condition holds, handling events; fails when it does not."""

    def until(condition):
        assert slicer_window.wait_until(condition)

    return until


@pytest.fixture
def opened(slicer):
    with panel_with_inputs(slicer) as window:
        yield window


def start(window, wait):
    wait(lambda: window.ui.synthesizeButton.enabled)
    window.ui.synthesizeButton.click()
    assert window.logic.synthesis.started


class TestLayout:
    def test_everything_fits_into_a_panel_of_450_pixels(self, slicer_window, opened):
        ui = opened.ui
        for box in (ui.settingsCollapsibleButton, ui.modelCardCollapsibleButton, ui.qualityCollapsibleButton):
            box.collapsed = False
        opened.panel.generator.installer.show_address_fields()
        opened.widget.show()
        slicer_window.process_events()
        assert opened.widget.minimumSizeHint().width() <= 450
        opened.widget.hide()


class TestReadiness:
    def test_an_empty_scene_says_what_to_select(self, slicer):
        window = open_panel(slicer)
        assert not window.ui.synthesizeButton.enabled
        assert "CT" in window.ui.readinessLabel.text
        assert not window.ui.sampleDataButton.isHidden()
        window.panel.close()

    def test_the_only_ct_and_the_only_segmentation_are_selected_and_the_run_can_start(self, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        assert opened.ui.ctSelector.currentNode() is opened.ct
        assert opened.ui.segmentationSelector.currentNode() is opened.segmentation

    def test_taking_the_segmentation_away_disables_the_button_and_offers_to_derive_one(self, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        opened.ui.segmentationSelector.setCurrentNode(None)
        wait(lambda: not opened.ui.synthesizeButton.enabled)
        assert "segmentation" in opened.ui.readinessLabel.text.lower()
        assert not opened.ui.deriveSegmentationButton.isHidden() and opened.ui.deriveSegmentationButton.enabled

    def test_an_mr_in_place_of_a_ct_is_named(self, slicer, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        array = slicer.util.arrayFromVolume(opened.ct)
        array[:] = abs(array) // 4
        slicer.util.arrayFromVolumeModified(opened.ct)
        wait(lambda: not opened.ui.synthesizeButton.enabled)

    def test_a_generator_that_is_not_there_is_named(self, opened, wait):
        opened.panel.parameters.generator = "knee-t2"
        wait(lambda: "not installed" in opened.ui.readinessLabel.text)
        assert not opened.ui.synthesizeButton.enabled
        assert "knee-t2" in opened.ui.generatorComboBox.currentText

    def test_renaming_a_segment_is_seen(self, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        opened.segmentation.GetSegmentation().GetNthSegment(0).SetName("Xyzzy")
        wait(lambda: not opened.ui.synthesizeButton.enabled)
        assert "no class" in opened.ui.mappingStateLabel.text


class TestPackages:
    def test_the_banner_is_hidden_when_nothing_is_missing(self, opened):
        assert opened.ui.dependencyFrame.isHidden()

    def test_missing_packages_are_named_and_installed_on_request_only(self, slicer):
        installation = FakeInstallation(INCOMPLETE)
        window = open_panel(slicer, FakeLogic(installation))
        assert not window.ui.dependencyFrame.isHidden()
        assert "205 MB" in window.ui.dependencyLabel.text
        assert installation.asked == [] and window.logic.background.searches == 0
        window.ui.dependencyInstallButton.click()
        assert installation.asked == [None]
        assert window.ui.dependencyFrame.isHidden()
        assert window.logic.background.searches == 1
        window.panel.close()

    def test_a_folder_of_wheels(self, slicer, tmp_path):
        installation = FakeInstallation(INCOMPLETE)
        window = open_panel(slicer, FakeLogic(installation))
        window.dialogs.answers["folder"] = tmp_path
        window.ui.dependencyWheelsButton.click()
        assert installation.asked == [tmp_path]
        window.panel.close()

    def test_declining_is_said_without_an_error(self, slicer):
        from MedUSISLib.mrml.installation import InstallationDeclined

        window = open_panel(slicer, FakeLogic(FakeInstallation(INCOMPLETE, InstallationDeclined())))
        window.ui.dependencyInstallButton.click()
        assert "declined" in window.ui.dependencyLabel.text
        assert not window.panel.errors.shown
        assert not window.ui.dependencyFrame.isHidden() and window.ui.dependencyInstallButton.enabled
        window.panel.close()

    def test_an_installation_that_fails_is_explained(self, slicer):
        problem = MedUSISError(ErrorCode.DEPENDENCY_MISSING, "PyTorch could not be installed", "check the network")
        window = open_panel(slicer, FakeLogic(FakeInstallation(INCOMPLETE, problem)))
        window.ui.dependencyInstallButton.click()
        assert window.panel.errors.shown
        assert "Check the network." in window.ui.errorTextLabel.text
        window.panel.close()


class TestMapping:
    def test_each_segment_has_its_class(self, opened, wait):
        wait(lambda: opened.ui.segmentsTable.rowCount == 2)
        assert [combo.value for combo in opened.panel.inputs.table.combos] == ["white_matter", "cortical_bone"]

    def test_an_unknown_segment_is_marked_and_a_choice_makes_the_run_possible(self, slicer, wait):
        ct = add_ct(slicer)
        segmentation = add_segmentation(slicer, ct, ("White matter", "Xyzzy"))
        window = open_panel(slicer)
        assert not window.ui.synthesizeButton.enabled
        assert window.ui.segmentsTable.item(1, 0).text() == "No class: Xyzzy"
        combo = window.panel.inputs.table.combos[1]
        combo.combo.setCurrentIndex(combo.values.index("cortical_bone"))
        wait(lambda: window.ui.synthesizeButton.enabled)
        assert window.panel.inputs.classes[segmentation.GetSegmentation().GetNthSegmentID(1)] == "cortical_bone"
        window.panel.close()

    def test_a_choice_is_kept_with_the_scene(self, slicer, opened, wait):
        wait(lambda: opened.ui.segmentsTable.rowCount == 2)
        combo = opened.panel.inputs.table.combos[0]
        combo.combo.setCurrentIndex(combo.values.index("deep_grey"))
        again = open_panel(slicer)
        assert [c.value for c in again.panel.inputs.table.combos] == ["deep_grey", "cortical_bone"]
        again.panel.close()

    def test_a_table_says_what_the_segments_are_and_by_name_forgets_it(self, opened, wait, tmp_path):
        wait(lambda: opened.ui.segmentsTable.rowCount == 2)
        table = tmp_path / "classes.csv"
        table.write_text("value,name,class\n1,White matter,csf\n2,Skull,skin\n", encoding="utf-8")
        opened.dialogs.answers["open_file"] = table
        combo = opened.ui.mappingComboBox
        combo.setCurrentIndex(combo.count - 1)
        assert [c.value for c in opened.panel.inputs.table.combos] == ["csf", "skin"]
        assert combo.currentText == "A CSV table"
        combo.setCurrentIndex(0)
        assert [c.value for c in opened.panel.inputs.table.combos] == ["white_matter", "cortical_bone"]

    def test_a_mapping_that_comes_with_medusis_is_chosen_by_name_and_remembered(self, slicer, wait):
        ct = add_ct(slicer)
        segmentation = add_segmentation(slicer, ct, ("Segment_2", "Segment_41"))
        window = open_panel(slicer)
        combo = window.ui.mappingComboBox
        names = [combo.itemText(index) for index in range(combo.count)]
        combo.setCurrentIndex(names.index("Mapping 'synthseg'"))
        assert [c.value for c in window.panel.inputs.table.combos] == ["white_matter", "white_matter"]
        assert combo.currentText == "Mapping 'synthseg'"
        wait(lambda: window.ui.synthesizeButton.enabled)
        window.ui.segmentationSelector.setCurrentNode(None)
        window.ui.segmentationSelector.setCurrentNode(segmentation)
        assert combo.currentText == "Mapping 'synthseg'"
        window.panel.close()

    def test_a_table_that_cannot_be_read_is_explained(self, opened, wait, tmp_path):
        wait(lambda: opened.ui.segmentsTable.rowCount == 2)
        table = tmp_path / "classes.csv"
        table.write_text("value,name,class\n1,White matter,heart_of_gold\n", encoding="utf-8")
        opened.dialogs.answers["open_file"] = table
        combo = opened.ui.mappingComboBox
        combo.setCurrentIndex(combo.count - 1)
        assert opened.panel.errors.shown
        assert "heart_of_gold" in opened.ui.errorTextLabel.text
        assert "classes.csv" in opened.ui.errorTextLabel.text
        assert "classes.csv" not in opened.ui.errorDetailsText.plainText
        assert combo.currentIndex == 0

    def test_cancelling_the_choice_of_a_table_changes_nothing(self, opened, wait):
        wait(lambda: opened.ui.segmentsTable.rowCount == 2)
        combo = opened.ui.mappingComboBox
        combo.setCurrentIndex(combo.count - 1)
        assert combo.currentIndex == 0 and not opened.panel.errors.shown

    def test_classes_that_are_guessed_from_numbers_are_to_be_checked(self, slicer, wait):
        import numpy as np

        ct = add_ct(slicer)
        values = np.where(slicer.util.arrayFromVolume(ct) == 40, 2, 0).astype(np.int16)
        values[10:14, 12:18, 12:18] = 41
        values[11:13, 13:16, 13:16] = 515
        node = slicer.util.addVolumeFromArray(values, nodeClassName="vtkMRMLLabelMapVolumeNode", name="Labels")
        node.SetSpacing(5.0, 5.0, 5.0)
        window = open_panel(slicer)
        assert window.ui.segmentationSelector.currentNode() is node
        assert "guessed" in window.ui.mappingStateLabel.text
        assert "Guessed:" in window.ui.segmentsTable.item(0, 0).text()
        assert window.ui.synthesizeButton.enabled
        window.panel.close()


class TestRun:
    def test_the_run_gets_what_is_chosen(self, opened, wait):
        opened.ui.passesSpinBox.value = 3
        opened.ui.seedSpinBox.value = 7
        opened.ui.batchSizeSpinBox.value = 4
        opened.ui.outputLabelsCheckBox.checked = True
        start(opened, wait)
        inputs, settings, outputs = opened.logic.synthesis.started[0]
        assert inputs.ct is opened.ct and inputs.segmentation is opened.segmentation
        assert sorted(inputs.classes.values()) == ["cortical_bone", "white_matter"]
        assert (settings.passes, settings.seed, settings.batch_size, settings.device) == (3, 7, 4, "auto")
        assert outputs.labels and outputs.replace is None

    def test_progress_is_shown_and_nothing_else_can_be_started(self, opened, wait):
        start(opened, wait)
        job = opened.logic.synthesis
        job.stage("Making the synthetic MR")
        job.advanced(0.42, 130.0)
        job.logged("a line")
        ui = opened.ui
        assert ui.stageLabel.text == "Making the synthetic MR"
        assert ui.progressBar.value == 420
        assert ui.timeLeftLabel.text == "about 2 min left"
        assert "a line" in ui.logText.plainText
        assert not ui.synthesizeButton.enabled and ui.cancelButton.enabled
        assert not ui.ctSelector.enabled and not ui.settingsCollapsibleButton.enabled
        assert not ui.progressFrame.isHidden()

    def test_a_finished_slice_is_shown_and_a_half_written_one_is_passed_over(self, slicer, opened, wait, tmp_path):
        import qt

        start(opened, wait)
        picture = tmp_path / "slice.png"
        pixels = qt.QPixmap(64, 64)
        pixels.fill(qt.QColor(200, 10, 10))
        assert pixels.save(str(picture))
        opened.logic.synthesis.previewed(str(picture))
        assert not opened.ui.previewLabel.isHidden()
        (tmp_path / "half.png").write_bytes(picture.read_bytes()[:20])
        opened.logic.synthesis.previewed(str(tmp_path / "half.png"))
        assert not opened.ui.previewLabel.isHidden()

    def test_cancel_asks_the_logic_and_makes_the_panel_usable_again(self, opened, wait):
        start(opened, wait)
        job = opened.logic.synthesis
        opened.ui.cancelButton.click()
        assert job.cancels == 1 and not opened.ui.cancelButton.enabled
        job.end(job.cancelled)
        wait(lambda: opened.ui.synthesizeButton.enabled)
        assert opened.ui.progressFrame.isHidden()
        assert "Cancelled" in opened.ui.logText.plainText

    def test_warnings_stay_to_be_read(self, opened, wait):
        start(opened, wait)
        opened.logic.synthesis.warned("RESAMPLED", "the segmentation was resampled")
        opened.logic.synthesis.end(opened.logic.synthesis.cancelled)
        assert "The segmentation was resampled." in opened.ui.runNotesLabel.text

    def test_deriving_a_segmentation_selects_it(self, slicer, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        opened.ui.segmentationSelector.setCurrentNode(None)
        opened.ui.deriveSegmentationButton.click()
        job = opened.logic.segmentation
        assert job.started == [(opened.ct,)]
        assert not opened.ui.deriveSegmentationButton.enabled
        job.end(job.finished, opened.segmentation)
        wait(lambda: opened.ui.synthesizeButton.enabled)
        assert opened.ui.segmentationSelector.currentNode() is opened.segmentation


class TestErrors:
    @pytest.mark.parametrize("code", [code.value for code in ErrorCode] + ["FROM_THE_FUTURE"])
    def test_every_error_has_a_title_a_text_and_details(self, opened, wait, code):
        start(opened, wait)
        job = opened.logic.synthesis
        job.end(job.failed, Failure(code, "something happened <here>", "do that", "/somewhere/ct.nii.gz"))
        ui = opened.ui
        assert opened.panel.errors.shown
        assert "something happened &lt;here&gt;" in ui.errorTextLabel.text.lower()
        assert "Do that." in ui.errorTextLabel.text
        assert ui.errorDetailsText.isHidden()
        ui.errorDetailsButton.click()
        assert not ui.errorDetailsText.isHidden()
        assert "somewhere" not in ui.errorDetailsText.plainText  # it may be a patient's name, and details are passed on
        assert code in ui.errorDetailsText.plainText and "what the run said" in ui.errorDetailsText.plainText
        wait(lambda: ui.synthesizeButton.enabled)
        ui.errorCloseButton.click()
        assert not opened.panel.errors.shown

    def test_a_run_that_cannot_start_is_explained(self, opened, wait):
        wait(lambda: opened.ui.synthesizeButton.enabled)
        opened.logic.synthesis.refusal = MedUSISError(ErrorCode.GENERATOR_NOT_FOUND, "there is no generator", "install")
        opened.ui.synthesizeButton.click()
        assert opened.panel.errors.shown
        wait(lambda: opened.ui.synthesizeButton.enabled)

    def test_out_of_memory_offers_gentler_settings_and_starts_again_with_them(self, opened, wait):
        opened.ui.batchSizeSpinBox.value = 8
        opened.panel.parameters.device = "cuda:0"
        start(opened, wait)
        job = opened.logic.synthesis
        job.end(job.failed, Failure("OUT_OF_MEMORY", "the memory of the GPU does not suffice", "use a smaller batch"))
        import qt

        buttons = opened.ui.errorActionsFrame.findChildren(qt.QPushButton)
        assert [button.text for button in buttons][:2] == [
            "Try again with 4 slices at a time",
            "Try again on the CPU (slower)",
        ]
        buttons[1].click()
        wait(lambda: len(job.started) == 2)
        assert job.started[1][1].device == "cpu"
        assert opened.panel.parameters.device == "cpu"
        assert not opened.panel.errors.shown

    def test_a_new_run_takes_the_old_error_away(self, opened, wait):
        start(opened, wait)
        job = opened.logic.synthesis
        job.end(job.failed, Failure("INTERNAL", "the worker process ended without a result", "report it"))
        wait(lambda: opened.ui.synthesizeButton.enabled)
        opened.ui.synthesizeButton.click()
        assert not opened.panel.errors.shown
