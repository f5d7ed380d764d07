"""Folders of DICOM slices: right order and place, or a named error for every way in which they are no stack."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from imaging_phantom import geometry_about, phantom, rotation
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_series import list_series
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume

OBLIQUE = geometry_about((12, -34, 56), (16, 12, 8), (1.5, 2.0, 4.0), rotation((0.2, 0.1, -0.3)))
STRAIGHT = geometry_about((12, -34, 56), (16, 12, 8), (1.5, 2.0, 4.0))


def ct_on(geometry: Geometry = STRAIGHT) -> Volume:
    volume = phantom(geometry)
    return volume.with_array(np.rint(volume.array_kji).astype(np.int16))


def write_series(folder, volume: Volume, *, change=None, series_uid=None, modality="CT", number=2, intercept=-1024.0):
    """One file per slice, in names that sort in no useful order; ``change(k, dataset)`` may spoil or drop it."""
    folder.mkdir(parents=True, exist_ok=True)
    geometry = volume.geometry
    uid = series_uid or generate_uid()
    study, frame = generate_uid(), generate_uid()
    order = np.random.default_rng(0).permutation(geometry.size_ijk[2])
    for k in range(geometry.size_ijk[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.SeriesInstanceUID, ds.StudyInstanceUID, ds.FrameOfReferenceUID = uid, study, frame
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, number, int(order[k]) + 1
        ds.PatientName, ds.PatientID = "Mueller^Hans", "4711"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Rows, ds.Columns = geometry.size_ijk[1], geometry.size_ijk[0]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.PixelSpacing = [f"{geometry.spacing_mm[1]:.6f}", f"{geometry.spacing_mm[0]:.6f}"]
        ds.SliceThickness = f"{geometry.spacing_mm[2]:.4f}"
        ds.ImageOrientationPatient = [f"{v:.9f}" for v in (*geometry.axes[:, 0], *geometry.axes[:, 1])]
        ds.ImagePositionPatient = [f"{v:.6f}" for v in geometry.index_to_lps([(0, 0, k)])[0]]
        ds.RescaleSlope, ds.RescaleIntercept = "1", f"{intercept:g}"
        ds.PixelData = (volume.array_kji[k].astype(np.int32) - int(intercept)).astype(np.int16).tobytes()
        if change is None or change(k, ds) is not False:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ds.save_as(folder / f"Mueller_{order[k]:03d}.dcm", enforce_file_format=True)
    return folder


def refusal(folder, code: ErrorCode, *words: str) -> MedUSISError:
    with pytest.raises(MedUSISError) as caught:
        read_volume(folder)
    assert caught.value.code is code
    assert "Mueller" not in str(caught.value)
    for word in words:
        assert word in caught.value.message
    return caught.value


@pytest.mark.parametrize("geometry", [STRAIGHT, OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("reverse", [False, True])
def test_slices_are_sorted_by_position(tmp_path, geometry, reverse):
    ct = ct_on(geometry)
    if reverse:  # the same stack, numbered from the other end
        flipped = geometry.axes @ np.diag([1, 1, -1])
        geometry = geometry_about(geometry.centre_lps, geometry.size_ijk, geometry.spacing_mm, flipped)
        ct = Volume(ct.array_kji[::-1], geometry)
    volume = read_volume(write_series(tmp_path / "Bilder ü", ct))
    assert volume.array_kji.dtype == np.int16
    expected = ct.array_kji[::-1] if reverse else ct.array_kji
    assert np.array_equal(volume.array_kji, expected)
    assert volume.geometry.same_grid(OBLIQUE if geometry.axes[0, 1] else STRAIGHT, 1e-3)
    assert volume.meta["modality"] == "CT"
    assert "Mueller" not in str(volume.meta)


def test_simpleitk_reads_the_same_volume(tmp_path):
    folder = write_series(tmp_path / "s", ct_on(OBLIQUE))
    volume = read_volume(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    assert np.array_equal(sitk.GetArrayFromImage(image), volume.array_kji)
    np.testing.assert_allclose(image.GetOrigin(), volume.geometry.origin_lps_mm, atol=1e-4)
    np.testing.assert_allclose(image.GetSpacing(), volume.geometry.spacing_mm, atol=1e-4)
    np.testing.assert_allclose(image.GetDirection(), volume.geometry.direction, atol=1e-5)


def test_one_slice_alone_and_one_file_of_a_series(tmp_path):
    folder = write_series(tmp_path / "one", ct_on(), change=lambda k, ds: k == 3)
    volume = read_volume(folder)
    assert volume.array_kji.shape == (1, 12, 16)
    assert volume.geometry.spacing_mm == (1.5, 2.0, 4.0)
    folder = write_series(tmp_path / "all", ct_on())
    assert read_volume(sorted(folder.iterdir())[2]).array_kji.shape == (8, 12, 16)


def test_slices_in_sub_folders_and_other_files_between(tmp_path):
    folder = write_series(tmp_path / "disc" / "A" / "B", ct_on())
    (tmp_path / "disc" / "readme.txt").write_text("viewer")
    (folder / "report.pdf").write_bytes(b"%PDF")
    assert read_volume(tmp_path / "disc").array_kji.shape == (8, 12, 16)


@pytest.mark.parametrize("gone", [(3,), (2, 3), (1, 5)])
def test_missing_slices_are_counted(tmp_path, gone):
    folder = write_series(tmp_path / "s", ct_on(), change=lambda k, ds: k not in gone)
    refusal(folder, ErrorCode.GEOMETRY_MISMATCH, f"misses about {len(gone)} slices", "4 mm")


def moved(offset_of):
    def change(k, ds):
        ds.ImagePositionPatient = [float(p) + o for p, o in zip(ds.ImagePositionPatient, offset_of(k), strict=True)]

    return change


def test_uneven_slices_are_refused(tmp_path):
    folder = write_series(tmp_path / "s", ct_on(), change=moved(lambda k: (0, 0, 1.2 if k >= 4 else 0)))
    refusal(folder, ErrorCode.GEOMETRY_MISMATCH, "uneven")


def test_rounded_positions_are_not_uneven(tmp_path):
    folder = write_series(tmp_path / "s", ct_on(), change=moved(lambda k: (0, 0, 0.05 * (-1) ** k)))
    assert read_volume(folder).geometry.spacing_mm[2] == pytest.approx(4.0, abs=0.02)


def test_a_tilted_gantry_is_refused_with_its_angle(tmp_path):
    shift = 4.0 * np.tan(np.radians(15))
    folder = write_series(tmp_path / "s", ct_on(), change=moved(lambda k: (0, shift * k, 0)))
    refusal(folder, ErrorCode.GEOMETRY_MISMATCH, "tilted by 15.0 degrees")


def test_two_images_at_one_place_are_refused(tmp_path):
    folder = write_series(tmp_path / "s", ct_on(), series_uid="1.2.3")
    for path in list(folder.iterdir())[:3]:
        shutil.copy(path, folder / f"second_{path.name}")
    refusal(folder, ErrorCode.GEOMETRY_MISMATCH, "3 slices at a place where there is one already")


def test_slices_of_different_kind_are_refused(tmp_path):
    def turned(k, ds):
        if k == 5:
            ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    def zoomed(k, ds):
        if k == 5:
            ds.PixelSpacing = [1, 1]

    refusal(write_series(tmp_path / "a", ct_on(), change=turned), ErrorCode.GEOMETRY_MISMATCH, "direction")
    refusal(write_series(tmp_path / "b", ct_on(), change=zoomed), ErrorCode.GEOMETRY_MISMATCH, "pixel spacing")


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_slices_without_a_place_are_refused(tmp_path, tag):
    def without(k, ds):
        delattr(ds, tag)

    refusal(write_series(tmp_path / "s", ct_on(), change=without), ErrorCode.GEOMETRY_MISMATCH, "without position")


def test_the_ct_is_found_among_other_modalities_and_localizers(tmp_path):
    write_series(tmp_path / "s", ct_on())

    def localizer(k, ds):
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        return k == 0

    scout = write_series(tmp_path / "scout", ct_on(OBLIQUE), change=localizer)
    pet = write_series(tmp_path / "pet", ct_on(), modality="PT", number=3)
    for source in (scout, pet):
        for path in source.iterdir():
            shutil.copy(path, tmp_path / "s" / f"{source.name}_{path.name}")
    assert np.array_equal(read_volume(tmp_path / "s").array_kji, ct_on().array_kji)
    assert [(info.modality, info.slices) for info in list_series(tmp_path / "s")] == [("CT", 8), ("PT", 8)]


def test_two_ct_series_are_listed_not_chosen(tmp_path):
    for number in (2, 7):
        folder = write_series(tmp_path / str(number), ct_on(), number=number)
        for path in folder.iterdir():
            (tmp_path / "both").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "both" / f"{number}_{path.name}")
    refusal(tmp_path / "both", ErrorCode.INPUT_NOT_READABLE, "2 series", "series 2 (CT, 8 slices)", "series 7")


def test_a_slice_cut_short_is_unreadable(tmp_path):
    folder = write_series(tmp_path / "s", ct_on())
    path = sorted(folder.iterdir())[4]
    path.write_bytes(path.read_bytes()[:-200])
    refusal(folder, ErrorCode.INPUT_NOT_READABLE, "pixels")


def test_colour_series_are_refused(tmp_path):
    def colour(k, ds):
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "RGB"

    refusal(write_series(tmp_path / "s", ct_on(), change=colour), ErrorCode.INPUT_NOT_READABLE, "colour")


def test_multi_frame_files_are_refused_by_name(tmp_path):
    def multi_frame(k, ds):
        ds.NumberOfFrames = 8
        return k == 0

    refusal(write_series(tmp_path / "s", ct_on(), change=multi_frame), ErrorCode.INPUT_NOT_READABLE, "multi-frame")


def test_a_real_slice_of_pydicom_is_read():
    from pydicom.data import get_testdata_file

    path = get_testdata_file("CT_small.dcm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        volume = read_volume(path)
        original = pydicom.dcmread(path)
    expected = original.pixel_array * float(original.RescaleSlope) + float(original.RescaleIntercept)
    assert np.array_equal(volume.array_kji[0], expected)
