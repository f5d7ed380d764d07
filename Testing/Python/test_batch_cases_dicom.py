"""CTs and segmentations in exports of a PACS: series sorted out, objects matched by what they refer to."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from batch_tree import codes, grid, pairs, write
from dicom_example import box, loop_on, turned_volume, write_rtstruct
from enhanced_ct import write_enhanced
from pydicom import Dataset
from pydicom.uid import generate_uid
from test_imaging_dicom import write_series

from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress

GRID = Geometry((8, 7, 6), (2.0, 2.0, 3.0), (-7.3, -6.1, 40.5))


class One:
    """Writes the series of one study."""

    def __init__(self, root: Path, grid: Geometry = GRID) -> None:
        self.root, self.grid = root, grid
        self.study, self.frame = generate_uid(), generate_uid()

    def series(self, folder: str, change: Callable | None = None, slices: int = 6, modality: str = "CT") -> str:
        """A series in a folder below the root; returns its UID."""
        uid = generate_uid()

        def both(k: int, ds: Any) -> Any:
            ds.StudyInstanceUID, ds.FrameOfReferenceUID = self.study, self.frame
            return False if k >= slices else change(k, ds) if change else None

        array = np.random.default_rng(0).integers(-900, 900, self.grid.shape_kji).astype(np.int16)
        before = set((self.root / folder).glob("*")) if (self.root / folder).is_dir() else set()
        parking = self.root / "parking"
        write_series(parking, Volume(array, self.grid), change=both, series_uid=uid, modality=modality)
        (self.root / folder).mkdir(parents=True, exist_ok=True)
        for path in parking.iterdir():
            path.rename(self.root / folder / f"IM{len(before):04d}{path.stem[-3:]}")
        parking.rmdir()
        return uid

    def structures(self, name: str, series: str | None, **options: Any) -> None:
        """An RTSTRUCT that refers to a series."""
        path = self.root / name
        loops = {"Brain": [loop_on(GRID, k, box(1, 5, 1, 5)) for k in range(4)]}
        write_rtstruct(path, Volume(np.zeros(GRID.shape_kji, np.int16), GRID), loops, frame=self.frame)
        ds = pydicom.dcmread(path)
        ds.StudyInstanceUID = self.study
        frame, study, referred = Dataset(), Dataset(), Dataset()
        frame.FrameOfReferenceUID = self.frame
        if series is not None:
            referred.SeriesInstanceUID = series
            study.RTReferencedSeriesSequence = [referred]
            frame.RTReferencedStudySequence = [study]
        ds.ReferencedFrameOfReferenceSequence = [frame]
        for key, value in options.items():
            setattr(ds, key, value)
        ds.save_as(path)


def by_series(root: Path) -> dict[str, str | None]:
    """Segmentation by the UID of the CT's series."""
    found = find_cases(root)
    matched = pairs(found, root)
    return {case.ct_series or "": matched[case.key] for case in found.cases}


def test_an_export_is_sorted_out(tmp_path: Path) -> None:
    """Everything of one study in one folder without suffixes, as a CD has it."""
    study = One(tmp_path)
    soft, bone = study.series("DICOM"), study.series("DICOM")
    study.series("DICOM", slices=2)
    study.series("DICOM", lambda k, ds: setattr(ds, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), slices=1)
    study.series("DICOM", lambda k, ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"))
    study.series("DICOM", lambda k, ds: setattr(ds, "NumberOfFrames", 4), slices=1)
    study.series("DICOM", modality="MR")
    study.series("DICOM", lambda k, ds: setattr(ds, "SeriesDescription", "SYNTHETIC MR head-t1w"), modality="MR")
    study.structures("DICOM/rs", bone)
    (tmp_path / "DICOM" / "broken.dcm").write_bytes(b"no DICOM at all")
    assert by_series(tmp_path) == {soft: None, bone: "DICOM/rs"}
    found = find_cases(tmp_path)
    assert found.kind == "dicom" and all(case.ct.name == "DICOM" for case in found.cases)
    assert sorted(problem.code for problem in found.problems) == [
        "FEW_SLICES", "LOCALIZER", "MULTI_FRAME", "NOT_A_CT", "NOT_DICOM", "NOT_GREY", "SYNTHETIC",
    ]  # fmt: skip
    assert not any("Mueller" in str(problem) or "4711" in str(problem) for problem in found.problems)


def test_the_series_of_a_case_is_read_from_its_folder(tmp_path: Path) -> None:
    from MedUSISLib.batch.request import BatchRequest
    from MedUSISLib.synthesis.request import SynthesisRequest

    study = One(tmp_path)
    first, second = study.series("all"), study.series("all", lambda k, ds: setattr(ds, "RescaleIntercept", "-1000"))
    low = {}
    for case in find_cases(tmp_path).cases:
        request = BatchRequest(input=tmp_path, out=tmp_path / "o").synthesis(
            case.ct, tmp_path / "seg.nii.gz", tmp_path / "o" / "1", None, case.ct_series
        )
        assert isinstance(request, SynthesisRequest) and case.ct_series not in str(request.settings())
        low[case.ct_series] = int(read_volume(request.ct, series_uid=request.ct_series or "").array_kji.min())
    assert low[second] == low[first] + 24


def test_several_studies_with_folders_of_their_own(tmp_path: Path) -> None:
    uids = {}
    for name in ("A/1", "A/2", "B/1"):
        study = One(tmp_path / name)
        uids[study.series("SE1")] = f"{name}/SE2/rs.dcm"
        study.structures("SE2/rs.dcm", list(uids)[-1])
    assert by_series(tmp_path) == uids
    assert not find_cases(tmp_path).problems


def test_a_series_in_folders_side_by_side_is_one_case(tmp_path: Path) -> None:
    uid = One(tmp_path).series("S/1")
    (tmp_path / "S" / "2").mkdir()
    for path in sorted((tmp_path / "S" / "1").iterdir())[::2]:
        path.rename(tmp_path / "S" / "2" / path.name)
    (case,) = find_cases(tmp_path).cases
    assert case.ct == (tmp_path / "S").resolve() and case.ct_series == uid
    assert read_volume(case.ct, series_uid=uid).array_kji.shape == GRID.shape_kji
    (tmp_path / "S" / "2" / "in").mkdir()
    for path in sorted((tmp_path / "S" / "2").glob("IM*"))[:1]:
        path.rename(tmp_path / "S" / "2" / "in" / path.name)
    for path in (tmp_path / "S" / "1").iterdir():
        path.rename(tmp_path / "S" / "2" / path.name)
    (case,) = find_cases(tmp_path).cases
    assert case.ct == (tmp_path / "S" / "2").resolve() and case.ct_series == uid
    assert read_volume(case.ct, series_uid=uid).array_kji.shape == GRID.shape_kji
    (tmp_path / "far").mkdir()
    (tmp_path / "S" / "2" / "in").rename(tmp_path / "far" / "in")
    try:
        (tmp_path / "S" / "2" / "in").symlink_to(tmp_path / "far" / "in")
    except OSError:
        return
    found = find_cases(tmp_path / "S")  # the reader follows no links
    assert not found.cases and codes(found) == {"2": "SCATTERED_SERIES"}


def test_a_ct_in_one_file_of_many_frames_is_a_case(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-900, 900, GRID.shape_kji).astype(np.int16)
    ct = Volume(array, GRID)
    write_enhanced(tmp_path / "A" / "ct" / "IM1", ct, order=[2, 0, 1, 5, 4, 3])
    write_volume(Volume(np.ones(GRID.shape_kji, np.uint8), GRID), tmp_path / "A" / "seg.nii.gz")
    write_enhanced(tmp_path / "B" / "IM2", ct, sop_class="1.2.840.10008.5.1.4.1.1.2")
    found = find_cases(tmp_path)
    (case,) = found.cases
    assert pairs(found, tmp_path) == {case.key: "A/seg.nii.gz"}
    assert np.array_equal(read_volume(case.ct, series_uid=case.ct_series or "").array_kji, array)
    assert codes(found) == {"B": "MULTI_FRAME"}


def test_slices_that_an_anonymiser_gave_one_uid_are_no_copies(tmp_path: Path) -> None:
    one, same = One(tmp_path), generate_uid()
    one.series("P1", lambda k, ds: setattr(ds, "SOPInstanceUID", same))
    shutil.copytree(tmp_path / "P1", tmp_path / "P1 again")
    found = find_cases(tmp_path)
    assert [case.ct.name for case in found.cases] == ["P1"] and codes(found) == {"P1 again": "DUPLICATE"}
    assert read_volume(found.cases[0].ct, series_uid=found.cases[0].ct_series or "").array_kji.shape == GRID.shape_kji


def test_what_is_there_twice_counts_once(tmp_path: Path) -> None:
    study = One(tmp_path)
    uid = study.series("a/ct")
    study.structures("a/rs.dcm", uid)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert by_series(tmp_path) == {uid: "a/rs.dcm"}
    assert codes(find_cases(tmp_path)) == {"b": "DUPLICATE", "b/ct": "DUPLICATE"}


def test_a_frame_of_reference_is_enough_where_it_leaves_no_choice(tmp_path: Path) -> None:
    one, two = One(tmp_path / "one"), One(tmp_path / "two")
    alone = one.series("ct")
    one.structures("rs.dcm", generate_uid())
    two.series("ct")
    two.series("ct")
    two.structures("rs.dcm", None)
    found = find_cases(tmp_path)
    assert {case.ct_series: case.segmentation is not None for case in found.cases}[alone]
    assert sum(case.segmentation is not None for case in found.cases) == 1
    assert codes(found) == {"one/rs.dcm": "PAIRED_BY_FRAME", "two/rs.dcm": "SEVERAL_CTS"}


def test_objects_of_another_image_are_told(tmp_path: Path) -> None:
    study = One(tmp_path)
    ct, mr = study.series("ct"), study.series("mr", modality="MR")
    study.structures("of_mr.dcm", mr)
    One(tmp_path).structures("of_nothing.dcm", generate_uid())
    assert by_series(tmp_path) == {ct: None}
    assert codes(find_cases(tmp_path)) == {
        "mr": "NOT_A_CT",
        "of_mr.dcm": "OTHER_IMAGE",
        "of_nothing.dcm": "OTHER_IMAGE",
    }


def test_of_several_objects_the_approved_one_counts(tmp_path: Path) -> None:
    study = One(tmp_path)
    uid = study.series("ct")
    study.structures("a.dcm", uid)
    study.structures("b.dcm", uid)
    assert by_series(tmp_path) == {}
    several = {"ct": "SEVERAL_SEGMENTATIONS", "a.dcm": "ONE_OF_SEVERAL", "b.dcm": "ONE_OF_SEVERAL"}
    assert codes(find_cases(tmp_path)) == several
    study.structures("c.dcm", uid, ApprovalStatus="APPROVED")
    assert by_series(tmp_path) == {uid: "c.dcm"}


def test_a_seg_is_matched_by_the_series_that_it_names(tmp_path: Path) -> None:
    """A SEG names its series at the top, an RTSTRUCT within its frames of reference."""
    study = One(tmp_path)
    first, second = study.series("DICOM"), study.series("DICOM")
    referred = Dataset()
    referred.SeriesInstanceUID = second
    study.structures(
        "seg", None, Modality="SEG", ReferencedSeriesSequence=[referred], ReferencedFrameOfReferenceSequence=[]
    )
    assert by_series(tmp_path) == {first: None, second: "seg"}
    assert not find_cases(tmp_path).problems


def test_a_label_map_beside_a_series_is_its_segmentation(tmp_path: Path) -> None:
    uid = One(tmp_path).series("Meier/CT")
    write(tmp_path, "Meier/seg.nii.gz", geometry=grid(7))
    assert by_series(tmp_path) == {uid: "Meier/seg.nii.gz"}
    kind = find_cases(tmp_path).kind
    assert kind == "dicom"


def test_label_maps_of_other_names_find_their_series_by_the_grid(tmp_path: Path) -> None:
    """As collections have it: series in folders called by their UIDs, label maps called by people, axes turned."""
    uids = {}
    for number, person in enumerate(("Anna", "Bert")):
        far = Geometry(GRID.size_ijk, GRID.spacing_mm, (-7.3 + 20.77 * number, -6.1, 40.5))
        uid = One(tmp_path / "dicom" / f"1.2.{number}", far).series("1.3.4")
        uids[uid] = f"labels/{person}.nii.gz"
        array = np.zeros(far.shape_kji, np.uint8)
        write_volume(turned_volume(Volume(array, far), [1, 0, 2], [1, -1, -1]), tmp_path / uids[uid])
    assert by_series(tmp_path) == uids
    assert set(codes(find_cases(tmp_path)).values()) == {"PAIRED_BY_GRID"}


def test_a_series_and_its_conversion_are_one_case(tmp_path: Path) -> None:
    """With axes turned as converters do; another image on the same grid is another case."""
    uid = One(tmp_path).series("P1/dicom/CT")
    ct = read_volume(tmp_path / "P1" / "dicom" / "CT")
    write_volume(turned_volume(ct, [1, 0, 2], [-1, 1, -1]), tmp_path / "P1" / "ct.nii.gz")
    write_volume(Volume((ct.array_kji == 7).astype(np.uint8), ct.geometry), tmp_path / "P1" / "seg.nii.gz")
    assert by_series(tmp_path) == {uid: "P1/seg.nii.gz"}
    assert codes(find_cases(tmp_path))["P1/ct.nii.gz"] == "DUPLICATE"
    write_volume(Volume(ct.array_kji + 3, ct.geometry), tmp_path / "P1" / "ct.nii.gz")
    assert by_series(tmp_path) == {uid: "P1/seg.nii.gz", "": "P1/seg.nii.gz"}


@pytest.mark.fault("damaged DICOM headers in the input of a batch")
def test_damaged_headers_cost_their_own_series_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bytes changed, files cut short, a packed header: it is said, nothing is raised, the other series stays."""
    good = One(tmp_path).series("good")
    One(tmp_path).series("bad")
    files = {path: path.read_bytes() for path in sorted((tmp_path / "bad").iterdir())}
    chance = random.Random(5)
    for _ in range(25):
        for path, content in files.items():
            changed = bytearray(content)
            for _ in range(chance.choice([0, 1, 3, 20])):
                changed[chance.randrange(128, len(changed))] = chance.randrange(256)
            path.write_bytes(changed[: chance.choice([len(changed), chance.randrange(200, len(changed))])])
        found = find_cases(tmp_path)
        assert good in {case.ct_series for case in found.cases}
        assert len(found.cases) > 1 or found.problems
        assert not any("Mueller" in str(problem) for problem in found.problems)
    for path, content in files.items():
        path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"))
    assert codes(find_cases(tmp_path)) == {"bad": "NOT_DICOM"}
    assert "Mueller" not in "".join(capfd.readouterr())


def test_what_medusis_exported_is_left_out(tmp_path: Path) -> None:
    """Also when the export lies in the folder of the CT."""
    from dicom_example import write_ct, write_result

    from MedUSISLib.dicom.export import export_dicom
    from MedUSISLib.dicom.request import ExportDicomRequest

    ct = write_ct(tmp_path / "in" / "ct", GRID)
    write_result(tmp_path / "result", ct)
    export_dicom(ExportDicomRequest(result=tmp_path / "result", source=tmp_path / "in/ct", out=tmp_path / "in/sMR"))
    found = find_cases(tmp_path / "in", Progress())
    assert list(pairs(found, tmp_path / "in").values()) == [None], "the labels that it wrote are no input"
    assert set(codes(found).values()) == {"SYNTHETIC"} and len(found.problems) >= 1
