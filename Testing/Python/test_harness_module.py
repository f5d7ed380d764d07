"""The stand-in for Slicer loads a scripted module with its panel, as Slicer does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

DEMO = Path(__file__).resolve().parents[1] / "Harness" / "example" / "HarnessDemo" / "HarnessDemo.py"


@pytest.fixture
def demo(slicer_window):
    """The demo module's widget, entered."""
    slicer_window.load_module(DEMO)
    slicer_window.slicer.util.selectModule("HarnessDemo")
    return slicer_window.slicer.modules.HarnessDemoWidget


def add_volume(slicer, name="CT"):
    ramp = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6) * 10
    return slicer.util.addVolumeFromArray(ramp, name=name)


def test_module_is_registered_under_its_names(slicer_window):
    slicer = slicer_window.slicer
    module = slicer_window.load_module(DEMO)
    assert module.title == "Harness demo"
    assert slicer.modules.harnessdemo is module
    assert slicer.moduleNames.HarnessDemo == "HarnessDemo"
    assert slicer.util.modulePath("HarnessDemo") == str(DEMO)
    assert slicer.util.getModule("HarnessDemo").name == "HarnessDemo"
    assert not hasattr(slicer.modules, "HarnessDemoWidget"), "the widget is made when the module is first selected"


def test_ui_file_gives_widgets_with_their_properties(demo):
    assert demo.ui.inputSelector.className() == "qMRMLNodeComboBox"
    assert tuple(demo.ui.imageSelector.nodeTypes) == ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode")
    assert demo.ui.inputsButton.text == "Inputs"
    assert demo.ui.applyButton.text == "Count"
    assert not demo.ui.applyButton.enabled
    assert demo.ui.advancedButton.collapsed


def test_collapsed_button_hides_what_is_in_it(slicer_window, demo):
    slicer_window.slicer.util.mainWindow().show()
    slicer_window.wait_until(lambda: not demo.ui.advancedLabel.visible)
    demo.ui.advancedButton.collapsed = False
    assert demo.ui.advancedLabel.visible
    demo.ui.advancedButton.click()
    assert demo.ui.advancedButton.collapsed and not demo.ui.advancedLabel.visible


def test_open_collapsible_button_has_room_for_its_header_and_contents(demo):
    button = demo.ui.inputsButton
    assert button.sizeHint().height() >= button.layout().sizeHint().height() + 24


def test_class_name_survives_the_widget(slicer_window):
    slider = slicer_window.slicer.qMRMLSliderWidget()
    assert slider.className() == "qMRMLSliderWidget"
    slider.delete()
    assert slicer_window.slicer.qMRMLSliderWidget().className() == "qMRMLSliderWidget"


def test_selected_node_reaches_the_logic_and_the_table_shows_the_result(slicer_window, demo):
    volume = add_volume(slicer_window.slicer)
    demo.ui.inputSelector.setCurrentNode(volume)
    assert demo.ui.applyButton.enabled
    demo.ui.applyButton.click()
    table = demo.ui.resultTable.mrmlTableNode()
    assert table.GetCellText(0, 0) == str(4 * 5 * 6 - 11)
    assert demo.ui.resultTable.model().rowCount() == 1


def test_declined_question_stops_the_work(slicer_window, demo):
    demo.ui.inputSelector.setCurrentNode(add_volume(slicer_window.slicer))
    slicer_window.messages.answer(False)
    demo.ui.applyButton.click()
    assert slicer_window.messages.texts("confirmOkCancelDisplay") == ["Count the voxels?"]
    assert demo.ui.resultTable.mrmlTableNode() is None


def test_module_is_entered_left_and_cleaned_up(slicer_window, demo):
    assert demo.calls == ["enter"]
    slicer_window.slicer.util.selectModule("HarnessDemo")
    assert demo.calls == ["enter"], "it is entered already"
    slicer_window.unload_module("HarnessDemo")
    assert demo.calls == ["enter", "exit", "cleanup"]
    assert not hasattr(slicer_window.slicer.modules, "HarnessDemoWidget")


def test_closing_the_scene_takes_the_nodes_out_of_the_selectors(slicer_window, demo):
    demo.ui.inputSelector.setCurrentNode(add_volume(slicer_window.slicer))
    slicer_window.slicer.mrmlScene.Clear(0)
    assert demo.calls[-1] == "close"
    assert demo.ui.inputSelector.currentNode() is None
    assert demo.ui.inputSelector.nodeCount() == 0


def test_reload_cleans_up_and_makes_a_new_widget(slicer_window, demo):
    slicer = slicer_window.slicer
    slicer.util.reloadScriptedModule("HarnessDemo")
    new = slicer.modules.HarnessDemoWidget
    assert demo.calls[-1] == "cleanup"
    assert new is not demo and type(new) is not type(demo)
    new.ui.inputSelector.setCurrentNode(add_volume(slicer))
    new.ui.applyButton.click()
    assert new.ui.resultTable.mrmlTableNode() is not None


def test_self_test_of_a_module_runs(slicer_window, demo):
    slicer_window.slicer.selfTests["HarnessDemo"]()
    assert "starting" in slicer_window.messages.texts("delayDisplay")


def test_exception_in_a_slot_is_kept(slicer_window, demo, capsys):
    demo.ui.failButton.click()
    assert [str(error) for error in slicer_window.uncaught] == ["a bug in a slot"]
    assert "a bug in a slot" in capsys.readouterr().err
    slicer_window.uncaught.clear()


def test_error_display_is_only_for_users(slicer_window, demo, capsys):
    add_volume(slicer_window.slicer)
    demo.logic.count = lambda *_: 1 / 0
    demo.ui.inputSelector.setCurrentNodeIndex(0)
    demo.ui.applyButton.click()
    assert slicer_window.messages.texts("errorDisplay") == []
    with slicer_window.as_user():
        demo.ui.applyButton.click()
    assert slicer_window.messages.texts("errorDisplay") == ["Counting failed.\n\ndivision by zero"]
    assert len(slicer_window.uncaught) == 2
    slicer_window.uncaught.clear()
