"""The module through the life of a scene: saved and restored, closed, reloaded, quit."""

from __future__ import annotations

import gc
import sys
from xml.etree import ElementTree

import pytest
from window_doubles import MODULE_FILE, PANEL_FILE, FakeLogic, add_ct, add_segmentation, open_panel, our_modules


@pytest.fixture(autouse=True)
def modules_put_back():
    before = our_modules()
    yield
    sys.modules.update(before)


@pytest.fixture
def slicer(slicer_window):
    return slicer_window.slicer


@pytest.fixture
def module(slicer_window):
    """The module as Slicer loads it, selected in the main window."""
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.selectModule("MedUSIS")
    return slicer_window.slicer.modules.MedUSISWidget


def test_the_module_says_what_it_is(slicer_window, module):
    parent = slicer_window.slicer.modules.MedUSISInstance.parent
    assert parent.title == "MedUSIS"
    assert list(parent.categories) == ["Image Synthesis"]
    assert "not for diagnosis" in parent.helpText
    assert parent.contributors and parent.acknowledgementText
    assert slicer_window.uncaught == []


def test_the_caution_is_visible_and_every_control_has_a_tool_tip(module):
    assert "not for diagnosis" in module.ui.cautionLabel.text
    kinds = ("QPushButton", "QComboBox", "QSpinBox", "QCheckBox", "QToolButton", "QTableView", "QPlainTextEdit")
    declared = ElementTree.parse(PANEL_FILE).iter("widget")
    bare = [
        element.get("name")
        for element in declared
        if element.get("class", "").startswith((*kinds, "ctkSlider", "qMRMLNode", "QTable", "qMRMLTable"))
        and not any(child.get("name") == "toolTip" for child in element.findall("property"))
    ]
    assert bare == []


def test_choices_are_saved_with_the_scene_and_restored(slicer, slicer_window, module, tmp_path):
    ct = add_ct(slicer)
    segmentation = add_segmentation(slicer, ct)
    module.ui.ctSelector.setCurrentNode(ct)
    module.ui.segmentationSelector.setCurrentNode(segmentation)
    module.ui.passesSpinBox.value = 5
    module.ui.truncationSlider.value = 1.5
    module.ui.outputLabelsCheckBox.checked = True
    module.ui.modeComboBox.setCurrentIndex(1)
    mode = module.panel.parameters.mode
    bundle = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(bundle))
    slicer.mrmlScene.Clear(0)
    slicer_window.process_events()
    assert module.ui.passesSpinBox.value == 8
    assert module.ui.ctSelector.currentNode() is None
    slicer.util.loadScene(str(bundle))
    slicer_window.wait_until(lambda: module.ui.passesSpinBox.value == 5)
    assert module.panel.parameters.mode == mode == "three-view"
    assert module.ui.modeComboBox.currentIndex == 1
    assert module.ui.truncationSlider.value == pytest.approx(1.5)
    assert module.ui.outputLabelsCheckBox.checked
    assert module.ui.ctSelector.currentNode().GetName() == "Some CT"
    assert module.ui.segmentationSelector.currentNode().GetName() == "Some segmentation"
    assert slicer_window.uncaught == []


def test_closing_the_scene_ends_a_run_and_leaves_a_usable_panel(slicer, slicer_window):
    add_segmentation(slicer, add_ct(slicer))
    window = open_panel(slicer)
    scene = slicer.mrmlScene
    tags = [
        scene.AddObserver(scene.StartCloseEvent, lambda *_: window.panel.scene_closing()),
        scene.AddObserver(scene.EndCloseEvent, lambda *_: window.panel.scene_changed()),
    ]
    try:
        slicer_window.wait_until(lambda: window.ui.synthesizeButton.enabled)
        window.ui.synthesizeButton.click()
        scene.Clear(0)
        job = window.logic.synthesis
        assert job.cancels == 1
        job.end(job.cancelled)
        slicer_window.process_events()
        assert not window.ui.synthesizeButton.enabled and not window.ui.cancelButton.enabled
        assert window.ui.progressFrame.isHidden()
        ct = add_ct(slicer, "Another CT")
        window.ui.ctSelector.setCurrentNode(ct)
        window.ui.segmentationSelector.setCurrentNode(add_segmentation(slicer, ct))
        slicer_window.wait_until(lambda: window.ui.synthesizeButton.enabled)
        assert slicer_window.uncaught == []
    finally:
        for tag in tags:
            scene.RemoveObserver(tag)
        window.panel.close()


def test_scenes_can_be_closed_and_loaded_again_and_again(slicer, slicer_window, module):
    for number in range(4):
        ct = add_ct(slicer, f"CT {number}")
        module.ui.ctSelector.setCurrentNode(ct)
        module.ui.segmentationSelector.setCurrentNode(add_segmentation(slicer, ct))
        slicer_window.wait_until(lambda: module.ui.synthesizeButton.enabled)
        slicer.mrmlScene.Clear(0)
        slicer_window.wait_until(lambda: not module.ui.synthesizeButton.enabled)
    assert slicer_window.uncaught == []


def test_removing_a_chosen_node_is_noticed(slicer, slicer_window, module):
    ct = add_ct(slicer)
    module.ui.ctSelector.setCurrentNode(ct)
    module.ui.segmentationSelector.setCurrentNode(add_segmentation(slicer, ct))
    slicer_window.wait_until(lambda: module.ui.synthesizeButton.enabled)
    slicer.mrmlScene.RemoveNode(ct)
    slicer_window.wait_until(lambda: not module.ui.synthesizeButton.enabled)
    assert "CT" in module.ui.readinessLabel.text
    assert slicer_window.uncaught == []


def test_another_module_is_not_disturbed_and_coming_back_shows_what_happened(slicer, slicer_window, module):
    ct = add_ct(slicer)
    module.ui.ctSelector.setCurrentNode(ct)
    module.panel.exit()
    before = module.ui.readinessLabel.text
    segmentation = add_segmentation(slicer, ct)
    slicer_window.process_events()
    assert module.ui.readinessLabel.text == before
    module.panel.enter()
    assert module.ui.segmentationSelector.currentNode() is segmentation
    slicer_window.wait_until(lambda: module.ui.synthesizeButton.enabled)


def test_reloading_the_module_ends_what_runs_and_gives_a_fresh_panel(slicer, slicer_window, module):
    old = module.panel
    logic = FakeLogic()
    module.panel._logic.close()
    module.panel._logic = logic
    module.onReload()
    again = slicer.modules.MedUSISWidget
    assert again is not module
    assert logic.synthesis.closed and logic.segmentation.closed and logic.background.closed
    assert type(again.panel) is not type(old)  # its code was read anew
    ct = add_ct(slicer)
    again.ui.ctSelector.setCurrentNode(ct)
    again.ui.segmentationSelector.setCurrentNode(add_segmentation(slicer, ct))
    slicer_window.wait_until(lambda: again.ui.synthesizeButton.enabled)
    assert slicer_window.uncaught == []


def test_quitting_ends_what_runs(slicer, slicer_window, module):
    logic = FakeLogic()
    module.panel._logic.close()
    module.panel._logic = logic
    slicer.app.aboutToQuit.emit()
    assert logic.synthesis.closed
    assert module.panel is None
    module.cleanup()  # Slicer calls it as well


def test_nothing_is_observed_after_the_module_is_gone(slicer, slicer_window):
    ct = add_ct(slicer)
    add_segmentation(slicer, ct)
    window = open_panel(slicer)
    window.panel.close()
    text = window.ui.readinessLabel.text
    gc.collect()
    slicer.mrmlScene.RemoveNode(ct)
    slicer_window.process_events()
    assert window.ui.readinessLabel.text == text
    assert slicer_window.uncaught == []
