"""A result as DICOM lies on its CT, keeps its values, says what it is - and is refused when it is of another CT."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_example import (
    NOTICE,
    SECRETS,
    back_again,
    identity,
    maps_on,
    turned_volume,
    write_ct,
    write_result,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from imaging_phantom import geometry_about, rotation
from test_imaging_dicom import OBLIQUE, STRAIGHT, ct_on, write_series

from MedUSISLib.dicom.export import ExportedDicom, export_dicom
from MedUSISLib.dicom.quantisation import STEPS, Quantisation
from MedUSISLib.dicom.request import ExportDicomRequest
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.progress import Progress

hd = pytest.importorskip("highdicom")


def export(folder: Path, out: str = "dicom", progress: Progress | None = None, **options: Any) -> ExportedDicom:
    values = {"result": folder / "result", "source": folder / "ct", "out": folder / out} | options
    return export_dicom(ExportDicomRequest.model_validate(values), progress)


def refused(folder: Path, code: ErrorCode, *words: str, **options: Any) -> MedUSISError:
    with pytest.raises(MedUSISError) as caught:
        export(folder, **options)
    assert caught.value.code is code
    for word in words:
        assert word in caught.value.message
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert not (folder / "dicom").exists()
    return caught.value


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An oblique CT and its result; ``classic``, ``enhanced`` and ``nobody`` hold exports."""
    folder = tmp_path_factory.mktemp("export")
    ct = write_ct(folder / "ct", OBLIQUE)
    write_result(folder / "result", ct)
    export(folder, "classic")
    export(folder, "enhanced", enhanced=True)
    export(folder, "nobody", deidentify=True)
    return folder


def every_file(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dcm"))


def test_every_map_is_written_once(exported: Path) -> None:
    names = [path.name for path in every_file(exported / "classic")]
    assert names == [
        "labels.dcm", "mask-consistency.dcm", *(f"mr-{k:04d}.dcm" for k in range(1, 9)), "uncertainty.dcm",
    ]  # fmt: skip
    assert [path.name for path in every_file(exported / "enhanced")] == [
        "labels.dcm", "mask-consistency.dcm", "mr.dcm", "uncertainty.dcm",
    ]  # fmt: skip


@pytest.mark.parametrize("out", ["classic", "enhanced", "nobody"])
def test_every_object_says_that_it_is_synthetic(exported: Path, out: str) -> None:
    series = set()
    for path in every_file(exported / out):
        ds = pydicom.dcmread(path)
        assert ds.SeriesDescription.startswith("SYNTHETIC") and len(ds.SeriesDescription) <= 64
        assert ds.ImageComments == NOTICE and ds.SyntheticData == "YES" and ds.BurnedInAnnotation == "NO"
        assert ds.ImageType[0] == "DERIVED"
        equipment = ds.ContributingEquipmentSequence[0]
        assert equipment.ManufacturerModelName == "head-t1w" and "head-t1w 1.0.0" in equipment.SoftwareVersions
        assert NOTICE in equipment.ContributionDescription
        series.add(ds.SeriesInstanceUID)
        if ds.Modality == "MR":
            frames = ds.get("PerFrameFunctionalGroupsSequence")
            told = frames[0].DerivationImageSequence[0].DerivationDescription if frames else ds.DerivationDescription
            assert "generator head-t1w 1.0.0" in told and NOTICE in told and "ab" * 32 in told
    assert len(series) == 4


def test_the_classic_mr_is_a_derived_secondary_series_in_the_study_of_the_ct(exported: Path) -> None:
    ct = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, (exported / "ct").iterdir())}
    used = set()
    for path in (exported / "classic").glob("mr-*.dcm"):
        ds = pydicom.dcmread(path)
        assert ds.Modality == "MR" and list(ds.ImageType[:2]) == ["DERIVED", "SECONDARY"]
        assert ds.SOPClassUID.name == "MR Image Storage"
        source = ct[ds.SourceImageSequence[0].ReferencedSOPInstanceUID]
        used.add(source.SOPInstanceUID)
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientName", "PatientID", "PatientBirthDate",
                        "PatientSex", "StudyDate", "AccessionNumber", "ImagePositionPatient", "PixelSpacing",
                        "ImageOrientationPatient", "PatientPosition", "ReferringPhysicianName"):  # fmt: skip
            assert ds[keyword].value == source[keyword].value, keyword
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID and ds.SOPInstanceUID != source.SOPInstanceUID
        assert "InstitutionName" not in ds and "Serial77" not in str(ds)
    assert used == set(ct)


def test_the_mr_read_back_lies_on_the_ct_with_its_values(exported: Path) -> None:
    ct, mr = read_volume(exported / "ct"), maps_on(OBLIQUE.shape_kji)["mr"]
    ours = read_volume(exported / "classic" / "mr-0001.dcm", role="the MR")
    assert ours.geometry.same_grid(ct.geometry, 1e-6)
    bound = Quantisation.of(float(mr.min()), float(mr.max())).error_bound
    assert bound == 2.5e-5
    assert np.abs(ours.array_kji - mr).max() <= bound + 1e-7
    slices = sorted((exported / "classic").glob("mr-*.dcm"))
    for k, path in enumerate(slices):  # and by those who go by real-world values
        ds = pydicom.dcmread(path)
        mapping = ds.RealWorldValueMappingSequence[0]
        real = ds.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
        assert np.abs(real - mr[k]).max() <= bound + 1e-7
    frames = sitk.ReadImage(str(exported / "enhanced" / "mr.dcm"))
    assert np.abs(sitk.GetArrayFromImage(frames) - mr).max() <= bound + 1e-7
    np.testing.assert_allclose(frames.GetOrigin(), ct.geometry.origin_lps_mm, atol=1e-5)
    np.testing.assert_allclose(frames.GetSpacing(), ct.geometry.spacing_mm, atol=1e-5)
    np.testing.assert_allclose(frames.GetDirection(), ct.geometry.direction, atol=1e-6)


def in_place(volume: Any, ct: Geometry) -> np.ndarray:
    """What highdicom read, every voxel carried to where it lies on the CT: it may count slices the other way."""
    array = np.asarray(volume.array)
    places = np.stack(np.indices(array.shape), axis=-1).reshape(-1, 3)
    ijk = ct.lps_to_index(places @ volume.affine[:3, :3].T + volume.affine[:3, 3])
    assert np.abs(ijk - np.rint(ijk)).max() < 1e-3
    i, j, k = np.rint(ijk).astype(int).T
    result = np.full(ct.shape_kji, np.nan)
    result[k, j, i] = array.ravel()
    return result


@pytest.mark.parametrize("out", ["classic", "enhanced", "nobody"])
def test_uncertainty_keeps_every_digit_in_its_place(exported: Path, out: str) -> None:
    ct = read_volume(exported / "ct")
    volume = hd.imread(str(exported / out / "uncertainty.dcm")).get_volume()
    expected = maps_on(OBLIQUE.shape_kji)["uncertainty"]
    assert np.array_equal(in_place(volume, ct.geometry).astype(np.float32), expected)


def test_segmentations_hold_the_maps_with_codes_of_the_schema(exported: Path) -> None:
    maps = maps_on(OBLIQUE.shape_kji)
    for name, file in (("labels", "labels.dcm"), ("mask_consistency", "mask-consistency.dcm")):
        seg = hd.seg.segread(str(exported / "classic" / file))
        read = in_place(seg.get_volume(combine_segments=True), OBLIQUE)
        assert np.array_equal(read, maps[name])  # every value occurs: numbers and values agree
    seg = hd.seg.segread(str(exported / "classic" / "labels.dcm"))
    first, fourth = seg.get_segment_description(1), seg.get_segment_description(4)
    assert (first.segmented_property_type.value, first.segmented_property_type.scheme_designator) == ("39937001", "SCT")
    assert fourth.segmented_property_type.scheme_designator == "99MEDUSIS"
    assert fourth.segment_label == "Cortical bone"


def test_values_that_do_not_occur_are_no_segments(tmp_path: Path) -> None:
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    maps = maps_on(STRAIGHT.shape_kji)
    maps["labels"] = np.where(maps["labels"] > 7, 9, 0).astype(np.uint8)
    maps["mask_consistency"][:] = 0
    write_result(tmp_path / "result", ct, maps, passes=1)
    done = export(tmp_path)
    assert done.objects == ("mr", "labels")  # no disagreement anywhere, and one pass has no variance
    seg = hd.seg.segread(str(tmp_path / "dicom" / "labels.dcm"))
    assert [seg.get_segment_description(n).segment_label for n in seg.segment_numbers] == ["Cerebral white matter"]
    assert np.array_equal(in_place(seg.get_volume(combine_segments=True), ct.geometry) > 0, maps["labels"] > 0)


# De-identification


def test_deidentified_files_hold_nothing_of_the_patient(exported: Path) -> None:
    ct = pydicom.dcmread(next((exported / "ct").iterdir()))
    uids = [ct.StudyInstanceUID, ct.SeriesInstanceUID, ct.FrameOfReferenceUID, ct.SOPInstanceUID]
    planted = [*SECRETS, "20260102", "101112", "065Y", "Maker", "Scanner"]
    drawn = re.compile(rb"2\.25\.[0-9]+|MEDUSIS-[0-9A-Za-z]+")  # in hundreds of random digits any four occur by chance
    files = every_file(exported / "nobody")
    for path in files:
        content = path.read_bytes()
        assert not [uid for uid in uids if uid.encode() in content], path.name
        assert not [secret for secret in planted if secret.encode() in drawn.sub(b"", content)], path.name
        ds = pydicom.dcmread(path)
        assert ds.PatientIdentityRemoved == "YES" and ds.LongitudinalTemporalInformationModified == "REMOVED"
        assert ds.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert ds.PatientID.startswith("MEDUSIS-") and ds.PatientBirthDate == "" and ds.StudyDate == ""
        dates = [e.value for e in ds.iterall() if e.VR in ("DA", "DT") and e.value not in ("", None)]
        assert set(dates) <= {"19000101"}
    together = {(ds.StudyInstanceUID, ds.FrameOfReferenceUID, ds.PatientID) for ds in map(pydicom.dcmread, files)}
    assert len(together) == 1


def test_deidentified_series_are_where_the_others_are(exported: Path) -> None:
    one, other = (read_volume(exported / out / "mr-0001.dcm", role="the MR") for out in ("classic", "nobody"))
    assert one.geometry == other.geometry and np.array_equal(one.array_kji, other.array_kji)


# Geometry


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])  # shrinking takes minutes
@given(data=st.data())
def test_any_series_lies_on_its_ct(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Oblique, flipped, anisotropic, a single slice; files in no order; results with other axes than the series."""
    angles = tuple(data.draw(st.floats(-1.5, 1.5)) for _ in range(3))
    axes = rotation(angles) @ np.diag([data.draw(st.sampled_from([1, -1])) for _ in range(3)])
    size = tuple(data.draw(st.integers(2, 6)) for _ in range(2)) + (data.draw(st.integers(1, 5)),)
    spacing = tuple(data.draw(st.floats(0.4, 6.0)) for _ in range(3))
    folder = tmp_path_factory.mktemp("any")
    try:
        ct = write_ct(folder / "ct", geometry_about((12, -34, 56), size, spacing, axes))
        # a converter turns axes round: the same voxels, counted in another order
        flips = [data.draw(st.sampled_from([1, -1])) for _ in range(3)]
        order = data.draw(st.permutations([0, 1, 2]))
        turned = turned_volume(ct, order, flips)
        maps = maps_on(turned.array_kji.shape)
        write_result(folder / "result", turned, maps)
        export(folder)
        back = read_volume(folder / "dicom" / "mr-0001.dcm", role="the MR")
        assert back.geometry.same_grid(ct.geometry, 1e-5)
        expected = back_again(maps["mr"], order, flips)
        assert np.abs(back.array_kji - expected).max() <= 2.6e-5
        if size[2] > 1:
            volume = hd.imread(str(folder / "dicom" / "uncertainty.dcm")).get_volume()
            expected = back_again(maps["uncertainty"], order, flips)
            assert np.array_equal(in_place(volume, ct.geometry).astype(np.float32), expected)
    finally:
        shutil.rmtree(folder)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    ct = write_ct(tmp_path / "straight", STRAIGHT)
    write_result(tmp_path / "result", ct)

    def tilt(k: int, ds: Any) -> None:
        position = [float(v) for v in ds.ImagePositionPatient]
        ds.ImagePositionPatient = [position[0], position[1] + 1.5 * k, position[2]]

    write_series(tmp_path / "ct", ct_on(STRAIGHT), change=tilt)
    refused(tmp_path, ErrorCode.GEOMETRY_MISMATCH, "tilted")


# What does not belong together


def test_a_result_of_another_grid_is_refused(tmp_path: Path) -> None:
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    shift = np.asarray(STRAIGHT.origin_lps_mm) + (1.5, 0, 0)  # one whole voxel: the grids coincide, the boxes do not
    moved = Geometry(STRAIGHT.size_ijk, STRAIGHT.spacing_mm, tuple(shift), STRAIGHT.direction)
    write_result(tmp_path / "result", ct, geometry=moved)
    refused(tmp_path, ErrorCode.GEOMETRY_MISMATCH, "not the same ones")
    shutil.rmtree(tmp_path / "result")
    write_result(tmp_path / "result", ct, {"mr": np.zeros((8, 12, 15), np.float32)}, cropped(ct.geometry))
    refused(tmp_path, ErrorCode.GEOMETRY_MISMATCH, "(15, 12, 8)", "(16, 12, 8)")


def cropped(geometry: Geometry) -> Geometry:
    return Geometry((15, 12, 8), geometry.spacing_mm, geometry.origin_lps_mm, geometry.direction)


def test_another_reconstruction_in_the_same_place_is_refused(tmp_path: Path) -> None:
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    write_result(tmp_path / "result", ct.with_array(ct.array_kji + np.int16(1)))
    refused(tmp_path, ErrorCode.BAD_SETTING, "not made from this CT series")


def test_results_from_before_the_hash_of_values_are_recognised_by_that_of_voxels(tmp_path: Path) -> None:
    from MedUSISLib.synthesis.inputs import voxel_sha256

    ct = write_ct(tmp_path / "ct", STRAIGHT)
    write_result(tmp_path / "result", ct, inputs={"ct": {"voxels_sha256": voxel_sha256(ct)}})
    assert export(tmp_path).objects[0] == "mr"
    shutil.rmtree(tmp_path / "result")
    shutil.rmtree(tmp_path / "dicom")
    write_result(tmp_path / "result", ct, inputs={})
    refused(tmp_path, ErrorCode.BAD_SETTING, "not made from this CT series")


def test_a_folder_that_is_no_result_and_a_series_that_is_no_ct_are_refused(tmp_path: Path) -> None:
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    refused(tmp_path, ErrorCode.INPUT_NOT_READABLE, "provenance.json")
    write_result(tmp_path / "result", ct)
    write_ct(tmp_path / "mr", STRAIGHT, modality="MR")
    refused(tmp_path, ErrorCode.NOT_A_CT, "modality MR", source=tmp_path / "mr")


# The output folder


def test_foreign_files_stay_and_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ct = write_ct(tmp_path / "ct", STRAIGHT)
    write_result(tmp_path / "result", ct)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    refused(tmp_path, ErrorCode.BAD_SETTING, "did not write", out=tmp_path / "other")
    refused(tmp_path, ErrorCode.BAD_SETTING, "folder of the CT series", out=tmp_path / "ct" / "new", overwrite=True)
    refused(tmp_path, ErrorCode.BAD_SETTING, "folder of the result", out=tmp_path / "result", overwrite=True)
    before = sorted(path.name for path in tmp_path.iterdir())
    written = []

    def full(self: Any, path: Path, **_: Any) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("pydicom.dataset.Dataset.save_as", full)
    refused(tmp_path, ErrorCode.DISK_FULL)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    monkeypatch.undo()
    assert export(tmp_path, "other", overwrite=True).files == 11
    assert (tmp_path / "other" / "mine.txt").read_text() == "mine"
    assert export(tmp_path, "other", enhanced=True, overwrite=True).files == 4
    assert len(every_file(tmp_path / "other")) == 4  # the earlier export's files are gone


def test_values_against_the_standard_pass_and_nothing_of_the_patient_is_printed(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """What highdicom would refuse or pydicom quote: a sex, a date, a time, a name and a thickness as real CTs have."""
    odd = {"PatientBirthDate": ("DA", b"1961.02.03"), "PatientSex": ("CS", b"W "), "StudyTime": ("TM", b"25:61:00")}

    def careless(k: int, ds: Any) -> None:
        ds.PatientName = "Mueller"
        del ds.SliceThickness
        for keyword, (vr, value) in odd.items():
            tag = pydicom.tag.Tag(keyword)
            ds._dict[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)

    settings_of = pydicom.config.settings
    with pytest.MonkeyPatch.context() as patch:
        for mode in ("reading_validation_mode", "writing_validation_mode"):
            patch.setattr(settings_of, mode, pydicom.config.IGNORE)
        ct = write_ct(tmp_path / "ct", STRAIGHT, careless)
    before = settings_of.reading_validation_mode
    write_result(tmp_path / "result", ct)
    capfd.readouterr()
    recwarn.clear()
    caplog.set_level("INFO")
    export(tmp_path)
    instance = pydicom.dcmread(next((tmp_path / "ct").iterdir())).SOPInstanceUID
    shown = "".join(capfd.readouterr()) + caplog.text + "".join(str(w.message) for w in recwarn)
    assert not [secret for secret in (*SECRETS, "1961.02.03", "25:61", instance[:40]) if secret in shown]
    assert settings_of.reading_validation_mode == before
    for path in every_file(tmp_path / "dicom"):
        assert (pydicom.dcmread(path).PatientSex, pydicom.dcmread(path).PatientName) == ("W", "Mueller")


# Values

_VALUES = st.floats(-1e6, 1e6).map(lambda value: 0.0 if abs(value) < 1e-6 else value)


@given(_VALUES, _VALUES, st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_no_value_is_off_by_more_than_the_stated_bound(one: float, other: float, parts: list[float]) -> None:
    low, high = sorted((one, other))
    q = Quantisation.of(low, high)
    values = low + (high - low) * np.asarray(parts)
    stored = q.stored(values).astype(float)
    assert stored.max() <= STEPS
    scale = max(abs(low), abs(high))
    assert np.abs(stored * q.slope + q.intercept - values).max() <= q.error_bound * (1 + 1e-9) + 1e-12 * scale
    assert q.slope >= 1e-30 and len(f"{q.slope!r}") <= 16
    assert (max(high, 0) - min(low, 0)) / q.slope >= STEPS / 2.6 or q.slope == 1.0  # no step is wasted
    zero = q.stored(np.zeros(1)) * q.slope + q.intercept
    assert zero[0] == 0.0 or abs(zero[0]) < 1e-9 * scale


# The whole way


def test_what_the_engine_makes_of_a_series_goes_back_into_its_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: DICOM CT, synthesis with a tiny generator, DICOM MR; and through NIfTI with other axes."""
    from tiny_generator import head_phantom, tiny_bundle

    from MedUSISLib.imaging.writing import write_volume
    from MedUSISLib.synthesis.engine import synthesize
    from MedUSISLib.synthesis.request import SynthesisRequest
    from MedUSISLib.synthesis.second_look import SecondLook

    nothing = MedUSISError(ErrorCode.INTERNAL, "not wanted in this test")
    monkeypatch.setattr("MedUSISLib.synthesis.report.write_report", lambda result, path: path.write_text("report"))
    monkeypatch.setattr("MedUSISLib.synthesis.engine.look_again", lambda *_: SecondLook(None, nothing))
    ct, labels = head_phantom(geometry_about((4, 5, 6), (40, 36, 10), (5.0, 5.0, 15.0)))
    write_series(tmp_path / "ct", ct.with_array(np.rint(ct.array_kji).astype(np.int16)), change=identity)
    read = read_volume(tmp_path / "ct")
    order, flips = [0, 1, 2], [1, -1, 1]  # as dcm2niix turns the rows
    write_volume(turned_volume(read, order, flips), tmp_path / "ct.nii.gz")
    write_volume(labels, tmp_path / "seg.nrrd")
    generator = tiny_bundle(tmp_path / "tiny").directory
    written = {}
    for name, source in (("dicom", tmp_path / "ct"), ("nifti", tmp_path / "ct.nii.gz")):
        synthesize(
            SynthesisRequest(
                ct=source, segmentation=tmp_path / "seg.nrrd", labels="head", generator=str(generator),
                out=tmp_path / name, passes=1, device="cpu",
            )
        )  # fmt: skip
        export(tmp_path, f"{name}-out", result=tmp_path / name)
        written[name] = read_volume(tmp_path / f"{name}-out" / "mr-0001.dcm", role="the MR")
        made = read_volume(tmp_path / name / "mr.nii.gz").array_kji
        expected = made if name == "dicom" else back_again(made, order, flips)
        assert np.abs(written[name].array_kji - expected).max() <= 1e-4
    assert written["dicom"].geometry.same_grid(written["nifti"].geometry, 1e-9)
    assert written["dicom"].array_kji.max() > 0


def test_the_command_writes_the_files_and_tells_the_bound(exported: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from MedUSISLib.cli.main import app

    arguments = ["dicom", "export", str(exported / "result"), "--source", str(exported / "ct"), "--out"]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "out"), "--json-events"])
    assert done.exit_code == 0, done.output
    last = json.loads(done.output.strip().splitlines()[-1])
    assert last["summary"]["files"] == 11 and last["summary"]["error_bound"] == 2.5e-5
    assert not any(secret in done.output for secret in SECRETS)
