"""Messages, files, packages, sample data and life of the stand-in for Slicer; how it lives with other tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "Resources" / "SampleData"


def test_displays_are_recorded_and_answered(slicer_window):
    util, messages = slicer_window.slicer.util, slicer_window.messages
    util.infoDisplay("read this")
    assert util.confirmYesNoDisplay("sure?") is True and util.confirmRetryCloseDisplay("again?") is False
    messages.answer(False, True)
    util.errorDisplay("broken", windowTitle="Oh", detailedText="why")
    assert util.confirmOkCancelDisplay("first?") is False and util.confirmRetryCloseDisplay("second?") is True
    assert [m.kind for m in messages.shown][:2] == ["infoDisplay", "confirmYesNoDisplay"]
    error = next(m for m in messages.shown if m.kind == "errorDisplay")
    assert (error.text, error.title, error.details) == ("broken", "Oh", "why")


def test_dialogs_do_not_block(slicer_window, tmp_path):
    import qt

    messages = slicer_window.messages
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "*.zip") == ""
    messages.answer(tmp_path / "a.zip", qt.QMessageBox.No)
    assert qt.QFileDialog.getOpenFileName(None, "Open") == str(tmp_path / "a.zip")
    assert qt.QMessageBox.question(None, "Title", "Go?", qt.QMessageBox.Yes | qt.QMessageBox.No) == qt.QMessageBox.No
    box = qt.QMessageBox()
    box.text = "stop"
    assert box.exec_() == qt.QMessageBox.Ok
    assert qt.QDialog().exec_() == 0
    menu, chosen = qt.QMenu(), []
    menu.addAction("Delete").connect("triggered()", lambda: chosen.append("deleted"))
    assert menu.exec_() is None
    messages.answer("Delete")
    assert menu.exec_().text == "Delete" and chosen == ["deleted"]
    qt.QDesktopServices.openUrl(qt.QUrl("https://slicer.org"))
    assert messages.texts("openUrl") == ["https://slicer.org"] and "stop" in messages.texts("messageBox")


def test_volume_is_written_and_read_back(slicer_window, tmp_path):
    slicer = slicer_window.slicer
    volume = slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="CT")
    assert slicer.util.exportNode(volume, str(tmp_path / "ct.nrrd"))
    loaded = slicer.util.loadVolume(tmp_path / "ct.nrrd", {"show": False})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(volume))
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(tmp_path / "absent.nrrd")


def test_scene_is_saved_and_opened(slicer_window, tmp_path):
    slicer = slicer_window.slicer
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode", "Report").SetText("fine")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert slicer.util.getNodes("Report") == {}
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert slicer.util.getNode("Report").GetText() == "fine"


def test_nodes_are_in_the_subject_hierarchy(slicer_window, tmp_path):
    slicer = slicer_window.slicer
    volume = slicer.util.addVolumeFromArray(np.zeros((2, 3, 4)), name="CT")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume)
    assert hierarchy.GetItemName(item) == "CT" and hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.SetItemParent(item, study)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volume = slicer.util.getNode("CT")
    assert hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(volume))) == "Study"
    slicer.mrmlScene.RemoveNode(volume)
    assert hierarchy.GetNumberOfItems() == 1


def test_labelmap_is_shown_in_colors(slicer_window):
    slicer = slicer_window.slicer
    labelmap = slicer.util.loadLabelVolume(SAMPLES / "head_seg.nii.gz")
    assert labelmap.GetDisplayNode().GetColorNode().GetNumberOfColors() > 100


def test_pip_is_recorded_and_never_run(slicer_window):
    from slicer import packaging

    pip = slicer_window.pip
    if not packaging.__file__.endswith("slicer_additions/packaging.py"):  # Slicer's own
        packaging.pip_install("numpy")
        assert pip.functions() == ["python -m pip"]
        return
    assert packaging.pip_check("numpy") and not packaging.pip_check(["numpy>=99"])
    pip.missing.add("numpy")
    assert not packaging.pip_check("numpy")
    packaging.pip_ensure("numpy", requester="MedUSIS")
    assert not packaging.pip_check("numpy"), "skipped in testing mode"
    slicer_window.messages.answer(False)
    with pytest.raises(RuntimeError, match="declined"):
        packaging.pip_ensure("numpy", skip_in_testing=False)
    packaging.pip_ensure("numpy", skip_in_testing=False)
    assert packaging.pip_check("numpy")
    assert pip.functions() == ["pip_ensure", "pip_ensure", "pip_ensure", "pip_install"]


def test_module_of_another_extension_can_be_injected(slicer_window, monkeypatch):
    import types

    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=lambda: "double"))
    import PyTorchUtils

    assert PyTorchUtils.PyTorchUtilsLogic() == "double"


def test_sample_data_is_registered_and_loaded_from_a_file(slicer_window):
    import SampleData

    file = SAMPLES / "head_ct.nii.gz"
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="MedUSIS", sampleName="HeadCT", uris=file.as_uri(), fileNames="head_ct.nii.gz", nodeNames="HeadCT"
    )
    node = SampleData.downloadSample("HeadCT")
    assert node.GetName() == "HeadCT" and node.GetImageData().GetDimensions()[0] > 10
    assert list(slicer_window.slicer.modules.sampleDataSources) == ["MedUSIS"]


def test_exit_is_written_down(slicer_window):
    slicer = slicer_window.slicer
    slicer.util.exit(3)
    slicer.util.quit()
    slicer.util.restart()
    assert slicer.app.exits == [3, 0, "restart"]


def test_application_says_what_modules_ask(slicer_window):
    app = slicer_window.slicer.app
    assert app.testingEnabled() and app.commandOptions().testingEnabled
    assert Path(app.temporaryPath).is_dir() and (app.majorVersion, app.minorVersion) == (5, 12)
    assert app.applicationLogic().GetColorLogic() is not None
    assert slicer_window.slicer.util.mainWindow() is app.mainWindow()
    quitting = []
    app.connect("aboutToQuit()", lambda: quitting.append(1))


def test_plain_scene_fixture_uses_the_running_scene(slicer_window, mrml_scene):
    import slicer_harness

    assert slicer_harness.running() is slicer_window
    assert mrml_scene is slicer_window.slicer.mrmlScene


def test_starts_after_a_plain_scene():
    """In a process of its own: the other way round than the test above."""
    here = Path(__file__).resolve().parent
    code = f"""
import sys
sys.path[:0] = [{str(here)!r}, {str(here.parent / "Harness")!r}]
from mrml_scene import start_scene
before = start_scene().mrmlScene
import slicer_harness
assert slicer_harness.running() is None
if slicer_harness.missing(): raise SystemExit(0)
harness = slicer_harness.start()
assert harness.slicer.mrmlScene is not before
assert start_scene().mrmlScene is harness.slicer.mrmlScene
harness.slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode").CreateDefaultDisplayNodes()
harness.process_events()
assert not harness.uncaught
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
