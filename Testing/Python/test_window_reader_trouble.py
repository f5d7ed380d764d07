"""The reading room in trouble: full disks, lost images, crashes, two windows, and the way back."""

from __future__ import annotations

import pytest
from reading_studies import Reader, SmallDisk
from reading_window import new_package, open_module, open_room, reader_at_work

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.reading_start import answers_beside, open_reading


@pytest.fixture
def study_of(tmp_path_factory, tmp_path):
    return lambda kind: new_package(tmp_path_factory, tmp_path, kind)


@pytest.fixture
def module(slicer_window):
    return open_module(slicer_window)


@pytest.fixture
def opened(slicer_window, module, study_of):
    return lambda kind, mouse=False: reader_at_work(slicer_window, module, study_of(kind), mouse)


class TestTrouble:
    def test_a_full_disk_is_said_and_the_answer_can_be_tried_again(self, slicer_window, opened):
        reader = opened("turing")
        room = reader.room
        disk = SmallDisk(room.flow.session._store)
        disk.full = True
        for _ in range(6):  # the last page of the file may have room for some
            now = room.flow.now()
            reader.answer()
            if room.ui.answerErrorLabel.text:
                break
            if room.flow.step == "break":
                reader.press("Return")
        assert "NOT stored" in room.ui.answerErrorLabel.text and "space" in room.ui.answerErrorLabel.text
        assert not room.flow.session.answers_to(now.trial.id) and room.flow.now() == now
        assert room.trial.values["source"], "what was chosen is still there"
        disk.full = False
        reader.press("Return")
        assert room.flow.session.answers_to(now.trial.id)
        assert room.flow.now() != now and not room.ui.answerErrorLabel.text

    def test_a_trial_whose_image_is_gone_is_not_replaced_by_the_one_before(self, slicer_window, opened):
        reader = opened("turing")
        room = reader.room
        room._load_ahead = lambda: None
        wanted = {panel.image for panel in room.flow.session.upcoming().stages[0].panels}
        room._images.keep_only(set(room._images.loaded()) - wanted)
        for image in wanted:
            (room._opened.folder / "trials" / f"{image}.nii").unlink()
        reader.answer()
        assert "cannot be shown" in room.ui.messageTitleLabel.text and str(room._opened.folder) not in "".join(
            (room.ui.messageTextLabel.text, room.ui.messageTitleLabel.text)
        )
        assert slicer_window.slicer.util.mainWindow().centralWidget().isHidden()
        count = len(room.flow.session.rows)
        reader.press("Return")
        assert len(room.flow.session.rows) == count and not room.ui.leaveButton.isHidden()
        room.ui.leaveButton.click()
        assert not room.is_open

    def test_one_reader_in_two_windows_is_refused(self, slicer_window, module, study_of):
        study = study_of("turing")
        room = open_room(module, study)
        with pytest.raises(MedUSISError, match="open in another window"):
            open_reading(study.package, "R1")
        room.leave()
        open_reading(study.package, "R1").close()

    def test_another_readers_package_is_refused(self, module, study_of):
        study = study_of("turing")
        assert not module.read(study.package, "R2")
        assert "another reader" in module.ui.errorTextLabel.text
        assert module.panel.room is None and not answers_beside(study.package).exists()

    def test_a_package_that_was_changed_is_refused(self, module, study_of):
        study = study_of("turing")
        content = bytearray(study.package.read_bytes())
        content[len(content) // 2] ^= 255
        study.package.write_bytes(bytes(content))
        assert not module.read(study.package, "R1")
        assert module.panel.errors.shown

    def test_a_crash_is_told_at_the_next_start(self, slicer_window, module, study_of):
        study = study_of("turing")
        reader = Reader(slicer_window, open_room(module, study), seed=4)
        reader.read(trials=5)
        reader.room.close()  # nobody left it: as after a crash
        room = open_room(module, study)
        assert "ended without being left" in room.ui.messageTextLabel.text
        assert "3 of 6 trials are answered" in room.ui.messageTextLabel.text

    def test_closing_the_scene_leaves_the_reading_and_loses_nothing(self, slicer_window, module, study_of):
        study = study_of("lesions")
        reader = Reader(slicer_window, open_room(module, study), seed=4)
        reader.read(trials=2)
        slicer_window.slicer.mrmlScene.Clear(0)
        slicer_window.process_events()
        assert module.panel.room is None and "scene was closed" in module.ui.errorTextLabel.text
        assert not slicer_window.slicer.util.mainWindow().centralWidget().isHidden()
        again = Reader(slicer_window, open_room(module, study), seed=6, said=reader.said)
        again.read()
        assert study.stored(answers_beside(study.package)) == again.said

    def test_unloading_the_module_gives_the_screen_back(self, slicer_window, module, study_of):
        study = study_of("turing")
        Reader(slicer_window, open_room(module, study)).read(trials=1)
        slicer_window.unload_module("MedUSISReader")
        assert not slicer_window.slicer.util.mainWindow().isFullScreen()
        open_reading(study.package, "R1").close()

    def test_images_of_the_user_are_closed_only_when_he_agrees(self, slicer_window, module, study_of):
        import numpy as np

        slicer = slicer_window.slicer
        slicer.util.addVolumeFromArray(np.zeros((4, 4, 4)), name="Doe^Jane")
        study = study_of("turing")
        slicer_window.messages.answer(False)
        assert not module.read(study.package, "R1")
        assert slicer.util.getNode("Doe^Jane") is not None
        slicer_window.messages.answer(True)
        assert module.read(study.package, "R1")
        assert not slicer.mrmlScene.GetNodesByName("Doe^Jane").GetNumberOfItems()
