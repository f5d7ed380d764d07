"""Every unusable input ends in a named error that does not repeat its file name."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from imaging_phantom import geometry_about

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

NAME = "Mueller_Hans_19500101"
GRID = geometry_about((0, 0, 0), (6, 5, 4), (1.0, 1.0, 2.0))


def error_of(path, reader=read_volume) -> MedUSISError:
    with pytest.raises(MedUSISError) as caught:
        reader(path)
    error = caught.value
    assert NAME not in str(error)
    assert error.__cause__ is None and error.__suppress_context__ or error.__context__ is None
    assert error.path is not None
    assert str(error).split(": ", 1)[1].startswith("the ")
    return error


def nifti(path, array, affine=None):
    nibabel.save(nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".dcm", ".txt", ""])
def test_empty_and_nonsense_files_are_unreadable(tmp_path, suffix):
    path = tmp_path / f"{NAME}{suffix}"
    path.write_bytes(b"")
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE
    path.write_bytes(b"this is no image at all" * 40)
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE


def test_missing_files_and_folders_without_images_are_unreadable(tmp_path):
    assert error_of(tmp_path / f"{NAME}.nii.gz").code is ErrorCode.INPUT_NOT_READABLE
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing")
    assert error_of(folder).code is ErrorCode.INPUT_NOT_READABLE


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_truncated_files_are_unreadable(tmp_path, suffix):
    rng = np.random.default_rng(0)
    volume = Volume(
        rng.integers(-999, 999, (40, 50, 60)).astype(np.int16), geometry_about((0, 0, 0), (60, 50, 40), (1, 1, 1))
    )
    path = write_volume(volume, tmp_path / f"{NAME}{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE


def test_damaged_gzip_is_unreadable(tmp_path):
    path = nifti(tmp_path / f"{NAME}.nii.gz", np.random.default_rng(0).normal(size=(30, 30, 30)).astype(np.float32))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    path.write_bytes(bytes(data))
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE


def test_time_series_are_refused_and_a_fourth_axis_of_one_is_not(tmp_path):
    path = nifti(tmp_path / f"{NAME}.nii.gz", np.zeros((4, 4, 4, 3), np.int16))
    error = error_of(path)
    assert error.code is ErrorCode.INPUT_NOT_READABLE
    assert "3 volumes" in error.message
    nifti(path, np.ones((4, 5, 6, 1), np.int16))
    assert read_volume(path).array_kji.shape == (6, 5, 4)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_colour_is_refused(tmp_path, suffix):
    image = sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(tmp_path / f"{NAME}{suffix}"))
    error = error_of(tmp_path / f"{NAME}{suffix}")
    assert error.code is ErrorCode.INPUT_NOT_READABLE
    assert "colour" in error.message


def test_a_png_is_refused(tmp_path):
    path = tmp_path / f"{NAME}.png"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((5, 6), np.uint8)), str(path))
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_finite_value_is_refused_and_some_are_replaced(tmp_path, value):
    array = np.full((4, 5, 6), value, np.float32)
    path = nifti(tmp_path / f"{NAME}.nii.gz", array)
    assert error_of(path).code is ErrorCode.INPUT_NOT_READABLE
    array[1:3] = np.linspace(-1000, 50.5, 60).reshape(2, 5, 6)
    volume = read_volume(nifti(path, array))
    assert np.isfinite(volume.array_kji).all()
    assert volume.array_kji.min() == -1000
    assert "60 voxels" in volume.meta["notes"][0]


@pytest.mark.parametrize("dimension", [0, 1, 2])
def test_zero_spacing_is_refused(tmp_path, dimension):
    path = nifti(tmp_path / f"{NAME}.nii", np.zeros((4, 5, 6), np.int16))
    data = bytearray(path.read_bytes())
    data[76 + 4 * (dimension + 1) : 80 + 4 * (dimension + 1)] = np.float32(0).tobytes()
    path.write_bytes(bytes(data))
    assert error_of(path).code is ErrorCode.GEOMETRY_MISMATCH
    path.with_suffix(".nii.gz").write_bytes(gzip.compress(bytes(data)))
    assert error_of(path.with_suffix(".nii.gz")).code is ErrorCode.GEOMETRY_MISMATCH


def test_singular_and_sheared_orientation_is_refused(tmp_path):
    for affine in (
        np.diag([1.0, 1.0, 0.0, 1.0]),
        np.array([[1, 0, 0.4, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    ):
        image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
        image.header.set_sform(affine, code=1)
        image.header.set_qform(None, code=0)
        path = tmp_path / f"{NAME}.nii"
        with path.open("wb") as stream:
            image.header.set_data_offset(352)
            image.header.write_to(stream)
            stream.write(bytes(4) + bytes(240))
        assert error_of(path).code is ErrorCode.GEOMETRY_MISMATCH


@pytest.mark.parametrize("vectors", ["(0,0,0) (0,1,0) (0,0,1)", "(1,0,0) (1,0,0) (0,0,1)", "(1,0,0) (0.5,1,0) (0,0,1)"])
def test_nrrd_with_impossible_axes_is_refused(tmp_path, vectors):
    path = tmp_path / f"{NAME}.nrrd"
    header = "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\n"
    header += f"space directions: {vectors}\n"
    header += "encoding: raw\nendian: little\nspace origin: (0,0,0)\n\n"
    path.write_bytes(header.encode() + bytes(240))
    assert error_of(path).code is ErrorCode.GEOMETRY_MISMATCH


@pytest.mark.parametrize("line", ["ElementSpacing = 1 0 1", "ElementSpacing = 0 0 0"])
def test_mha_with_impossible_spacing_is_refused(tmp_path, line):
    path = tmp_path / f"{NAME}.mha"
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n{line}\nDimSize = 4 5 6\n"
    )
    path.write_bytes((header + "ElementType = MET_SHORT\nElementDataFile = LOCAL\n").encode() + bytes(240))
    assert error_of(path).code is ErrorCode.GEOMETRY_MISMATCH


def test_label_maps_are_whole_numbers(tmp_path):
    path = nifti(tmp_path / f"{NAME}.nii.gz", np.linspace(0, 3, 120, dtype=np.float32).reshape(4, 5, 6))
    assert error_of(path, read_label_map).code is ErrorCode.INPUT_NOT_READABLE


@pytest.mark.parametrize(("highest", "dtype"), [(117, np.uint8), (516, np.int16), (70000, np.int32)])
@pytest.mark.parametrize("stored", [np.float32, np.float64, np.int32])
def test_label_maps_take_the_smallest_type(tmp_path, highest, dtype, stored):
    array = np.zeros((4, 5, 6), stored)
    array[1, 2, 3] = highest
    volume = read_label_map(nifti(tmp_path / "s.nii.gz", array))
    assert volume.array_kji.dtype == dtype
    assert volume.array_kji[3, 2, 1] == highest


def test_values_beyond_16_bits_stay_exact_enough(tmp_path):
    array = np.array([0, 65535, 40000, -40000], np.int32).reshape(1, 2, 2)
    volume = read_volume(nifti(tmp_path / "w.nii", array))
    assert volume.array_kji.dtype == np.float32
    assert sorted(volume.array_kji.ravel()) == [-40000, 0, 40000, 65535]
