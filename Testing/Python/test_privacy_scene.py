"""What Slicer's nodes are called stays in Slicer's scene: the files for a job hold none of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pytest
from planted import NAME, PATIENT_ID, SEGMENT
from scene_nodes import add_segmentation, add_volume, scale

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.mrml.preparation import prepare_inputs
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.settings import SynthesisInputs


@pytest.mark.fault
def test_files_for_a_job_hold_no_name_of_a_node(
    mrml_scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    grid = scale(1, 1, 2)
    ct = add_volume(np.random.default_rng(0).integers(-1000, 1000, (6, 7, 8)).astype(np.int16), grid)
    ct.SetName(f"{NAME}^{planted.FIRST_NAME} {planted.BIRTH_DATE}")
    ct.SetDescription(f"{planted.STUDY_TEXT} {PATIENT_ID}")
    ct.SetAttribute("DICOM.PatientID", PATIENT_ID)
    ct.SetAttribute("DICOM.instanceUIDs", planted.ACCESSION)
    node = add_segmentation({SEGMENT: np.ones((6, 7, 8))}, grid, f"{NAME} {PATIENT_ID}")
    folder = RunFolder()
    prepared = prepare_inputs(SynthesisInputs(ct, node, {SEGMENT: "skin"}), load_schema("head"), folder.path)
    found = planted.found_in(folder.path)
    assert found == {prepared.labels_file.name: [SEGMENT]}, "only the table of classes, and only what it is about"
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()
    assert list(tmp_path.iterdir()) == []
