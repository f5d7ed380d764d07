"""Volumes to files and back, with nibabel as an independent witness; nothing half-written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from imaging_phantom import geometry_about, rotation

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging import writing
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

OBLIQUE = geometry_about((5, -7, 11), (11, 7, 5), (0.7, 0.9, 4.0), rotation((0.3, -0.2, 0.5)))
MIRRORED = geometry_about((5, -7, 11), (11, 7, 5), (0.7, 0.9, 4.0), rotation((0.1, 0.2, 0.3)) @ np.diag([1, 1, -1]))
SINGLE = geometry_about((5, -7, 11), (11, 7, 1), (0.7, 0.9, 4.0), rotation((0.3, -0.2, 0.5)))
FORMATS = [".nii.gz", ".nii", ".nrrd", ".mha"]


def random_volume(geometry: Geometry, dtype=np.int16) -> Volume:
    rng = np.random.default_rng(3)
    array = (
        rng.normal(size=geometry.shape_kji) if np.dtype(dtype).kind == "f" else rng.integers(0, 99, geometry.shape_kji)
    )
    return Volume(array.astype(dtype), geometry)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("geometry", [OBLIQUE, MIRRORED, SINGLE], ids=["oblique", "mirrored", "single slice"])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_written_volume_reads_back_the_same(tmp_path, suffix, geometry, dtype):
    volume = random_volume(geometry, dtype)
    back = read_volume(write_volume(volume, tmp_path / f"image{suffix}"))
    assert back.array_kji.dtype == dtype
    assert np.array_equal(back.array_kji, volume.array_kji)
    assert back.geometry.same_grid(geometry, 1e-4)


@pytest.mark.parametrize("geometry", [OBLIQUE, MIRRORED, SINGLE], ids=["oblique", "mirrored", "single slice"])
def test_nibabel_sees_the_same_voxels_at_the_same_place(tmp_path, geometry):
    volume = random_volume(geometry, np.float32)
    image = nibabel.load(write_volume(volume, tmp_path / "a.nii.gz", "SYNTHETIC - not for diagnosis"))
    assert np.array_equal(np.asarray(image.dataobj).T, volume.array_kji)
    for affine in (image.affine, image.header.get_qform(), image.header.get_sform()):
        np.testing.assert_allclose(affine, geometry.affine_ras, atol=2e-5)
    assert bytes(image.header["descrip"]).rstrip(b"\0") == b"SYNTHETIC - not for diagnosis"
    assert image.header.get_xyzt_units()[0] == "mm"


def test_what_nibabel_writes_is_read_at_the_same_place(tmp_path):
    array = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(array, OBLIQUE.affine_ras), tmp_path / "b.nii.gz")
    volume = read_volume(tmp_path / "b.nii.gz")
    assert np.array_equal(volume.array_kji, array.T)
    np.testing.assert_allclose(volume.geometry.affine_ras, OBLIQUE.affine_ras, atol=2e-5)


@pytest.mark.parametrize("geometry", [OBLIQUE, MIRRORED, SINGLE], ids=["oblique", "mirrored", "single slice"])
def test_a_result_has_the_affine_of_its_source_to_the_last_bit(tmp_path, geometry):
    source = write_volume(random_volume(geometry), tmp_path / "ct.nii.gz")
    result = write_volume(read_volume(source), tmp_path / "mr.nii.gz")
    assert np.array_equal(nibabel.load(source).header["pixdim"], nibabel.load(result).header["pixdim"])
    assert np.array_equal(nibabel.load(source).affine, nibabel.load(result).affine)


def test_scaled_nifti_values_are_rescaled(tmp_path):
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nibabel.save(image, tmp_path / "c.nii")
    volume = read_volume(tmp_path / "c.nii")
    assert (volume.array_kji.min(), volume.array_kji.max()) == (-1024, -978)
    assert volume.array_kji.dtype == np.int16


def test_a_two_dimensional_file_is_a_volume_of_one_slice(tmp_path):
    image = sitk.GetImageFromArray(np.arange(12, dtype=np.int16).reshape(3, 4))
    image.SetSpacing((0.5, 0.75))
    for suffix in FORMATS:
        sitk.WriteImage(image, str(tmp_path / f"flat{suffix}"))
        volume = read_volume(tmp_path / f"flat{suffix}")
        assert volume.array_kji.shape == (1, 3, 4)
        assert volume.geometry.spacing_mm[:2] == (0.5, 0.75)


def test_names_may_hold_any_letters(tmp_path):
    folder = tmp_path / "Ordner mit Ümläut 放射"
    volume = random_volume(OBLIQUE)
    for suffix in FORMATS:
        path = write_volume(volume, folder / f"Schädel ñ 頭{suffix}", "é")
        assert np.array_equal(read_volume(path).array_kji, volume.array_kji)


@pytest.mark.parametrize(
    ("given", "stored"),
    [(bool, np.uint8), (np.float16, np.float32), (np.int64, np.int32), (np.uint8, np.uint8), (np.uint16, np.uint16)],
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_unusual_types_are_stored_in_ones_that_formats_know(tmp_path, given, stored, suffix):
    array = np.zeros(OBLIQUE.shape_kji, given)
    array[1] = 1
    path = write_volume(Volume(array, OBLIQUE), tmp_path / f"t{suffix}")
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path))).dtype == stored
    assert np.array_equal(read_label_map(path).array_kji, array.astype(np.uint8))


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    volume = random_volume(OBLIQUE)
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        first, second = (write_volume(volume, tmp_path / f"{n}{suffix}", "x").read_bytes() for n in "ab")
        assert first == second, suffix


def test_a_long_description_is_cut_between_letters(tmp_path):
    path = write_volume(random_volume(OBLIQUE), tmp_path / "d.nii", "ü" * 60)
    assert bytes(nibabel.load(path).header["descrip"]).rstrip(b"\0").decode("utf-8") == "ü" * 39


# ---------------------------------------------------------------------------------------------- nothing half-written


def failing(number: int):
    def fail(*arguments, **keywords):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("step", ["_write_nifti/_write_itk", "_sync", "os.replace"])
def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, monkeypatch, suffix, step):
    path = tmp_path / f"mr{suffix}"
    path.write_bytes(b"the old result")
    if step == "os.replace":
        monkeypatch.setattr(writing.os, "replace", failing(errno.ENOSPC))
    elif step == "_sync":
        monkeypatch.setattr(writing, "_sync", failing(errno.ENOSPC))
    else:
        for name in step.split("/"):
            monkeypatch.setattr(writing, name, failing(errno.ENOSPC))
    with pytest.raises(MedUSISError) as caught:
        write_volume(random_volume(OBLIQUE), path)
    assert caught.value.code is ErrorCode.DISK_FULL
    assert path.read_bytes() == b"the old result"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_disk_that_fills_while_writing_is_named(tmp_path, suffix):
    target = tmp_path / f"mr{suffix}"
    target.symlink_to("/dev/full")
    with pytest.raises(MedUSISError) as caught, writing.atomic_path(tmp_path / f"other{suffix}", suffix):
        writing._write_nifti(random_volume(OBLIQUE), target, "")
    assert caught.value.code is ErrorCode.DISK_FULL
    assert not (tmp_path / f"other{suffix}").exists()


def test_itk_failing_on_a_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sitk, "WriteImage", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("itk: /secret/name")))
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda p: type("Usage", (), {"free": 0}))
    with pytest.raises(MedUSISError) as caught:
        write_volume(random_volume(OBLIQUE), tmp_path / "a.nrrd")
    assert caught.value.code is ErrorCode.DISK_FULL
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "_write_nifti", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_volume(random_volume(OBLIQUE), tmp_path / "mr.nii.gz")
    assert os.listdir(tmp_path) == []


def test_a_killed_process_has_written_down_what_it_leaves(tmp_path, monkeypatch):
    from MedUSISLib.leftovers import WORKSPACE_VARIABLE

    (tmp_path / "workspace").mkdir()
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path / "workspace"))
    with writing.atomic_path(tmp_path / "mr.nii.gz", ".nii.gz") as temporary:
        noted = "".join(path.read_text() for path in (tmp_path / "workspace").iterdir())
        assert temporary.name in noted
        temporary.write_bytes(b"x")


def test_a_temporary_name_never_holds_the_target_name(tmp_path):
    with writing.atomic_path(tmp_path / "Mueller_Hans.nii.gz", ".nii.gz") as temporary:
        assert "Mueller" not in temporary.name
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert os.listdir(tmp_path) == ["Mueller_Hans.nii.gz"]


def test_a_folder_that_is_a_file_is_a_bad_setting(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MedUSISError) as caught:
        write_volume(random_volume(OBLIQUE), tmp_path / "file" / "mr.nii.gz")
    assert caught.value.code is ErrorCode.BAD_SETTING


def test_an_unknown_format_is_refused_before_work(tmp_path):
    with pytest.raises(MedUSISError) as caught:
        write_volume(random_volume(OBLIQUE), tmp_path / "mr.png")
    assert caught.value.code is ErrorCode.BAD_SETTING
    assert os.listdir(tmp_path) == []
