"""From folders to a generator of one's own through the window, with real child processes and a real background run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dataset_example import ct, labels, mr, save
from fine_tune_doubles import hospital
from tiny_generator import tiny_bundle
from window_doubles import MODULE_FILE, our_modules

from MedUSISLib.dataset.model import load_dataset
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.runs.store import RunStore


@pytest.fixture(autouse=True)
def modules_put_back():
    before = our_modules()
    yield
    sys.modules.update(before)


@pytest.fixture
def module(slicer_window, tmp_path, monkeypatch):
    """The module as Slicer loads it; generators, runs and settings of a user who has nothing yet."""
    monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path / "generators"))
    monkeypatch.setenv("MEDUSIS_RUNS", str(tmp_path / "runs"))
    slicer = slicer_window.slicer
    slicer.app.userSettings().clear()
    slicer.app.userSettings().setValue("MedUSIS/Training/WorkingFolder", str(tmp_path / "work"))
    slicer_window.load_module(MODULE_FILE)
    slicer.util.selectModule("MedUSIS")
    widget = slicer.modules.MedUSISWidget
    slicer_window.wait_until(lambda: widget.ui.deviceRefreshButton.enabled, timeout_s=120)
    yield widget
    if widget.panel is not None:
        widget.panel.close()
    slicer.app.userSettings().clear()


def unfold(module):
    module.ui.fineTuneCollapsibleButton.collapsed = False
    return module.panel.fine_tune.ui, module.panel.fine_tune.parts


def choose(combo, text: str) -> None:
    found = next(number for number in range(combo.count) if text in combo.itemText(number))
    combo.setCurrentIndex(found)


def test_a_scan_in_a_child_process_fills_the_table(slicer_window, module, tmp_path):
    tune, parts = unfold(module)
    parts.folders.add(hospital(tmp_path / "data"))
    titles = set()
    tune.scanButton.click()
    assert parts.scan.running and not tune.scanProgressFrame.isHidden()

    def ended() -> bool:
        titles.add(tune.scanStageLabel.text.partition(" (")[0])
        return not parts.scan.running

    slicer_window.wait_until(ended, timeout_s=120)
    assert not module.panel.errors.shown, module.ui.errorDetailsText.plainText
    assert tune.casesTable.rowCount == 6 and {"Reading each file", "Comparing labels and images"} & titles
    tune.casesTable.selectRow(0)
    assert not tune.casePictureLabel.isHidden()


@pytest.mark.long
def test_from_folders_to_a_generator_that_is_used(slicer_window, module, tmp_path):
    tiny_bundle(tmp_path / "generators" / "tiny", dropout=0.2)
    for number in (1, 2, 3):
        save(mr(number), tmp_path / "mr" / f"P00{number}" / "t1.nii.gz")
        save(labels(), tmp_path / "mr" / f"P00{number}" / "seg.nii.gz")
    save(ct(4), tmp_path / "ct" / "P004" / "ct.nii.gz")
    save(labels(), tmp_path / "ct" / "P004" / "seg.nii.gz")
    tune, parts = unfold(module)
    module.panel.generator.reload()

    # Scan, and put people on their sides by hand.
    for name in ("ct", "mr"):
        parts.folders.add(tmp_path / name)
    tune.scanButton.click()
    slicer_window.wait_until(lambda: not parts.scan.running, timeout_s=300)
    for row in range(tune.casesTable.rowCount):
        tune.casesTable.selectRow(row)
        person = tune.casesTable.item(row, 1).text()
        choose(tune.caseSideComboBox, "validation" if person == "P003" else "training")
    dataset = load_dataset(tmp_path / "work" / "scan")
    assert {person.id: person.split for person in dataset.people} == {
        "P001": "train", "P002": "train", "P003": "validation", "P004": "train",
    }  # fmt: skip

    # Settings; time and memory are said before the button is on.
    module.panel.refresh()
    choose(tune.parentComboBox, "tiny")
    tune.trainingBatchSpinBox.value, tune.firstIterationsSpinBox.value, tune.secondIterationsSpinBox.value = 2, 10, 20
    assert not tune.startTrainingButton.enabled
    slicer_window.wait_until(lambda: tune.startTrainingButton.enabled, timeout_s=300)
    assert "GB of memory" in tune.trainingEstimateLabel.text

    # In the background, until it has ended.
    tune.startTrainingButton.click()
    assert not module.panel.errors.shown, module.ui.errorDetailsText.plainText
    slicer_window.wait_until(lambda: parts.runs.line.final, timeout_s=1500)
    line = parts.runs.line
    assert line.state == "finished", (line.status, tune.runNotesLabel.text)
    assert not tune.runCurvesLabel.isHidden() and not tune.runSampleLabel.isHidden()
    log = RunStore().runs()[0].log()
    assert log.before is not None and len(log.validations) >= 3 and log.losses["l1"]

    # A Slicer that is started later finds it again.
    module.panel.close()
    slicer_window.unload_module("MedUSIS")
    slicer_window.load_module(MODULE_FILE)
    slicer_window.slicer.util.selectModule("MedUSIS")
    module = slicer_window.slicer.modules.MedUSISWidget
    tune, parts = unfold(module)
    assert parts.runs.line.name == "my-tiny" and tune.runsTable.item(0, 1).text() == "finished"
    assert "tiny had" in tune.runVerdictLabel.text or "places" in tune.runVerdictLabel.text

    # It becomes the generator of the next synthesis.
    tune.useGeneratorButton.click()
    slicer_window.wait_until(lambda: module.panel.parameters.generator == "my-tiny", timeout_s=300)
    assert load_bundle(tmp_path / "generators" / "my-tiny").manifest.settings["parent"]["id"] == "tiny"
    assert Path(module.panel.generator.entry.manifest.id) == Path("my-tiny")
    assert "my-tiny" in module.ui.generatorComboBox.currentText
    module.panel.close()
