"""The module opens where everything is missing that Slicer does not bring, and says so."""

from __future__ import annotations

import os
import subprocess
import sys

from blocked_packages import slicer_without
from window_doubles import REPOSITORY

_BLOCKED = ("pydantic", "psutil", "torch", "monai", "safetensors", "nibabel", "skimage", "yaml", "matplotlib")

_SCRIPT = f"""
{slicer_without(_BLOCKED)}
import importlib.metadata
harness.load_module({str(REPOSITORY / "MedUSIS" / "MedUSIS.py")!r})
slicer = harness.slicer
slicer.util.selectModule("MedUSIS")
harness.process_events()
widget = slicer.modules.MedUSISWidget
ui = widget.ui
assert harness.uncaught == [], harness.uncaught
assert not ui.dependencyFrame.isHidden()
print("BANNER", ui.dependencyLabel.text)
assert not ui.synthesizeButton.enabled
print("READY", ui.readinessLabel.text)
ui.fineTuneCollapsibleButton.collapsed = False
harness.process_events()
print("TRAINING", widget.panel.fine_tune.ui.trainingDependencyLabel.text)
assert widget.panel.fine_tune.ui.fineTuneContent.isHidden()
ui.batchCollapsibleButton.collapsed = False
harness.process_events()
print("BATCH", widget.panel.batch.ui.batchMissingLabel.text)
assert widget.panel.batch.ui.batchContent.isHidden()
assert harness.uncaught == [], harness.uncaught
import numpy
node = slicer.util.addVolumeFromArray(numpy.full((8, 8, 8), -1000, dtype=numpy.int16))
ui.ctSelector.setCurrentNode(node)
segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
ui.segmentationSelector.setCurrentNode(segmentation)
ui.dependencyInstallButton.click()  # in testing mode: refused with an explanation
harness.process_events()
print("ERROR", ui.errorTextLabel.text)
slicer.mrmlScene.Clear(0)
harness.process_events()
widget.panel.exit()
widget.panel.enter()
assert harness.uncaught == [], harness.uncaught
loaded = [name for name in {_BLOCKED!r} if name in sys.modules]
assert not loaded, loaded
print("OPENED")

sys.meta_path.remove(blocker)  # now they have been installed
installation.dependency_status = found
slicer.mrmlScene.Clear(0)
widget.panel.exit()
widget.panel.enter()
assert ui.dependencyFrame.isHidden()
assert not widget.panel.fine_tune.ui.fineTuneContent.isHidden()
assert not widget.panel.batch.ui.batchContent.isHidden()
ui.sampleDataButton.click()
harness.wait_until(lambda: ui.synthesizeButton.enabled, timeout_s=300)
assert harness.uncaught == [], harness.uncaught
harness.unload_module("MedUSIS")
print("USABLE")
"""


def test_the_module_opens_without_any_extra_package_says_what_is_missing_and_goes_on_when_it_is_there(slicer_window):
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = {line.split(" ", 1)[0]: line for line in done.stdout.splitlines()}
    assert "PyTorch" in lines["BANNER"] and "pydantic" in lines["BANNER"]
    assert "Packages are missing" in lines["READY"]
    assert "PyYAML" in lines["TRAINING"] and "PyYAML" not in lines["BANNER"]
    assert "see the banner" in lines["BATCH"]
    assert "OPENED" in lines
    assert "USABLE" in lines  # without a restart, once the packages are there
