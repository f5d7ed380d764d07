"""From a folder of CTs to a case in the scene: the window with real child processes and a real background run."""

from __future__ import annotations

import sys

import pytest
from batch_doubles import tiny_patients
from window_doubles import MODULE_FILE, our_modules

from MedUSISLib.runs.store import RunStore


@pytest.fixture(autouse=True)
def modules_put_back():
    before = our_modules()
    yield
    sys.modules.update(before)


@pytest.fixture
def patients(tmp_path):
    return tiny_patients(tmp_path / "hospital", tmp_path / "generators", more=6)


@pytest.fixture
def module(slicer_window, tmp_path, patients, monkeypatch):
    """The module as Slicer loads it, for a user with one small generator and no runs."""
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "generators"))
    monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "runs"))
    slicer = slicer_window.slicer
    slicer.app.userSettings().clear()
    slicer_window.load_module(MODULE_FILE)
    slicer.util.selectModule("MedUSIS")
    widget = slicer.modules.MedUSISWidget
    slicer_window.wait_until(lambda: widget.ui.deviceRefreshButton.enabled, timeout_s=120)
    yield widget
    if widget.panel is not None:
        widget.panel.close()
    slicer.app.userSettings().clear()
    for run in RunStore().runs():
        if run.status().state.active:  # a test that failed leaves nobody at work
            run.stop(now=True)


def unfold(module):
    module.ui.batchCollapsibleButton.collapsed = False
    module.panel.parameters.generator = "tiny"
    module.panel.parameters.passes = 1
    module.panel.refresh()
    return module.panel.batch.ui, module.panel.batch.parts


@pytest.mark.long
def test_from_a_folder_to_a_case_in_the_scene(slicer_window, module, patients):
    ui, parts = unfold(module)
    parts.form.choose_source(patients.folder)

    # What is there: found by a child process, said in words.
    ui.batchLookButton.click()
    assert parts.look.running and not ui.batchLookFrame.isHidden()
    slicer_window.wait_until(lambda: not parts.look.running, timeout_s=300)
    assert not module.panel.errors.shown, module.ui.errorDetailsText.plainText
    assert "9 CTs, 8 with their segmentation, 1 without" in ui.batchFoundLabel.text
    assert "1 CT without segmentation will be left out" in ui.batchReadinessLabel.text

    # In the background; paused, and gone on with.
    ui.batchWorkersSpinBox.value = 1
    ui.batchStartButton.click()
    assert not module.panel.errors.shown, module.ui.errorDetailsText.plainText
    slicer_window.wait_until(lambda: parts.runs.seen is not None, timeout_s=300)
    ui.batchPauseButton.click()
    slicer_window.wait_until(lambda: ui.batchGoOnButton.enabled, timeout_s=300)
    assert "Paused" in ui.batchStateLabel.text and RunStore().runs()[0].status().state.value == "paused"
    ui.batchGoOnButton.click()
    slicer_window.wait_until(lambda: "Finished" in ui.batchStateLabel.text, timeout_s=1800)
    assert len(RunStore().runs()) == 1
    states = [ui.batchCasesTable.item(row, 1).text() for row in range(9)]
    assert states == ["done", "done", "left out", *["done"] * 6] and ui.batchSummaryButton.enabled

    # A Slicer that is started later finds it again, and shows a case.
    folder = parts.runs.folder
    module.panel.close()
    slicer_window.unload_module("MedUSIS")
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.selectModule("MedUSIS")
    module = slicer_window.slicer.modules.MedUSISWidget
    ui, parts = unfold(module)
    assert parts.runs.folder == folder and ui.batchCasesTable.rowCount == 9
    parts.runs.table.choose(2)
    ui.batchLoadButton.click()
    assert not module.panel.errors.shown, module.ui.errorDetailsText.plainText
    assert slicer_window.slicer.util.getNode("Case 2 CT") is not None
    assert module.panel.parameters.result.GetName() == "Case 2 CT SYNTHETIC MR"
    assert not module.ui.resultsCollapsibleButton.collapsed
    module.panel.close()
