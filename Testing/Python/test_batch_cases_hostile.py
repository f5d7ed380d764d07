"""Trees as they grow on servers: loops, dead links, locked folders, foreign formats, our own results, many files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_tree import SCANNER, codes, found_in, pairs, write

from MedUSISLib.batch import copies, grids, tree
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_text import found_text
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress


@pytest.mark.fault("links that go round or nowhere in the input of a batch")
def test_links_are_followed_once_and_dead_ones_told(tmp_path: Path) -> None:
    write(tmp_path / "archive" / "P2", "ct.nii.gz", "seg.nii.gz")
    root = tmp_path / "input"
    write(root, "P1/ct.nii.gz", "P1/seg.nii.gz", seed=5)
    (root / "P1" / "loop").symlink_to(root)
    (root / "P2").symlink_to(tmp_path / "archive" / "P2")
    (root / "P2 again").symlink_to(tmp_path / "archive" / "P2")
    (root / "dead").symlink_to(tmp_path / "nowhere")
    (root / "round").symlink_to(root / "round")
    found = find_cases(root)
    assert [case.key for case in found.cases] == ["P1/ct.nii.gz", "P2/ct.nii.gz"]
    assert codes(found) == {"dead": "NOT_READABLE", "round": "NOT_READABLE"}


@pytest.mark.fault("a folder of the input that cannot be opened")
def test_a_locked_folder_is_told_and_the_rest_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "P1/ct.nii.gz", "locked/ct.nii.gz")
    scandir = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(tree.os, "scandir", refusing)
    found = find_cases(tmp_path)
    assert list(pairs(found, tmp_path)) == ["P1/ct.nii.gz"]
    assert codes(found) == {"locked": "NOT_READABLE"}


@pytest.mark.fault("pipes and hidden files in the input of a batch")
def test_hidden_files_and_pipes_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz", "P1/._ct.nii.gz", ".trash/ct.nii.gz", "__MACOSX/P1/ct.nii.gz")
    os.mkfifo(tmp_path / "P1" / "pipe.dcm")
    for name in ("notes.txt", "scan.pdf", "P1.json"):
        (tmp_path / name).write_text("{}")
    assert found_in(tmp_path) == {"P1/ct.nii.gz": None}


def test_a_drive_that_gives_folders_no_number_is_searched_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "P1/ct.nii.gz", "P2/ct.nii.gz", "P2/seg.nii.gz")
    (tmp_path / "P2" / "round").symlink_to(tmp_path)
    stat = Path.stat

    def without_number(self: Path, **how: Any) -> os.stat_result:
        mode, _, *others = stat(self, **how)
        return os.stat_result((mode, 0, *others))

    monkeypatch.setattr(Path, "stat", without_number)
    assert [case.key for case in find_cases(tmp_path).cases] == ["P1/ct.nii.gz", "P2/ct.nii.gz"]


@pytest.mark.fault("file names that are no text")
def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    """A manifest, a job and an event are text: such a case could not be done."""
    folder = os.fsencode(tmp_path) + b"/M\xfcller"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("the file system wants text")
    write(tmp_path, "ct.nii.gz", "P2/ct.nii.gz", "P2/seg.nii.gz")
    os.rename(os.fsencode(tmp_path) + b"/ct.nii.gz", folder + b"/ct.nii.gz")
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P2/ct.nii.gz": "P2/seg.nii.gz"}
    assert codes(found) == {"M\\udcfcller/ct.nii.gz": "NAME_IS_NO_TEXT"}
    found_text(found, tmp_path).encode("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_that_would_move_the_cursor_are_spelled(tmp_path: Path) -> None:
    write(tmp_path, "P\x1b[2J\n1/ct.nii.gz", "P\x1b[2J\n1/seg.nii.gz")
    lines = found_text(find_cases(tmp_path), tmp_path).split("\n")
    assert all(line.isprintable() for line in lines) and "P\\x1b[2J\\n1/ct.nii.gz  <-  P" in lines[2]


def test_volumes_that_medusis_cannot_open_are_told(tmp_path: Path) -> None:
    for name in ("a/aparc.mgz", "a/b.mgz", "scans.tar.gz", "x.hdr", "x.img", "table.csv.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 500)
    found = find_cases(tmp_path)
    assert [(p.where, p.what) for p in found.problems] == [
        (".", "1 file in .gz"),
        (".", "1 file in .hdr"),
        ("a", "2 files in .mgz"),
    ]
    assert not found.cases


@pytest.mark.fault("damaged files in the input of a batch")
def test_damaged_files_are_cases_when_they_are_called_ct_and_problems_otherwise(tmp_path: Path) -> None:
    """Whoever reads a case names what is wrong with it; a file without any meaning in its name is told here."""
    for name in ("P1/ct.nii.gz", "P2/scan.nii.gz", "P3/ct.nrrd"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"not an image: " + name.encode())
    found = find_cases(tmp_path)
    assert list(pairs(found, tmp_path)) == ["P1/ct.nii.gz", "P3/ct.nrrd"]
    assert codes(found) == {"P2/scan.nii.gz": "NOT_READABLE"}


@pytest.mark.fault("our own results in the input of a batch")
def test_results_of_medusis_are_no_input(tmp_path: Path) -> None:
    write(tmp_path, "P1/ct.nii.gz")
    with atomic_output_directory(tmp_path / "P1" / "result") as out:
        write(out, "mr.nii.gz", "labels.nii.gz")
        (out / "provenance.json").write_text("{}")
    write(tmp_path, "batch/cases/case-0001/labels.nii.gz", "batch/cases/case-0001/ct.nii.gz")
    (tmp_path / "batch" / "manifest.sqlite").write_bytes(b"")
    empty = Volume(np.zeros(SCANNER.shape_kji, np.uint8), SCANNER)
    write_volume(empty, tmp_path / "P1" / "labels.nii.gz", "SYNTHETIC - not for diagnosis; labels; head-t1w 1.0")
    write_volume(empty, tmp_path / "P1" / "ct_of_it.nrrd", "SYNTHETIC - not for diagnosis; MR")
    found = find_cases(tmp_path)
    assert pairs(found, tmp_path) == {"P1/ct.nii.gz": None}
    assert codes(found) == dict.fromkeys(("P1/result", "batch", "P1/labels.nii.gz", "P1/ct_of_it.nrrd"), "SYNTHETIC")


def test_files_that_go_away_while_they_are_looked_at_hurt_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies are looked for at the end: by then a file may be gone, or not be readable for this user."""
    write(tmp_path, "P1/ct.nii.gz", "P2/ct.nii.gz", seed=1)
    (tmp_path / "P2" / "ct.nii.gz").write_bytes((tmp_path / "P1" / "ct.nii.gz").read_bytes())
    monkeypatch.setattr(copies, "sample_of", lambda path: grids.sample_of(path.with_name("gone")))
    assert list(found_in(tmp_path)) == ["P1/ct.nii.gz", "P2/ct.nii.gz"]


def test_the_order_is_that_of_names_and_not_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (10, 9, 100, 1):
        write(tmp_path, f"P{number}/ct.nii.gz", f"x{number}_seg.nii.gz", seed=number)
    first = find_cases(tmp_path)
    scandir = os.scandir

    class Backwards(list):
        def __enter__(self) -> Any:
            return iter(self)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(tree.os, "scandir", lambda path: Backwards(reversed(list(scandir(path)))))
    assert find_cases(tmp_path) == first
    assert [case.key for case in first.cases] == [f"P{n}/ct.nii.gz" for n in (1, 9, 10, 100)]


def test_a_search_can_be_cancelled(tmp_path: Path) -> None:
    class Impatient(Progress):
        def checkpoint(self) -> None:
            raise MedUSISError(ErrorCode.CANCELLED, "cancelled")

    write(tmp_path, "P1/ct.nii.gz")
    with pytest.raises(MedUSISError) as caught:
        find_cases(tmp_path, Impatient())
    assert caught.value.code is ErrorCode.CANCELLED


@pytest.mark.long
def test_ten_thousand_files(tmp_path: Path) -> None:
    write(tmp_path, "one.nii.gz")
    data = (tmp_path / "one.nii.gz").read_bytes()
    (tmp_path / "one.nii.gz").unlink()
    for number in range(2500):
        folder = tmp_path / f"cohort {number % 7}" / f"P{number}"
        folder.mkdir(parents=True)
        for name in ("ct.nii.gz", "seg.nii.gz", "t1.nii.gz", "notes.txt"):
            # Otherwise they are copies of one another.
            (folder / name).write_bytes(data + str(number).encode())
    found = find_cases(tmp_path)
    assert len(found.cases) == 2500 and not found.without_segmentation
    assert set(codes(found).values()) == {"NOT_A_CT"}
