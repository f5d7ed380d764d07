"""Faults that leave a header in order but not voxels or place: packed voxels, units, types, two places in a file."""

from __future__ import annotations

import io
import json
import os
import sys
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from faults.images import GRID, file_of, sound_values
from faults.verdict import time_limit
from test_faults_images import MAKE, patched, refused, sample

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.modality import check_is_ct
from MedUSISLib.imaging.reading import read_geometry, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.jobs.run import run_job
from MedUSISLib.training.case_keys import image_key
from MedUSISLib.training.data_configuration import ImageSource

pytestmark = pytest.mark.fault("image")


@pytest.mark.parametrize("name", ["mha-packed", "nrrd-packed", "nifti-gz"])
def test_damaged_packed_voxels_are_never_read_as_others(tmp_path: Path, name: str) -> None:
    path = sample(tmp_path, name)
    content, values = path.read_bytes(), read_volume(path).array_kji
    assert np.array_equal(values, sound_values())
    for at in range(len(content) - 400, len(content), 37):
        path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
        refused(path)
    for missing in (1, 9, 200):
        path.write_bytes(content[:-missing])
        refused(path)


def test_packed_voxels_beside_their_header_are_looked_at_too(tmp_path: Path) -> None:
    MAKE["mhd"](tmp_path)
    header = file_of(tmp_path)
    voxels = next(path for path in tmp_path.iterdir() if path != header)
    text = header.read_bytes().replace(b"CompressedData = False", b"CompressedData = True")
    packed = zlib.compress(sound_values().tobytes())
    text = text.replace(voxels.name.encode(), b"voxels.zraw")
    header.write_bytes(text)
    (tmp_path / "voxels.zraw").write_bytes(packed)
    assert np.array_equal(read_volume(header).array_kji, sound_values())
    (tmp_path / "voxels.zraw").write_bytes(packed[:-300] + bytes(300))
    refused(header, ErrorCode.INPUT_NOT_READABLE, "packed voxels")


def test_a_header_that_does_not_count_its_packed_voxels_is_refused(tmp_path: Path) -> None:
    """ITK would unpack from the first byte of the file on."""
    path = sample(tmp_path, "mha-packed")
    lines = path.read_bytes().split(b"\n", 20)
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"CompressedDataSize")))
    refused(path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'space units: "m" "m" "m"', "millimetres"),
        (b'space units: "um" "um" "um"', "millimetres"),
        (b'units: "cm" "cm" "cm"', "millimetres"),
        (b"space directions: (1.5,0,0) none (0,0,4)", "axes"),
    ],
)
def test_nrrd_of_other_units_or_with_an_axis_that_is_none_of_space_is_refused(
    tmp_path: Path, line: bytes, words: str
) -> None:
    path = sample(tmp_path, "nrrd")
    lines = [one for one in path.read_bytes().split(b"\n", 12) if not one.startswith(line.split(b":")[0] + b":")]
    path.write_bytes(b"\n".join([*lines[:-2], line, *lines[-2:]]))
    refused(path, ErrorCode.GEOMETRY_MISMATCH, words)


def test_nrrd_that_says_millimetres_is_read(tmp_path: Path) -> None:
    path = sample(tmp_path, "nrrd")
    path.write_bytes(path.read_bytes().replace(b"kinds:", b'space units: "mm" "mm" "mm"\nkinds:', 1))
    assert read_volume(path).geometry.same_grid(GRID)


def test_values_beyond_single_precision_are_none(tmp_path: Path) -> None:
    values = sound_values().astype(np.float64) + 0.5
    values[0, 0, :2] = 1e300, -1e300
    nibabel.save(nibabel.Nifti1Image(values.T, GRID.affine_ras), tmp_path / "x.nii")
    volume = read_volume(tmp_path / "x.nii")
    assert np.isfinite(volume.array_kji).all()
    assert volume.array_kji[0, 0, 0] == volume.array_kji.min()
    assert "2 voxels without a finite value" in volume.meta["notes"][0]


def test_numbers_that_no_tissue_or_metal_has_are_no_ct() -> None:
    values = np.full(GRID.shape_kji, -1000, np.float32)
    values[1:6, 1:7, 1:8] = np.random.default_rng(0).normal(40, 20, (5, 6, 7))
    values[2:4, 2:4, 2:4] = 900
    check_is_ct(Volume(values, GRID))
    values[2:4, 2:4, 2:4] = 1e30
    with pytest.raises(MedUSISError, match="no tissue or metal has") as caught:
        check_is_ct(Volume(values, GRID))
    assert caught.value.code is ErrorCode.NOT_A_CT


def test_a_nifti_that_lies_in_two_places_says_which_was_taken(tmp_path: Path) -> None:
    assert "notes" not in read_volume(sample(tmp_path)).meta
    path = patched(file_of(tmp_path), 268, "3f", 99, 99, 99)  # the quaternion's origin
    volume = read_volume(path)
    assert volume.geometry.same_grid(GRID)
    assert "sform was taken" in volume.meta["notes"][0]
    assert read_geometry(path).same_grid(GRID)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 9), (1, 1, 9)])
def test_an_mr_of_one_slice_or_voxel_is_no_traceback(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).integers(100, 400, shape).astype(np.int16)
    geometry = Geometry(shape[::-1], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    path = write_volume(Volume(values, geometry), tmp_path / "x.nii")
    job = {"version": 1, "kind": "segment", "parameters": {"mr": str(path), "out": str(tmp_path / "out.nii.gz")}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    stream = io.StringIO()
    assert run_job(tmp_path / "job.json", stream) == 10
    assert json.loads(stream.getvalue().splitlines()[-1])["hint"]
    assert not (tmp_path / "out.nii.gz").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes among its files")
def test_a_pipe_or_device_as_an_image_of_a_training_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nii")
    for path in (tmp_path / "pipe.nii", Path("/dev/zero"), tmp_path / "none.nii"):
        with time_limit(60), pytest.raises(MedUSISError) as caught:
            image_key(ImageSource(image=path, person="p"), load_schema("head"))
        assert caught.value.code is ErrorCode.INPUT_NOT_READABLE
