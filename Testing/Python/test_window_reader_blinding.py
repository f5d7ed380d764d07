"""The reading room shows nothing that tells what an image is: not on the screen, not in the scene, not by any key."""

from __future__ import annotations

import pytest
from reading_studies import Reader
from reading_window import new_package, open_module, open_room, reader_at_work, shown_volumes

from MedUSISLib.mrml.reading_layout import view_name
from MedUSISLib.study.key import load_study
from MedUSISLib.study.package import forbidden_words


@pytest.fixture
def study_of(tmp_path_factory, tmp_path):
    return lambda kind: new_package(tmp_path_factory, tmp_path, kind)


@pytest.fixture
def module(slicer_window):
    return open_module(slicer_window)


@pytest.fixture
def opened(slicer_window, module, study_of):
    return lambda kind, mouse=False: reader_at_work(slicer_window, module, study_of(kind), mouse)


class TestBlinding:
    def texts_on_screen(self, slicer) -> list[str]:
        """Every text that a visible widget shows, tool tips included."""
        import qt

        texts = []
        for widget in slicer.util.mainWindow().findChildren(qt.QWidget):
            if widget.isVisible():
                for name in ("text", "title", "windowTitle", "plainText", "toolTip", "statusTip"):
                    value = getattr(widget, name, None)
                    texts += [value] if isinstance(value, str) and value else []
        return texts

    def texts_in_views(self, slicer) -> list[str]:
        """What the corners of the views say."""
        texts = []
        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            props = manager.sliceWidget(name).sliceView().renderer().GetViewProps()
            for index in range(props.GetNumberOfItems()):
                prop = props.GetItemAsObject(index)
                if prop.IsA("vtkCornerAnnotation"):
                    texts += [prop.GetText(corner) for corner in range(8) if prop.GetText(corner)]
        return texts

    def texts_in_scene(self, slicer) -> list[str]:
        """Names, descriptions, attributes and files of all nodes."""
        texts = []
        for node in slicer.util.getNodesByClass("vtkMRMLNode"):
            texts += [node.GetName() or "", node.GetDescription() or ""]
            texts += [f"{name}={node.GetAttribute(name)}" for name in node.GetAttributeNames()]
            if node.IsA("vtkMRMLStorageNode"):
                texts.append(node.GetFileName() or "")
        return texts

    @pytest.mark.parametrize("kind", ["turing", "pairs", "lesions"])
    def test_nothing_on_the_screen_or_in_the_scene_tells_what_an_image_is(self, slicer_window, module, study_of, kind):
        slicer = slicer_window.slicer
        annotations = slicer.modules.DataProbeInstance.infoWidget.sliceAnnotations
        annotations.sliceViewAnnotationsEnabled = 1
        annotations.updateSliceViewFromGUI()
        study = study_of(kind)
        protocol, key = load_study(study.folder)
        words = {word.strip('"') for word in forbidden_words(protocol, key)} - {"seed", "secret", "arms"}
        words |= {image.name for image in key.images} | {trial.id for trial in key.trials}
        words |= {"doe_jane", "patient", "siemens", "philips", "synthetic mr", str(study.folder)}
        reader = Reader(slicer_window, open_room(module, study), seed=5)
        while reader.room.flow.step != "closing":
            reader.read(trials=1)
            if reader.room.flow.step != "trial":
                continue
            screen = self.texts_on_screen(slicer) + self.texts_in_views(slicer)
            assert any("of" in text for text in screen)
            for text in screen + self.texts_in_scene(slicer):
                assert not [word for word in words if word.lower() in text.lower()], text
            names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")}
            assert names == {"Image"}
            files = slicer.util.getNodesByClass("vtkMRMLVolumeArchetypeStorageNode")
            assert not [node for node in files if node.GetFileName()]
            assert all(not text.startswith("B:") for text in self.texts_in_views(slicer))
        reader.room.leave()

    def test_everything_else_of_the_window_is_hidden_and_brought_back(self, slicer_window, module, study_of):
        slicer = slicer_window.slicer
        window = slicer.util.mainWindow()
        annotations = slicer.modules.DataProbeInstance.infoWidget.sliceAnnotations
        annotations.sliceViewAnnotationsEnabled = 1
        layout = slicer.app.layoutManager().layout

        def parts():
            kinds = ("QDockWidget", "QToolBar", "QMenuBar", "QStatusBar")
            return {part for kind in kinds for part in window.findChildren(kind) if part.isVisible()}

        before = parts()
        assert len(before) == 4
        reader = Reader(slicer_window, open_room(module, study_of("turing")))
        reader.read(trials=1)
        assert window.isFullScreen()
        assert {part.objectName for part in parts()} == {"MedUSISReaderDock"}
        assert not annotations.sliceViewAnnotationsEnabled
        bar = slicer.app.layoutManager().sliceWidget(view_name(1)).sliceController()
        assert bar.isHidden()
        reader.room.leave()
        slicer_window.process_events()
        assert parts() == before and not window.isFullScreen()
        assert annotations.sliceViewAnnotationsEnabled and slicer.app.layoutManager().layout == layout
        assert not slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        assert not slicer.util.getNodesByClass("vtkMRMLMarkupsNode")

    def test_no_key_or_gesture_of_a_view_brings_another_image(self, slicer_window, opened):
        reader = opened("turing")
        slicer = slicer_window.slicer
        slicer_window.wait_until(lambda: len(reader.room._images.loaded()) == 2)
        before = shown_volumes(slicer, 1)
        widget = slicer.app.layoutManager().sliceWidget(view_name(1))
        interactor = widget.sliceView().interactor()
        for key in "[]{}vgt":
            interactor.SetKeyEventInformation(0, 0, key, 0, key)
            interactor.InvokeEvent("KeyPressEvent")
            interactor.InvokeEvent("CharEvent")
        composite = widget.mrmlSliceCompositeNode()
        assert shown_volumes(slicer, 1) == before
        assert composite.GetForegroundVolumeID() is None and composite.GetLabelVolumeID() is None
