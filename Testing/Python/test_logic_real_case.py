"""The whole way once: the sample head in the scene, a real child process, the synthetic MR in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from logic_doubles import PATIENT, Ear

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.imaging.nifti import read_nifti
from MedUSISLib.mrml.result_nodes import nodes_of
from MedUSISLib.mrml.segment_classes import segment_rows
from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs, SynthesisSettings
from MedUSISLib.mrml.synthesis_logic import SynthesisLogic

SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "SampleData"


def node_of(scene: Any, file_name: str, class_name: str, name: str) -> Any:
    """Some slices of a file of the sample, as a node."""
    import slicer.util
    import vtk

    volume = read_nifti(SAMPLE / file_name, "the sample")
    node = scene.AddNewNodeByClass(class_name, name)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(volume.array_kji[70:94]))
    affine = volume.geometry.affine_ras @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 70], [0, 0, 0, 1.0]])
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, affine[row, column])
    node.SetIJKToRASMatrix(matrix)
    return node


def test_sample_head_becomes_a_synthetic_mr_in_the_scene(
    mrml_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer.util

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ct = node_of(mrml_scene, "head_ct.nii.gz", "vtkMRMLScalarVolumeNode", PATIENT)
    labels = node_of(mrml_scene, "head_seg.nii.gz", "vtkMRMLLabelMapVolumeNode", f"{PATIENT} segmentation")
    # the sample's values are the class indices of the schema
    names = load_schema("head").names
    classes = {row.key: names[int(row.key)] for row in segment_rows(labels, load_schema("head"))}
    logic = SynthesisLogic()
    ear = Ear(logic)
    logic.start(SynthesisInputs(ct, labels, classes), SynthesisSettings(passes=1), OutputChoice(labels=True))
    assert logic.wait(300.0)

    assert ear.outcomes() == ["finished"], logic.log_text()
    nodes = ear.all("finished")[0][0]
    assert nodes_of(nodes.mr) == nodes
    mr = slicer.util.arrayFromVolume(nodes.mr)
    assert mr.shape == slicer.util.arrayFromVolume(ct).shape
    white_matter = slicer.util.arrayFromVolume(labels) == names.index("white_matter")
    assert 0.5 < np.median(mr[white_matter]) < 0.9
    titles = [title for (title,) in ear.all("stage")]
    assert titles[0] == "Preparing the inputs" and titles[-1] == "Loading the result into the scene"
    assert "Making the synthetic MR" in titles
    assert all(title[:1].isupper() and title.count(" ") > 0 for title in titles)
    fractions = [fraction for fraction, _ in ear.all("advanced")]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert ear.all("previewed")
    assert PATIENT not in logic.log_text() and str(tmp_path) not in logic.log_text()
    assert list(tmp_path.iterdir()) == []
