"""The module for real: the bundled head, the real child process, the real nodes."""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import suppress

import psutil
import pytest
from window_doubles import MODULE_FILE, add_ct, add_segmentation, our_modules

from MedUSISLib.resources import resource_path


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
    """The module as Slicer loads it, with its devices found, so that no other child process is there."""
    BEFORE.clear()
    BEFORE.update(psutil.Process().children(recursive=True))
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.selectModule("MedUSIS")
    widget = slicer_window.slicer.modules.MedUSISWidget
    slicer_window.wait_until(lambda: widget.ui.deviceRefreshButton.enabled, timeout_s=300)
    yield widget
    if widget.panel is not None:
        widget.panel.close()


BEFORE: set[psutil.Process] = set()
"""Children of this process that other tests have left (the resource tracker of multiprocessing lives until the end)."""


def children(module=None):
    """What the module has started and what that has started, as far as it lives; not its engine when that waits."""
    found = []
    engine = module.logic.engine if module is not None else None
    waiting = engine.pid if engine is not None and engine.running and not engine.busy else None
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child not in BEFORE and child.status() != psutil.STATUS_ZOMBIE and child.pid != waiting:
                found.append(child)
    return found


def test_the_sample_head_from_the_button_to_the_review(slicer, slicer_window, module, tmp_path):
    ui = module.ui
    ui.sampleDataButton.click()
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)
    assert "all have a class" in ui.mappingStateLabel.text
    ui.passesSpinBox.value = 2
    seen = {"previews": 0, "stages": set()}
    module.logic.synthesis.previewed.connect(lambda path: seen.update(previews=seen["previews"] + 1))
    module.logic.synthesis.stage.connect(seen["stages"].add)
    ui.synthesizeButton.click()
    assert module.panel.run.running and children()
    pauses, last = [0.0], [time.monotonic()]

    def ended():
        now = time.monotonic()
        if ui.stageLabel.text == "Making the synthetic MR":
            pauses.append(now - last[0])
        last[0] = now
        return not module.panel.run.running

    slicer_window.wait_until(ended, timeout_s=1200)
    assert len(pauses) > 5 and max(pauses) < 60.0  # the window reacts while the child works
    assert module.panel.errors.shown is False, ui.errorDetailsText.plainText
    assert seen["previews"] > 0 and "Making the synthetic MR" in seen["stages"]

    nodes = module.panel.results.nodes
    ct = ui.ctSelector.currentNode()
    assert nodes.mr.GetName() == f"{ct.GetName()} SYNTHETIC MR"
    assert nodes.uncertainty is not None and nodes.mask_consistency is not None and nodes.labels is None
    assert slicer.util.arrayFromVolume(nodes.mr).shape == slicer.util.arrayFromVolume(ct).shape
    assert ui.resultComboBox.currentText == nodes.mr.GetName()
    assert ui.verdictLabel.text and ui.qualityFlagsLabel.text
    assert ui.reviewFrame.enabled and ui.synthesizeButton.enabled
    from MedUSISLib.mrml.review_state import is_review_shown

    assert is_review_shown(slicer.mrmlScene)

    report = tmp_path / "report.html"
    slicer_window.messages.answer(str(report))
    ui.exportReportButton.click()
    assert "SYNTHETIC" in report.read_text(encoding="utf-8")

    ui.nextUncertainButton.click()
    assert "Place 1 of" in ui.hotspotLabel.text
    assert slicer_window.uncaught == []


def test_cancel_ends_the_whole_process_tree_and_the_window_is_usable_again(slicer, slicer_window, module):
    ui = module.ui
    ui.sampleDataButton.click()
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)
    ui.passesSpinBox.value = 50
    ui.synthesizeButton.click()
    slicer_window.wait_until(lambda: "Making the synthetic MR" in ui.stageLabel.text, timeout_s=300)
    assert children()
    ui.cancelButton.click()
    slicer_window.wait_until(lambda: not module.panel.run.running)  # 2 s are promised, on a machine that is not busy
    slicer_window.wait_until(lambda: not children(module))
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)
    assert module.panel.results.nodes is None
    assert not module.panel.errors.shown
    assert slicer_window.uncaught == []


def start_endless_run(slicer_window, module):
    ui = module.ui
    ui.sampleDataButton.click()
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)
    ui.passesSpinBox.value = 50
    ui.synthesizeButton.click()
    slicer_window.wait_until(children, timeout_s=120)


def test_closing_the_scene_ends_the_process_tree(slicer, slicer_window, module):
    start_endless_run(slicer_window, module)
    slicer.mrmlScene.Clear(0)
    slicer_window.wait_until(lambda: not children(module))
    slicer_window.wait_until(lambda: not module.panel.run.running)
    assert module.ui.progressFrame.isHidden()
    assert slicer_window.uncaught == []


def test_reloading_the_module_ends_the_process_tree(slicer, slicer_window, module):
    start_endless_run(slicer_window, module)
    before = children()
    module.onReload()
    slicer_window.wait_until(lambda: not any(child.is_running() for child in before))
    assert slicer_window.uncaught == []
    slicer.modules.MedUSISWidget.panel.close()


def test_quitting_ends_the_process_tree(slicer, slicer_window, module):
    start_endless_run(slicer_window, module)
    slicer.app.aboutToQuit.emit()
    slicer_window.wait_until(lambda: not children())


def test_a_child_that_dies_is_explained(slicer, slicer_window, module):
    start_endless_run(slicer_window, module)
    slicer_window.wait_until(lambda: "Making the synthetic MR" in module.ui.stageLabel.text, timeout_s=300)
    for child in children():
        with suppress(psutil.NoSuchProcess):  # it ended with the one before
            child.kill()
    slicer_window.wait_until(lambda: module.panel.errors.shown)
    assert "ended without a result" in module.ui.errorTextLabel.text
    slicer_window.wait_until(lambda: module.ui.synthesizeButton.enabled)


def test_an_input_that_the_engine_refuses_is_explained(slicer, slicer_window, module):
    ct = add_ct(slicer)
    segmentation = add_segmentation(slicer, ct)
    module.ui.ctSelector.setCurrentNode(ct)
    module.ui.segmentationSelector.setCurrentNode(segmentation)
    slicer_window.wait_until(lambda: module.ui.synthesizeButton.enabled)
    module.panel.parameters.device = "cuda:7"
    module.ui.allowCpuCheckBox.checked = False
    module.ui.synthesizeButton.click()
    slicer_window.wait_until(lambda: module.panel.errors.shown, timeout_s=300)
    assert "device" in module.ui.errorTitleLabel.text
    assert module.ui.errorTextLabel.text


def test_a_segmentation_is_derived_from_the_ct_alone(slicer, slicer_window, module):
    ui = module.ui
    ui.sampleDataButton.click()
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)
    slicer.mrmlScene.RemoveNode(ui.segmentationSelector.currentNode())
    slicer_window.wait_until(lambda: ui.deriveSegmentationButton.enabled and not ui.synthesizeButton.enabled)
    ui.deriveSegmentationButton.click()
    slicer_window.wait_until(lambda: not module.panel.run.running, timeout_s=1200)
    assert not module.panel.errors.shown, ui.errorDetailsText.plainText
    assert ui.segmentationSelector.currentNode() is not None
    assert "all have a class" in ui.mappingStateLabel.text
    assert "prior" in ui.runNotesLabel.text  # grey and white matter on a CT
    slicer_window.wait_until(lambda: ui.synthesizeButton.enabled)


def test_a_generator_is_installed_from_a_folder_chosen_and_removed(slicer_window, module, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "mine"))
    source = tmp_path / "source"
    shutil.copytree(resource_path("Generators", "head-t1w"), source)
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    manifest.update(id="my-t1w", title="My own T1")
    (source / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    ui = module.ui
    slicer_window.messages.answer(str(source))
    module.panel.generator.installer.from_folder()
    assert not ui.generatorInstallButton.enabled
    slicer_window.wait_until(lambda: ui.generatorInstallButton.enabled, timeout_s=120)
    assert not module.panel.errors.shown, ui.errorDetailsText.plainText
    assert ui.generatorComboBox.currentText == "My own T1"
    assert "installed by you" in ui.generatorSummaryLabel.text
    slicer_window.messages.answer(True)
    ui.generatorRemoveButton.click()
    assert not (tmp_path / "mine" / "my-t1w").exists()
    assert "head-t1w" in ui.generatorComboBox.currentText
