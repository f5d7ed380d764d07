"""The button "DICOM": the CT's series is found or asked for, the job gets a whole result, and ends in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import small_result
from dicom_example import SECRETS, write_ct
from imaging_phantom import geometry_about, rotation
from window_doubles import open_panel

from MedUSISLib.dicom.export import export_dicom
from MedUSISLib.dicom.request import ExportDicomRequest
from MedUSISLib.errors import ErrorCode
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.jobs.events import Failure
from MedUSISLib.mrml.loading import load_volume
from MedUSISLib.mrml.results import load_results
from MedUSISLib.mrml.settings import OutputChoice
from MedUSISLib.synthesis.inputs import value_sha256

pytest.importorskip("highdicom")
k, j, i = small_result.SIZE_KJI
GRID = geometry_about((3, -4, 5), (i, j, k), (1.5, 1.5, 3.0), rotation((0.2, 0.1, -0.3)))


class Database:
    """Slicer's DICOM database, of one folder."""

    def __init__(self, folder: Path) -> None:
        import pydicom

        headers = [(path, pydicom.dcmread(path, stop_before_pixels=True)) for path in sorted(folder.iterdir())]
        self.files = {header.SOPInstanceUID: str(path) for path, header in headers}
        self.series = headers[0][1].SeriesInstanceUID

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")

    def fileValue(self, file: str, tag: str) -> str:
        return self.series if tag == "0020,000e" else ""


@pytest.fixture
def slicer(slicer_window):
    return slicer_window.slicer


@pytest.fixture
def window(slicer, tmp_path):
    """A panel on a scene with a CT that came from DICOM, and a result of it."""
    volume = write_ct(tmp_path / "ct", GRID)
    ct = load_volume(tmp_path / "ct", "CT")
    result = small_result.write_result(tmp_path / "result", GRID.affine_ras)
    told = small_result.provenance() | {"inputs": {"ct": {"values_sha256": value_sha256(volume)}}}
    (result / "provenance.json").write_text(json.dumps(told))
    nodes = load_results(result, ct, OutputChoice(labels=True))
    window = open_panel(slicer)
    window.ct, window.nodes = ct, nodes
    window.database = Database(tmp_path / "ct")
    window.dialogs.answers["folder"] = tmp_path / "chosen"
    yield window
    window.panel.close()


def export(window, name="DICOM series..."):
    action = next(a for a in window.ui.dicomButton.menu().actions() if a.text == name)
    action.trigger()
    return window.logic.background.exports[-1] if window.logic.background.exports else None


def from_database(slicer, window, monkeypatch):
    window.ct.SetAttribute("DICOM.instanceUIDs", " ".join(window.database.files))
    monkeypatch.setattr(slicer, "dicomDatabase", window.database, raising=False)


def test_without_a_result_there_is_nothing_to_export(slicer):
    window = open_panel(slicer)
    assert not window.ui.dicomButton.enabled
    window.panel.close()


def test_the_series_is_found_in_slicers_database(slicer, window, monkeypatch, tmp_path):
    from_database(slicer, window, monkeypatch)
    assert window.ui.dicomButton.enabled
    parameters, done, _error = export(window)
    assert window.dialogs.asked == ["folder"]  # where to, and nothing else
    assert parameters["source"] == str(tmp_path / "ct") and parameters["series_uid"] == window.database.series
    assert parameters["out"] == str(tmp_path / "chosen" / "MedUSIS DICOM")
    assert not window.ui.dicomButton.enabled and window.ui.dicomButton.text == "Writing DICOM..."
    private = Path(parameters["result"])
    assert private.is_dir()
    done({"files": 17})
    assert not private.exists() and window.ui.dicomButton.enabled
    assert window.dialogs.asked == ["folder", "yes_no"]


def test_the_job_gets_the_whole_result_and_it_lies_on_the_series(slicer, window, monkeypatch, tmp_path):
    from_database(slicer, window, monkeypatch)
    parameters, done, _error = export(window)
    told = export_dicom(ExportDicomRequest.model_validate(parameters))
    done(told.summary())
    assert told.objects == ("mr", "uncertainty", "mask_consistency", "labels")
    mr = read_volume(tmp_path / "chosen" / "MedUSIS DICOM" / "mr-0001.dcm", role="the MR")
    assert mr.geometry.same_grid(read_volume(tmp_path / "ct").geometry, 1e-6)
    assert np.abs(mr.array_kji - small_result.arrays()["mr"]).max() <= told.error_bound + 1e-6


def test_a_segmentation_goes_out_as_the_user_left_it(slicer, window, tmp_path):
    from MedUSISLib.imaging.reading import read_label_map
    from MedUSISLib.mrml.dicom_export import write_result_folder

    write_result_folder(window.nodes, tmp_path)
    expected = small_result.arrays()
    assert np.array_equal(read_label_map(tmp_path / "labels.nii.gz").array_kji, expected["labels"])
    assert np.array_equal(read_label_map(tmp_path / "mask_consistency.nii.gz").array_kji, expected["mask_consistency"])
    window.nodes.labels.GetSegmentation().RemoveSegment("white_matter")
    write_result_folder(window.nodes, tmp_path)
    corrected = np.where(expected["labels"] == 9, 0, expected["labels"])
    assert np.array_equal(read_label_map(tmp_path / "labels.nii.gz").array_kji, corrected)


def test_without_the_database_the_folder_is_asked_for(window):
    parameters, _done, _error = export(window, "DICOM series without the patient's name...")
    assert window.dialogs.asked == ["folder", "folder"]
    assert parameters["series_uid"] is None and parameters["deidentify"]
    assert window.panel.dicom._export.running


def test_nothing_happens_when_no_folder_is_chosen(window):
    window.dialogs.answers["folder"] = None
    assert export(window) is None
    assert window.ui.dicomButton.enabled


def test_a_failure_is_explained_and_leaves_nothing(slicer, window, monkeypatch):
    from_database(slicer, window, monkeypatch)
    parameters, _done, error = export(window, "One multi-frame file (Enhanced MR)...")
    assert parameters["enhanced"]
    error(Failure("GEOMETRY_MISMATCH", "they are not the same ones", "give the series"))
    assert window.panel.errors.shown and not Path(parameters["result"]).exists()
    assert window.ui.dicomButton.enabled


def test_a_result_without_provenance_is_refused(slicer, window):
    slicer.mrmlScene.RemoveNode(window.nodes.provenance)
    assert export(window) is None
    assert window.panel.errors.shown


def test_files_that_are_gone_are_asked_for(slicer, window, monkeypatch):
    from MedUSISLib.mrml.dicom_export import ct_series

    from_database(slicer, window, monkeypatch)
    assert ct_series(window.nodes, window.database) is not None
    next(iter(Path(next(iter(window.database.files.values()))).parent.iterdir())).unlink()
    assert ct_series(window.nodes, window.database) is None
    assert ct_series(window.nodes, None) is None


def test_the_real_job_says_no_name(slicer, window, tmp_path):
    """Through a child process, as in Slicer: a series that is not the result's."""
    from MedUSISLib.mrml.background_jobs import BackgroundJobs
    from MedUSISLib.mrml.dicom_export import DicomExport

    other = tmp_path / "other"
    write_ct(other, geometry_about((3, -4, 5), (i, j, k - 1), (1.5, 1.5, 3.0)))
    jobs, heard = BackgroundJobs(), []
    DicomExport(jobs.export_dicom).start(
        window.nodes, (other, None), tmp_path / "out", {}, lambda summary: heard.append(summary), heard.append
    )
    assert jobs.wait(120)
    jobs.close()
    assert heard[0].code == ErrorCode.GEOMETRY_MISMATCH
    assert not any(secret in str(heard[0]) for secret in SECRETS) and not (tmp_path / "out").exists()
