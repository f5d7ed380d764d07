"""Faults of images by name: claims of petabytes, bombs, pipes and devices, files that change, paths of every kind."""

from __future__ import annotations

import gzip
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from faults.byte_faults import EXTREMES
from faults.image_oracle import said_by_nifti
from faults.images import GRID, KINDS, file_of, require_same, sound_values
from faults.verdict import time_limit
from hypothesis import given, settings
from hypothesis import strategies as st
from test_imaging_dicom import ct_on, write_series

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging import nifti
from MedUSISLib.imaging.reading import read_geometry, read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

pytestmark = pytest.mark.fault("image")
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes and devices among its files")
MAKE = {kind.name: kind.make for kind in KINDS}


def refused(path: Path, code: ErrorCode = ErrorCode.INPUT_NOT_READABLE, *words: str) -> MedUSISError:
    with time_limit(60), pytest.raises(MedUSISError) as caught:
        read_volume(path)
    assert caught.value.code is code, caught.value
    assert caught.value.hint
    assert all(word in caught.value.message for word in words), caught.value
    return caught.value


def sample(folder: Path, name: str = "nifti") -> Path:
    MAKE[name](folder)
    return file_of(folder)


def patched(path: Path, at: int, code: str, *values: float) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(f"<{code}", content, at, *values)
    path.write_bytes(bytes(content))
    return path


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sample(tmp_path_factory.mktemp("sound")).read_bytes()


@settings(max_examples=60)
@given(at=st.integers(0, 347), number=st.sampled_from(EXTREMES))
def test_any_extreme_number_anywhere_in_a_header(tmp_path_factory, content, at, number) -> None:
    path = tmp_path_factory.mktemp("one") / "x.nii"
    path.write_bytes(content[:at] + number + content[at + len(number) :])
    try:
        volume = read_volume(path)
    except MedUSISError as error:
        assert error.code in (ErrorCode.INPUT_NOT_READABLE, ErrorCode.GEOMETRY_MISMATCH)
    else:
        require_same(volume, said_by_nifti(path))


# What headers claim


def test_a_nifti_header_that_claims_terabytes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = patched(sample(tmp_path), 40, "8h", 3, 12000, 12000, 12000, 1, 1, 1, 1)
    refused(path, ErrorCode.INPUT_NOT_READABLE, "claims more voxels")
    packed = path.with_suffix(".nii.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    refused(packed, ErrorCode.INPUT_NOT_READABLE, "claims more voxels")


@pytest.mark.parametrize(("name", "line"), [("nrrd", b"sizes: 9 8 7"), ("mha", b"DimSize = 9 8 7")])
def test_text_headers_that_claim_petabytes_are_refused(tmp_path: Path, name: str, line: bytes) -> None:
    path = sample(tmp_path, name)
    path.write_bytes(path.read_bytes().replace(line, line[:-5] + b"900000 900000 900000"))
    refused(path, ErrorCode.INPUT_NOT_READABLE, "claims more voxels")


@pytest.mark.parametrize("number", ["1e30", "99999999999999999999", "0", "-3", "2147483647"])
def test_impossible_numbers_of_axes_do_not_crash(tmp_path: Path, number: str) -> None:
    path = sample(tmp_path, "mha")
    path.write_bytes(path.read_bytes().replace(b"NDims = 3", f"NDims = {number}".encode()))
    refused(path)


def test_a_gzip_bomb_behind_the_voxels_is_refused(tmp_path: Path) -> None:
    path = sample(tmp_path).with_suffix(".nii.gz")
    with gzip.open(path, "wb", 1) as stream:
        stream.write(path.with_suffix("").read_bytes())
        for _ in range(80):
            stream.write(bytes(1 << 20))
    refused(path)


def test_an_image_larger_than_the_memory_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    class Little:
        available = 100

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    error = refused(sample(tmp_path), ErrorCode.OUT_OF_MEMORY)
    assert "memory" in error.hint


# Places and values


@pytest.mark.parametrize("spacing", [1e-5, 500, 1e4, 1e30, float("inf"), float("nan")])
def test_voxels_that_no_body_has_are_refused(tmp_path: Path, spacing: float) -> None:
    path = patched(sample(tmp_path, "nifti-quaternion"), 80, "f", spacing)
    refused(path, ErrorCode.GEOMETRY_MISMATCH)


@pytest.mark.parametrize(("code", "in_mm"), [(1, 1000.0), (3, 0.001)], ids=["metres", "micrometres"])
def test_metres_and_micrometres_are_taken_for_what_they_are(tmp_path: Path, code: int, in_mm: float) -> None:
    path = patched(sample(tmp_path), 80, "3f", *(size / in_mm for size in (1.5, 2.0, 4.0)))
    patched(path, 280, "12f", *(GRID.affine_ras[:3] / in_mm).ravel())
    volume = read_volume(patched(path, 123, "B", code))
    assert volume.geometry.same_grid(GRID, 1e-2)
    assert np.allclose(sitk.ReadImage(str(path)).GetSpacing(), volume.geometry.spacing_mm, rtol=1e-4)


@pytest.mark.parametrize(
    ("at", "code", "value"),
    [
        (108, "f", 0.0),
        (108, "f", float("inf")),
        (112, "f", float("inf")),
        (116, "f", float("nan")),
        (72, "h", 64),
        (70, "h", 1536),
    ],
)
def test_places_scales_and_types_that_contradict_are_refused(tmp_path: Path, at: int, code: str, value: float) -> None:
    refused(patched(sample(tmp_path, "nifti-scaled"), at, code, value))


def test_the_reason_of_an_implausible_place_is_told(tmp_path: Path) -> None:
    path = sample(tmp_path, "mha")
    path.write_bytes(path.read_bytes().replace(b"ElementSpacing = 1.5 2 4", b"ElementSpacing = 1.5 2 40000"))
    refused(path, ErrorCode.GEOMETRY_MISMATCH, "voxels of 1.5 x 2 x 4e+04 mm")


@pytest.mark.parametrize("line", [b"Offset = inf 0 0", b"Offset = x 0 0", b"ElementSpacing = 1.5 -2 4", b"Offset = 1"])
def test_text_for_numbers_is_not_taken_for_zero(tmp_path: Path, line: bytes) -> None:
    path = sample(tmp_path, "mha")
    key = line.partition(b" =")[0]
    lines = [line if one.startswith(key + b" ") else one for one in path.read_bytes().split(b"\n", 12)]
    path.write_bytes(b"\n".join(lines))
    refused(path, ErrorCode.GEOMETRY_MISMATCH)


# Things in place of files


@UNIX
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.nrrd", "x.mha", "x.dcm", "x"])
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, ErrorCode.INPUT_NOT_READABLE, "neither a file nor a folder")
    with time_limit(60), pytest.raises(MedUSISError, match="neither a file nor a folder"):
        read_geometry(tmp_path / name)
    with time_limit(60), pytest.raises(MedUSISError):
        read_label_map(Path("/dev/zero"))


@UNIX
@pytest.mark.parametrize(("name", "old", "new"), [("mha", b"= LOCAL", b"= /dev/zero"), ("mha", b"= LOCAL", b"= pipe"),
                                                  ("nrrd", b"endian:", b"data file: pipe\nendian:"),
                                                  ("mha", b"= LOCAL\n", b"= LIST\npipe\n")])  # fmt: skip
def test_headers_that_name_a_pipe_or_device_are_refused(tmp_path: Path, name: str, old: bytes, new: bytes) -> None:
    path = sample(tmp_path, name)
    os.mkfifo(tmp_path / "pipe")
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    refused(path)


@UNIX
def test_a_pipe_among_the_slices_is_passed_over(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    os.mkfifo(folder / "0000")
    with time_limit(60):
        assert read_volume(folder).array_kji.shape == (8, 12, 16)


@pytest.mark.parametrize("content", [b"", b"DICM" * 50, b"nothing"])
@pytest.mark.parametrize("which", [0, -1, 3])
def test_a_damaged_slice_does_not_vanish(tmp_path: Path, content: bytes, which: int) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    sorted(folder.iterdir())[which].write_bytes(content)
    refused(folder, ErrorCode.INPUT_NOT_READABLE, "damaged")


def test_a_slice_cut_within_its_header_does_not_vanish(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    path = sorted(folder.iterdir())[-1]
    for size in (140, 400, 700, 900):
        path.write_bytes(path.read_bytes()[:size] if path.stat().st_size > size else path.read_bytes()[:140])
        refused(folder, ErrorCode.INPUT_NOT_READABLE, "damaged")


# Files that change, paths


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, voxels = sample(tmp_path), nifti._voxels

    def slow(*arguments):
        array = voxels(*arguments)
        time.sleep(0.02)
        path.write_bytes(path.read_bytes())
        return array

    monkeypatch.setattr(nifti, "_voxels", slow)
    refused(path, ErrorCode.INPUT_NOT_READABLE, "changed while it was read")


def test_a_slice_that_changes_while_the_series_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    from MedUSISLib.imaging import dicom_series

    pixels = dicom_series.voxels_of

    def later(slices, *arguments):
        os.utime(slices[4].path, (1, 1))
        return pixels(slices, *arguments)

    monkeypatch.setattr(dicom_series, "voxels_of", later)
    refused(folder, ErrorCode.INPUT_NOT_READABLE, "changed while it was read")


@UNIX
@pytest.mark.parametrize(
    "name", ["Bild ü 日本語", "a\nb", "tab\there", "x" * 200, " leading", "-o", "%s", "a;b|c", "*?"]
)
def test_every_name_that_a_system_allows_is_read(tmp_path: Path, name: str) -> None:
    for suffix in (".nii.gz", ".nrrd", ".mha"):
        path = write_volume(Volume(sound_values(), GRID), tmp_path / f"{name}{suffix}")
        assert np.array_equal(read_volume(path).array_kji, sound_values())


@UNIX
def test_names_that_are_no_text_are_read_or_refused(tmp_path: Path) -> None:
    """SimpleITK ends the process for them."""
    folder = tmp_path / "\udcff\udcfe"
    assert read_volume(write_volume(Volume(sound_values(), GRID), folder / "x.nii")).geometry.same_grid(GRID)
    for suffix in (".nrrd", ".mha"):
        write_volume(Volume(sound_values(), GRID), tmp_path / f"x{suffix}").rename(folder / f"x{suffix}")
        refused(folder / f"x{suffix}", ErrorCode.INPUT_NOT_READABLE, "none of Unicode")
    refused(write_series(folder / "s", ct_on()), ErrorCode.INPUT_NOT_READABLE, "none of Unicode")


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    for name in ("x" * 300 + ".nii", "a\0b.nii", "/".join(["x" * 200] * 30) + ".nii"):
        refused(tmp_path / name)
    file = tmp_path / "file.nii"
    file.write_bytes(b"x")
    refused(file / "below.nii")
