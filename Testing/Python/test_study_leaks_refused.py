"""Leaks by the public way: ``medusis study new`` removes what files bring along, ``check`` and ``package`` refuse."""

from __future__ import annotations

import gzip
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from leaking_study import HEADER, change_files, voxels, with_field, with_voxels
from study_example import SECRET, turing_protocol, write_cases
from study_readers import run
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import load_key
from MedUSISLib.study.trial_writing import FILE_TIME
from MedUSISLib.study.versioned import to_json

pytestmark = pytest.mark.usefixtures("same_secrets")

EVERY = ("real", "synthetic")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 7)


@pytest.fixture(scope="module")
def sound_study(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "study"
    new_study(inputs, turing_protocol(), folder, secret=SECRET)
    return folder


@pytest.fixture
def study(sound_study: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound_study, tmp_path / "study")


def other_background(content: bytes) -> bytes:
    array = voxels(content)
    array[array == 0] = 4
    return with_voxels(content, array)


def other_byte_order(content: bytes) -> bytes:
    header = nibabel.Nifti1Header.from_fileobj(io.BytesIO(content)).as_byteswapped()  # the voxels are single bytes
    return header.binaryblock + content[header.sizeof_hdr :]


def other_spacing(content: bytes) -> bytes:
    content = with_field(content, 80, np.array([4.9, 5.0, 5.0], np.float32).tobytes())
    return with_field(content, 280, np.float32(-4.9).tobytes())


def sixteen_bits(content: bytes) -> bytes:
    header = with_field(with_field(content[:HEADER], 70, b"\4\0"), 72, b"\x10\0")
    return header + voxels(content).astype("<i2").tobytes()


def mirrored(content: bytes) -> bytes:
    """Left-handed axes: a header that runs the other way, and voxels that follow it, as another program writes them."""
    shape = tuple(np.frombuffer(content[42:48], "<i2"))[::-1]
    row = np.frombuffer(content[280:296], "<f4").copy()
    row[3] += row[0] * (shape[2] - 1)
    row[0] = -row[0]
    flipped = voxels(content).reshape(shape)[:, :, ::-1]
    content = with_field(content, 280, row.tobytes())
    content = with_field(content, 252, b"\0\0")  # no qform: it cannot say the same
    return content[:HEADER] + flipped.tobytes()


def one_slice_more(content: bytes) -> bytes:
    i, j, k = (int(n) for n in np.frombuffer(content[42:48], "<i2"))
    return with_field(content, 46, np.int16(k + 1).tobytes()) + bytes(i * j)


def noise_floor(content: bytes) -> bytes:
    """A scanner's noise where a network draws nothing: dark voxels inside the head are 1 to 4 and not 0."""
    array = voxels(content)
    body = np.convolve(array > 0, np.ones(9), "same") > 4
    array[body & (array == 0)] = 1
    return with_voxels(content, array)


def packed_by_a_tool(content: bytes) -> bytes:
    """With the name of the file and the time in gzip's own header."""
    file = io.BytesIO()
    with gzip.GzipFile("Doe_Jane_t1.nii", "wb", 9, file, mtime=1_700_000_000) as packed:
        packed.write(content)
    return file.getvalue()


def extension(content: bytes) -> bytes:
    return (
        with_field(content, 108, np.float32(HEADER + 16).tobytes())[:348]
        + b"\1\0\0\0"
        + (b"\x10\0\0\0\6\0\0\0cGAN  v2" + content[HEADER:])
    )


FOUR = ("background value", "header", "spacing", "larger files")
ARM_SPOILED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    # the four of every study
    "background value": (other_background, "BACKGROUND, background value"),
    "header": (lambda c: with_field(c, 124, np.float32(300).tobytes()), "HEADER, fields of the header"),
    "spacing": (other_spacing, "SPACING, voxel spacing"),
    "larger files": (lambda c: c + bytes(4096), "FILE_SIZE, file size"),
    # less obvious ones
    "packed by another tool": (packed_by_a_tool, "PACKING, packing of the files"),
    "level of packing": (lambda c: gzip.compress(c, 1, mtime=0), "PACKING, packing of the files"),
    "data type": (sixteen_bits, "VOXEL_TYPE, data type"),
    "scaling": (lambda c: with_field(c, 112, np.array([2, -3], np.float32).tobytes()), "VOXEL_TYPE, data type"),
    "orientation": (mirrored, "PLACE"),
    "position": (lambda c: with_field(c, 292, np.float32(1.0).tobytes()), "PLACE, position"),
    "number of slices": (one_slice_more, "SIZE, number of voxels"),
    "grey values on every second step": (lambda c: with_voxels(c, voxels(c) // 2 * 2), "STEPS, steps"),
    "sixty-four grey values": (
        lambda c: with_voxels(c, np.rint(np.rint(voxels(c) / 255 * 63) * 255 / 63).astype(np.uint8)),
        "STEPS, steps",
    ),
    "noise floor": (noise_floor, "LOWEST, lowest grey value"),
    "a text in the header": (lambda c: with_field(c, 228, b"2026-11-20"), "HEADER_TEXT, texts"),
    "extension": (extension, "HEADER_TEXT, texts"),
    "other byte order": (other_byte_order, "HEADER, fields"),
    "the order of one number": (lambda c: with_field(c, 0, b"\0\0\1\x5c"), "FILE_UNREADABLE, images"),
}


def refusal(*words: object) -> str:
    """What ``medusis study ...`` prints before it refuses, and the error itself."""
    done = CliRunner().invoke(app, ["study", *map(str, words)])
    if isinstance(done.exception, MedUSISError):
        return f"{done.output}\n{done.exception}\n{done.exception.hint}"
    assert done.exit_code == 2, done.output
    return done.output


@pytest.mark.parametrize("what", list(ARM_SPOILED))
def test_a_leak_is_refused_with_its_reason(study: Path, what: str) -> None:
    change, reason = ARM_SPOILED[what]
    change_files(study, ["synthetic"], change)
    said = refusal("check", study)
    assert f"leak: {reason}" in said and "what to do: " in said and "the study leaks" in said
    if what in FOUR:
        assert reason.split(", ")[-1] in refusal("package", study, "--reader", "R1", "--out", study.parent / "R1.zip")
        assert not (study.parent / "R1.zip").exists()


def test_packing_all_files_does_not_help(study: Path) -> None:
    """Noise packs worse than what a network draws: the size of a packed file tells its arm."""
    change_files(study, EVERY, lambda c: gzip.compress(c, 6, mtime=0))
    assert "leak: FILE_SIZE" in refusal("check", study)


def test_times_within_a_second_are_told_apart(study: Path) -> None:
    for image in load_key(study).images:
        if image.role == "synthetic":
            os.utime(study / "trials" / f"{image.name}.nii", ns=(FILE_TIME * 10**9 + 5000,) * 2)
    assert "leak: FILE_TIME" in refusal("check", study)


def test_a_copied_study_is_not_refused_for_its_times(study: Path) -> None:
    """As many times as files, in the order of their random names."""
    for number, path in enumerate(sorted((study / "trials").iterdir())):
        os.utime(path, (FILE_TIME + 3 * number, FILE_TIME + 3 * number))
    said = run("check", study)
    assert "remark: FILE_TIME" in said and "0 leak(s)" in said
    run("package", study, "--reader", "R1", "--out", study.parent / "R1.zip")


def as_others_write_it(path: Path) -> None:
    """A synthetic image as another program leaves it: floats of 8 bytes, an offset, axes that run the other way, more
    air around, a text, the fastest packing."""
    volume = read_volume(path, "an image")
    array = np.pad(volume.array_kji[::-1, :, ::-1].astype(np.float64) * 1000 - 300, 6, constant_values=-300.0)
    i, j, k = volume.geometry.size_ijk
    axes = volume.geometry.axes * (-1, 1, -1)
    origin = volume.geometry.index_to_lps([[i - 1, 0, k - 1]])[0] - axes @ (6 * np.array(volume.geometry.spacing_mm))
    size = (i + 12, j + 12, k + 12)
    geometry = Geometry(size, volume.geometry.spacing_mm, tuple(map(float, origin)), tuple(map(float, axes.ravel())))
    write_volume(Volume(array, geometry), path, "generated by a network")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))


def test_what_files_bring_along_does_not_reach_the_trials(inputs: Path, sound_study: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(inputs.parent, tmp_path / "in")
    for path in folder.glob("*_syn.nii.gz"):
        as_others_write_it(path)
    protocol = tmp_path / "protocol.json"
    protocol.write_text(to_json(turing_protocol()))
    run("new", folder / inputs.name, "--protocol", protocol, "--out", tmp_path / "study")
    assert "0 leak(s)" in run("check", tmp_path / "study")
    ours, theirs = (
        {(i.case, i.role): study / "trials" / f"{i.name}.nii" for i in load_key(study).images}
        for study in (sound_study, tmp_path / "study")
    )
    for image in ours:
        one, other = (voxels(images[image].read_bytes()).astype(int) for images in (ours, theirs))
        # Rounding may lift a voxel over the floor, from 0 to 8, here and there.
        assert np.mean(np.abs(one - other) > 1) < 1e-3, "neither form nor handedness of a file may change its trial"


def test_a_leak_that_the_protocol_leaves_makes_no_study(inputs: Path, tmp_path: Path) -> None:
    protocol = turing_protocol()
    unmasked = protocol.common_form.model_copy(update={"mask": False, "floor": 0.0})
    path = tmp_path / "protocol.json"
    path.write_text(to_json(protocol.model_copy(update={"common_form": unmasked})))
    said = refusal("new", inputs, "--protocol", path, "--out", tmp_path / "study")
    assert "extent of what is not background" in said
    assert "mask all images with the same rule" in said and "quantise all images the same way" in said
    assert not (tmp_path / "study").exists()
