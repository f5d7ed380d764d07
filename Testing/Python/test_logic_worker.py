"""Which Python does the work, and what the logic can do before the packages that it needs are there."""

from __future__ import annotations

import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from MedUSISLib.mrml.worker import worker_command

NOT_IN_SLICER = ("pydantic", "psutil", "yaml", "skimage", "nibabel", "monai", "torch", "matplotlib")


def test_without_slicer_this_python_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "slicer", types.SimpleNamespace())
    assert worker_command() == (sys.executable, "-m", "MedUSISLib.jobs", "run")


@pytest.mark.skipif(sys.platform == "win32", reason="the starter has another name there")
@pytest.mark.parametrize("place", ["search path", "bin of Slicer", "nowhere"])
def test_in_slicer_its_own_python_does_the_work(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    starter = tmp_path / "bin" / "PythonSlicer"
    if place != "nowhere":
        starter.write_text("#!/bin/sh\n")
        starter.chmod(starter.stat().st_mode | stat.S_IXUSR)
    application = types.SimpleNamespace(slicerHome=str(tmp_path if place == "bin of Slicer" else "/elsewhere"))
    monkeypatch.setitem(sys.modules, "slicer", types.SimpleNamespace(app=application))
    monkeypatch.setenv("PATH", str(tmp_path / "bin") if place == "search path" else "/nowhere")
    assert worker_command()[0] == (sys.executable if place == "nowhere" else str(starter))


def test_logic_opens_without_the_packages_and_says_what_is_missing() -> None:
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    script = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_IN_SLICER!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
import slicer
slicer.mrmlScene = slicer.vtkMRMLScene()
from MedUSISLib.mrml import background_jobs, retry, segmentation_logic, stage_titles, synthesis_logic
from MedUSISLib.mrml.settings import SynthesisInputs, SynthesisSettings
from MedUSISLib.errors import MedUSISError
ct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "ct")
logic, segmentation, jobs = (
    synthesis_logic.SynthesisLogic(), segmentation_logic.SegmentationLogic(), background_jobs.BackgroundJobs()
)
for start in (
    lambda: logic.start(SynthesisInputs(ct, ct), SynthesisSettings()),
    lambda: segmentation.start(ct),
    lambda: jobs.remove_generator("x"),
):
    try:
        start()
    except MedUSISError as error:
        print(error.code.value, error.message)
jobs.find_devices(print, lambda failure: print(failure.code, failure.message))
logic.cancel(); logic.close(); logic.close(); segmentation.close(); jobs.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("DEPENDENCY_MISSING the Python package 'p") for line in lines), lines
