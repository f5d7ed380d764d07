"""A series of which a part lies in a folder and a part in folders below it is one series; copies below it are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_imaging_dicom import OBLIQUE, STRAIGHT, ct_on, refusal, write_series

from MedUSISLib.errors import ErrorCode
from MedUSISLib.imaging import dicom_files
from MedUSISLib.imaging.dicom_series import list_series, read_dicom_folder, series_files
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.source_files import source_files


def nested(folder: Path, uid: str = "1.2.3", below: int = 3) -> Path:
    """A series with every ``below``-th slice in a folder within a folder."""
    write_series(folder, ct_on(OBLIQUE), series_uid=uid)
    (folder / "a" / "b").mkdir(parents=True)
    for path in sorted(folder.glob("*.dcm"))[::below]:
        path.rename(folder / "a" / "b" / path.name)
    return folder


def test_a_part_below_belongs_to_it(tmp_path: Path) -> None:
    folder = nested(tmp_path / "s")
    volume = read_volume(folder)
    assert np.array_equal(volume.array_kji, ct_on(OBLIQUE).array_kji)
    assert volume.geometry.same_grid(OBLIQUE, 1e-3)
    assert np.array_equal(read_volume(sorted(folder.glob("*.dcm"))[0]).array_kji, volume.array_kji)
    assert len(series_files(folder)) == len(source_files(folder)) == 8
    assert [info.slices for info in list_series(folder)] == [8]


def test_the_outer_half_alone_is_no_longer_taken_for_the_whole(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on(), change=lambda k, ds: k < 4, series_uid="1.2.3")
    write_series(folder / "rest", ct_on(), change=lambda k, ds: k >= 4, series_uid="1.2.3")
    assert read_volume(folder).array_kji.shape == (8, 12, 16)


def test_other_series_below_are_no_part_of_it(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    write_series(folder / "other", ct_on(OBLIQUE), number=9)
    (folder / "other" / "notes.txt").write_text("1.2.3")
    assert read_volume(folder).geometry.same_grid(STRAIGHT, 1e-3)
    assert [info.slices for info in list_series(folder)] == [8]


def test_a_series_that_is_asked_for_may_lie_below_others(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on())
    write_series(folder / "other" / "deep", ct_on(OBLIQUE), series_uid="1.2.3.4")
    assert read_dicom_folder(folder, series_uid="1.2.3.4").geometry.same_grid(OBLIQUE, 1e-3)
    assert len(series_files(folder, "1.2.3.4")) == 8


def test_copies_below_do_not_count(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on(), series_uid="1.2.3")
    shutil.copytree(folder, tmp_path / "copy")
    shutil.move(tmp_path / "copy", folder / "backup")
    assert np.array_equal(read_volume(folder).array_kji, ct_on().array_kji)
    assert len(series_files(folder)) == 8


def test_another_phase_below_is_told(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on(), series_uid="1.2.3")
    write_series(folder / "phase", ct_on(), series_uid="1.2.3")
    refusal(folder, ErrorCode.GEOMETRY_MISMATCH, "8 slices at a place where there is one already")


def test_a_damaged_slice_below_is_missed(tmp_path: Path) -> None:
    folder = nested(tmp_path / "s")
    path = sorted((folder / "a" / "b").iterdir())[0]
    path.write_bytes(path.read_bytes()[:700])
    refusal(folder, ErrorCode.INPUT_NOT_READABLE, "1 DICOM file whose header is damaged")


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", ct_on(), change=lambda k, ds: k < 4, series_uid="1.2.3")
    rest = write_series(tmp_path / "rest", ct_on(), change=lambda k, ds: k >= 4, series_uid="1.2.3")
    try:
        (folder / "link").symlink_to(rest)
        (folder / "loop").symlink_to(folder)
    except OSError:
        pytest.skip("no links here")
    assert read_volume(folder).array_kji.shape == (4, 12, 16)


def test_nobody_looks_through_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a folder of so many files a series is not looked for: it takes minutes, and nobody puts one there."""
    folder = write_series(tmp_path / "s", ct_on(), series_uid="1.2.3")
    write_series(folder / "phase", ct_on(), series_uid="1.2.3")
    monkeypatch.setattr(dicom_files, "_MANY", 7)
    assert len(series_files(folder)) == 8
