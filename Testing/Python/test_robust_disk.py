"""A disk that is full, or takes no file that large: DISK_FULL, whatever was being written, and nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataset_example
import limited_child
import numpy as np
import pytest
from dicom_example import maps_on, write_ct, write_result
from test_dicom_export import geometry_about
from tiny_generator import head_phantom, tiny_bundle

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.output_directory import atomic_output_directory


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[Path], dict[str, Any]]]:
    """Jobs that write, by their output folder."""
    folder = tmp_path_factory.mktemp("inputs")
    geometry = geometry_about((4, 5, 6), (40, 36, 6), (5.0, 5.0, 20.0))
    phantom, labels = head_phantom(geometry)
    noise = np.random.default_rng(1).integers(-20, 20, phantom.array_kji.shape)
    ct = write_ct(folder / "dicom", geometry)
    write_result(folder / "result", ct, maps_on(ct.array_kji.shape))
    write_volume(phantom.with_array((phantom.array_kji + noise).astype(np.int16)), folder / "ct.nii.gz")
    write_volume(labels, folder / "seg.nii.gz")
    generator = tiny_bundle(folder / "tiny").directory
    for number in range(2):
        dataset_example.save(dataset_example.mr(number), folder / "data" / f"P{number}_t1.nii.gz")
    synthesis = {"ct": str(folder / "ct.nii.gz"), "segmentation": str(folder / "seg.nii.gz"), "labels": "head"}
    synthesis |= {"generator": str(generator), "passes": 1, "device": "cpu"}
    written: dict[str, dict[str, Any]] = {
        "synthesize": synthesis,
        "segment": {"ct": str(folder / "ct.nii.gz")},
        "export-dicom": {"result": str(folder / "result"), "source": str(folder / "dicom")},
        "scan-dataset": {"folders": [str(folder / "data")], "jobs": 1},
    }
    ending = {"segment": "seg.nii.gz"}

    def job(kind: str) -> Callable[[Path], dict[str, Any]]:
        return lambda out: {
            "kind": kind, "parameters": {**written[kind], "out": str(out / ending.get(kind, "made"))}
        }  # fmt: skip

    return {kind: job(kind) for kind in written}


def told(steps: list[dict[str, Any]], *before: str) -> list[dict[str, Any]]:
    command = [*before, sys.executable, limited_child.__file__]
    run = subprocess.run(command, input=json.dumps(steps), capture_output=True, text=True, check=False)
    if before and ("unshare" in run.stderr or "mount" in run.stderr):
        pytest.skip("this system lets nobody mount a small disk")
    assert run.returncode == 0, run.stderr
    answers: list[dict[str, Any]] = json.loads(run.stdout)
    return answers


def assert_named(answers: list[dict[str, Any]], steps: list[dict[str, Any]]) -> None:
    for answer, step in zip(answers, steps, strict=True):
        what = (step["job"]["kind"], step["bytes"], answer["last"])
        assert answer["code"] == 32 and answer["last"]["code"] == "DISK_FULL" and answer["last"]["hint"], what
        assert answer["left"] == [], what


@pytest.mark.fault
def test_a_full_disk_is_named_at_every_write(jobs: dict[str, Any], tmp_path: Path) -> None:
    """A real one of 3 MB (tmpfs) that the child alone sees, filled until so many bytes are left."""
    if shutil.which("unshare") is None:
        pytest.skip("small disks are mounted with unshare (Linux)")
    sizes = {
        "synthesize": (0, 60_000), "segment": (0,), "export-dicom": (0, 20_000, 70_000), "scan-dataset": (0, 8_192),
    }  # fmt: skip
    out = tmp_path / "small"
    out.mkdir()
    steps = [
        {"job": jobs[kind](out), "limit": "disk", "bytes": size, "out": str(out)}
        for kind, many in sizes.items()
        for size in many
    ]
    mount = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'
    assert_named(told(steps, "unshare", "-rm", "sh", "-c", mount, str(out)), steps)
    assert list(out.iterdir()) == []


@pytest.mark.fault
@pytest.mark.skipif(sys.platform == "win32", reason="files are limited as POSIX does it")
def test_a_file_larger_than_the_disk_takes_is_named(jobs: dict[str, Any], tmp_path: Path) -> None:
    """As on a stick with FAT, or for a user whose files may not grow: EFBIG in place of ENOSPC."""
    sizes = {"export-dicom": (0, 1_000), "scan-dataset": (0, 1_000)}
    steps = [
        {"job": jobs[kind](tmp_path / "out"), "limit": "file", "bytes": size, "out": str(tmp_path / "out")}
        for kind, many in sizes.items()
        for size in many
    ]
    assert_named(told(steps), steps)


@pytest.mark.fault
def test_a_disk_that_is_full_before_anything_is_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(MedUSISError) as caught, atomic_output_directory(tmp_path / "out"):
        pass
    assert caught.value.code is ErrorCode.DISK_FULL and list(tmp_path.iterdir()) == []


@pytest.mark.fault
def test_a_generator_that_does_not_fit_is_not_packed_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedUSISLib.generators.pack import pack_bundle

    bundle = tiny_bundle(tmp_path / "tiny")
    (tmp_path / "out").mkdir()

    def full(*_: object) -> None:
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr("shutil.copyfileobj", full)
    monkeypatch.setattr("shutil.copyfile", full)
    for target in (tmp_path / "out" / "g.zip", tmp_path / "out" / "g"):
        with pytest.raises(MedUSISError) as caught:
            pack_bundle(bundle, target)
        assert caught.value.code is ErrorCode.DISK_FULL and list((tmp_path / "out").iterdir()) == []
