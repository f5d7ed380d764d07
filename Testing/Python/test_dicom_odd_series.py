"""CT series that are not quite as the standard wants them: exported soundly, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_example import write_ct, write_result
from test_imaging_dicom import OBLIQUE

from MedUSISLib.dicom.export import export_dicom
from MedUSISLib.dicom.request import ExportDicomRequest
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_regions import read_regions
from MedUSISLib.imaging.reading import read_volume

pytest.importorskip("highdicom")


def export(folder: Path, change: Any, enhanced: bool = False) -> Path:
    write_result(folder / "result", write_ct(folder / "ct", OBLIQUE, change))
    request = ExportDicomRequest(
        result=folder / "result", source=folder / "ct", out=folder / "out", enhanced=enhanced, deidentify=False
    )
    export_dicom(request)
    return folder / "out"


def turned(k: int, ds: Any) -> None:
    """As some scanners and resamplers write directions: the last digits differ from slice to slice."""
    if k % 2:
        ds.ImageOrientationPatient = [f"{float(value) + 3e-7:.9f}" for value in ds.ImageOrientationPatient]


@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
def test_directions_that_differ_in_their_last_digits_are_one(tmp_path: Path, enhanced: bool) -> None:
    out = export(tmp_path, turned, enhanced)
    ct = read_volume(tmp_path / "ct")
    mr = read_volume(out / ("mr.dcm" if enhanced else "mr-0001.dcm"), role="the MR")
    assert mr.geometry.same_grid(ct.geometry, 1e-4)
    labels = read_volume(tmp_path / "result" / "labels.nii.gz").array_kji
    for number, region in enumerate(read_regions(out / "labels.dcm", "SEG", ct).regions, start=1):
        assert np.array_equal(region.mask(), labels == number)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "FrameOfReferenceUID"])
def test_slices_of_several_studies_are_refused(tmp_path: Path, keyword: str) -> None:
    with pytest.raises(MedUSISError) as caught:
        export(tmp_path, lambda k, ds: setattr(ds, keyword, f"1.2.3.{k // 5}"))
    assert caught.value.code is ErrorCode.INPUT_NOT_READABLE and "several studies or frames" in caught.value.message
    assert not (tmp_path / "out").exists()


def untidy(k: int, ds: Any) -> None:
    ds.SpacingBetweenSlices, ds.BodyPartExamined = "-4", "a head, perhaps, or a neck"
    del ds.PatientPosition


@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
def test_what_an_mr_may_not_say_is_not_taken_over(tmp_path: Path, enhanced: bool) -> None:
    for path in export(tmp_path, untidy, enhanced).glob("*.dcm"):
        ds = pydicom.dcmread(path)
        assert ds.BodyPartExamined == "HEAD"
        if ds.Modality == "MR":
            assert ds.PatientPosition == "" and float(ds.get("SpacingBetweenSlices", 4)) == 4
