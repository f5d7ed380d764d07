"""The reading room on the screen: whole readings through keys and buttons, trials, and the panel before them."""

from __future__ import annotations

import pytest
from reading_studies import MODULE_FILE, Reader
from reading_window import new_package, open_module, open_room, reader_at_work, shown_volumes, slice_node

from MedUSISLib.mrml.reading_layout import view_name
from MedUSISLib.mrml.reading_start import answers_beside
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.key import load_study


@pytest.fixture
def study_of(tmp_path_factory, tmp_path):
    return lambda kind: new_package(tmp_path_factory, tmp_path, kind)


@pytest.fixture
def module(slicer_window):
    return open_module(slicer_window)


@pytest.fixture
def opened(slicer_window, module, study_of):
    return lambda kind, mouse=False: reader_at_work(slicer_window, module, study_of(kind), mouse)


class TestWholeReadings:
    @pytest.mark.parametrize(
        ("kind", "mouse"),
        [("turing", False), ("pairs", True), ("lesions", False)],
    )
    def test_the_study_finds_what_the_reader_pressed(self, slicer_window, module, study_of, kind, mouse):
        study = study_of(kind)
        reader = Reader(slicer_window, open_room(module, study), seed=7, mouse=mouse)
        reader.read()
        assert module.panel.room is None
        assert study.stored(answers_beside(study.package)) == reader.said
        package_trials = load_study(study.folder)[1].trials_of("R1")
        assert [trial for trial, stage in reader.said if stage == 0] == [trial.id for trial in package_trials]

    def test_sequential_reading_locks_the_answer_without_aid_and_begins_with_it(self, slicer_window, module, study_of):
        study = study_of("sequential")
        reader = Reader(slicer_window, open_room(module, study), seed=3)
        reader.read(trials=1)
        assert reader.room.flow.step == "trial" and reader.room.flow.position().stage == 2
        assert "Now with the aid" in reader.room.ui.stageLabel.text
        assert len(shown_volumes(slicer_window.slicer, 2)) == 2
        reader.read()
        stored = study.stored(answers_beside(study.package))
        assert stored == reader.said and len(stored) == 2 * len({trial for trial, _ in stored})

    def test_profile_breaks_practice_and_closing_form_come_when_they_should(self, slicer_window, module, study_of):
        study = study_of("turing")
        reader = Reader(slicer_window, open_room(module, study))
        reader.read()
        assert reader.steps[:2] == ["introduction", "profile"] and reader.steps[-2:] == ["closing", "finished"]
        assert reader.steps.count("feedback") == 2 and reader.steps.count("practice over") == 1
        assert reader.steps.count("break") == 2  # 6 trials, after every second one, but not at the end
        with AnswerStore(answers_beside(study.package)) as store:
            rows = {row.kind: row.values for row in store.rows("R1")}
        assert rows["profile"] == {"specialty": "radiology", "years": 12.0}
        assert set(rows["closing"]) == {"quality", "ease", "trust", "remarks"}

    def test_it_goes_on_where_it_was_left(self, slicer_window, module, study_of):
        study = study_of("turing")
        reader = Reader(slicer_window, open_room(module, study), seed=1)
        reader.read(trials=4)
        reader.room.leave()
        again = Reader(slicer_window, open_room(module, study), seed=2, said=reader.said)
        assert "2 of 6 trials are answered" in again.room.ui.messageTextLabel.text  # and two of practice
        assert "ended without being left" not in again.room.ui.messageTextLabel.text
        again.read()
        assert study.stored(answers_beside(study.package)) == again.said


class TestTheTrial:
    def test_it_shows_where_the_reading_is_and_waits_for_what_is_missing(self, opened):
        reader = opened("turing")
        ui = reader.room.ui
        assert ui.positionLabel.text == "1 of 6"
        assert not ui.confirmButton.enabled and "real or synthetic" in ui.missingLabel.text
        reader.press("Return")
        assert reader.room.flow.now().number == 3, "nothing is confirmed that is not complete"
        reader.press("3")
        assert "How sure" in ui.missingLabel.text
        reader.press("Left")
        assert ui.confirmButton.enabled and reader.room.trial.values == {"source": "unsure", "confidence": 45.0}
        reader.press("1")
        assert reader.room.trial.values["source"] == "real"

    def test_the_keys_scroll_turn_and_change_the_contrast(self, slicer_window, opened):
        reader = opened("turing")
        node, ui = slice_node(slicer_window.slicer, 1), reader.room.ui
        number, count = (int(word) for word in ui.sliceLabel.text.split()[1::2])
        reader.press("Up", 2)
        assert ui.sliceLabel.text == f"Slice {number + 2} of {count}"
        reader.press("Shift+Space")
        assert ui.sliceLabel.text == f"Slice {number + 1} of {count}"
        reader.press("PgDown", 20)
        assert ui.sliceLabel.text == f"Slice 1 of {count}"
        reader.press("C")
        assert node.GetOrientation() == "Coronal"
        reader.press("A")
        assert node.GetOrientation() == "Axial" and ui.sliceLabel.text == f"Slice 1 of {count}"

    def test_two_images_are_scrolled_and_windowed_together(self, slicer_window, opened):
        reader = opened("pairs")
        slicer = slicer_window.slicer
        left, right = (slice_node(slicer, number) for number in (1, 2))
        one, other = shown_volumes(slicer, 2)
        assert one is not other
        reader.press("Up", 3)
        assert left.GetSliceOffset() == right.GetSliceOffset() != 0
        logic = slicer.app.layoutManager().sliceWidget(view_name(1)).sliceLogic()
        logic.StartSliceOffsetInteraction()  # what the mouse wheel does
        logic.SetSliceOffset(left.GetSliceOffset() + 5.0)
        logic.EndSliceOffsetInteraction()
        assert left.GetSliceOffset() == right.GetSliceOffset()
        one.GetDisplayNode().SetWindowLevelMinMax(40, 90)
        display = other.GetDisplayNode()
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (40, 90)

    def test_a_single_slice_is_not_scrolled_or_turned(self, slicer_window, opened):
        reader = opened("slices")
        node = slice_node(slicer_window.slicer, 1)
        offset = node.GetSliceOffset()
        assert node.GetOrientation() == "Coronal" and reader.room.ui.planesFrame.isHidden()
        reader.press("Up")
        reader.press("A")
        assert node.GetSliceOffset() == offset and node.GetOrientation() == "Coronal"

    def test_digits_go_into_a_text_and_not_to_the_answers(self, slicer_window, module, study_of):
        room = open_room(module, study_of("turing"))
        slicer_window.press("Return")
        edit = room.message.fields[1].edit
        edit.setFocus()
        slicer_window.press("7")
        assert edit.text == "7"

    def test_marks_are_listed_changed_and_taken_back(self, slicer_window, opened):
        reader = opened("lesions")
        room, ui = reader.room, reader.room.ui
        slicer_window.click_view(view_name(1), 0.5, 0.5)
        assert ui.marksTable.rowCount == 1 and "Mark 1: what is it?" not in ui.missingLabel.text
        reader.press("2")
        reader.press("Right")
        row = room._marks.rows()[0]
        assert (row.category, row.confidence) == ("periventricular", 55.0)
        slicer_window.click_view(view_name(1), 0.45, 0.55)
        reader.press("N")
        assert room.trial.marks.chosen == row.key
        reader.press("Del")
        assert ui.marksTable.rowCount == 1 and room._marks.rows()[0].number == 1
        assert room._marks.node.GetNthControlPointLabel(0) == "1"
        room._marks.node.SetNthControlPointPositionWorld(0, 1.0, 2.0, 3.0)  # dragged
        assert room.trial.values["marks"][0]["position_lps_mm"] == (-1.0, -2.0, 3.0)

    def test_a_mark_lies_where_the_reader_clicked(self, slicer_window, opened):
        reader = opened("lesions")
        view = slicer_window.slicer.app.layoutManager().sliceWidget(view_name(1))
        slicer_window.click_view(view_name(1), 0.4, 0.35)
        width, height = view.mrmlSliceNode().GetDimensions()[:2]
        place = view.mrmlSliceNode().GetXYToRAS().MultiplyPoint((0.4 * width, 0.65 * height, 0, 1))[:3]
        assert reader.room._marks.rows()[0].place_ras_mm == pytest.approx(place, abs=1.0)

    def test_an_answer_is_corrected_where_the_protocol_allows_to_go_back(self, opened):
        reader = opened("slices")
        ui = reader.room.ui
        reader.answer()
        first = [row for row in reader.room.flow.session.rows if row.kind == "answer"][-1]
        assert not ui.backButton.isHidden() and ui.forthButton.isHidden()
        reader.press("B")
        assert "answered this trial already" in ui.stageLabel.text
        assert reader.room.trial.values == dict(first.values)
        reader.press("3")
        reader.press("Return")
        assert [row.values["source"] for row in reader.room.flow.session.answers_to(first.trial)][-1] == "unsure"

    def test_going_back_is_not_offered_otherwise(self, opened):
        reader = opened("turing")
        reader.answer()
        assert reader.room.ui.backButton.isHidden()
        number = reader.room.flow.now().number
        reader.press("B")
        assert reader.room.flow.now().number == number

    def test_a_pause_hides_the_images_and_keeps_what_was_begun(self, slicer_window, opened):
        reader = opened("lesions")
        slicer_window.click_view(view_name(1), 0.5, 0.5)
        reader.press("Q")
        reader.press("1")
        reader.press("Esc")
        window = slicer_window.slicer.util.mainWindow()
        assert reader.room.ui.messageTitleLabel.text == "Paused" and window.centralWidget().isHidden()
        reader.press("1")
        reader.press("Return")
        assert not window.centralWidget().isHidden()
        assert len(reader.room._marks.rows()) == 1 and reader.room.trial.values["present"] == "yes"

    def test_the_next_trial_is_loaded_ahead_and_the_last_one_dropped(self, slicer_window, opened):
        reader = opened("pairs")
        room = reader.room
        now, upcoming = room.flow.now().trial, room.flow.session.upcoming()
        wanted = {panel.image for trial in (now, upcoming) for panel in trial.stages[0].panels}
        slicer_window.wait_until(lambda: set(room._images.loaded()) == wanted)
        reader.answer()
        gone = {panel.image for panel in now.stages[0].panels}
        slicer_window.wait_until(lambda: not gone & set(room._images.loaded()) and len(room._images.loaded()) == 4)


class TestPanel:
    def test_it_says_what_is_missing_before_it_can_begin(self, module):
        ui = module.ui
        assert not ui.readButton.enabled and "package" in ui.readLabel.text
        ui.packageEdit.text = "R1.zip"
        assert not ui.readButton.enabled and "name" in ui.readLabel.text
        ui.readerEdit.text = "R1"
        assert ui.readButton.enabled

    def test_pages_of_the_administrator_are_hidden_from_readers(self, module):
        ui = module.ui
        assert ui.newStudyCollapsibleButton.isHidden() and ui.resultsCollapsibleButton.isHidden()

    def test_missing_packages_are_offered(self, slicer_window, tmp_path):
        from types import SimpleNamespace

        from MedUSISReaderGui.panel import Panel
        from window_doubles import INCOMPLETE, FakeDialogs, FakeInstallation

        from MedUSISLib.mrml.study_jobs import StudyJobs

        slicer = slicer_window.slicer
        widget = slicer.util.loadUI(str(MODULE_FILE.parent / "Resources" / "UI" / "MedUSISReader.ui"))
        ui = slicer.util.childWidgetVariables(widget)
        reading, administration = FakeInstallation(INCOMPLETE), FakeInstallation(INCOMPLETE)
        logic = SimpleNamespace(
            installation=reading, administration=administration, jobs=StudyJobs(), open=None, close=lambda: None
        )
        panel = Panel(ui, logic, FakeDialogs())
        ui.packageEdit.text, ui.readerEdit.text = "R1.zip", "R1"
        assert not ui.dependencyFrame.isHidden() and not ui.readButton.enabled
        ui.dependencyInstallButton.click()
        assert reading.asked == [None] and administration.asked == []
        assert ui.readButton.enabled and ui.dependencyFrame.isHidden()
        panel.close()

    def test_the_self_test_passes(self, slicer_window, module):
        import sys
        import unittest

        result = unittest.TestResult()
        case = sys.modules["MedUSISReader"].MedUSISReaderTest
        for name in unittest.TestLoader().getTestCaseNames(case):
            case(name).run(result)
        assert result.wasSuccessful(), [*result.errors, *result.failures]
        assert not result.skipped and result.testsRun == 2
