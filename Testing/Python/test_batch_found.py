"""What a look has found, as the window says it: the same as the command line, and as a table to correct."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from batch_tree import grid, write

from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_file import write_found
from MedUSISLib.batch.found_text import found_text as command_text
from MedUSISLib.batch.found_text import problem_counts
from MedUSISLib.batch.table import read_case_table
from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.batch_found import Found, Problem, found_text, lists_of, read_found, write_table


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Three people with a CT, of which one has no segmentation and one has two; an MR; a file given by its grid."""
    root = tmp_path / "hospital"
    write(root, "P1/ct.nii.gz", "P1/seg.nii.gz", "P1/t1.nii.gz", geometry=grid(1))
    write(root, "P2/ct.nii.gz", geometry=grid(2))
    write(root, "P3/ct.nii.gz", "P3/seg_a.nii.gz", "P3/seg_b.nii.gz", geometry=grid(3))
    write(root, "CT 4.nii.gz", "label.nii.gz", geometry=grid(4))
    return root


def look(source: Path, folder: Path) -> tuple[FoundCases, Found]:
    """As the job does it, and as the window hears of it."""
    listed = find_cases(source)
    write_found(folder / "found.json", listed)
    summary = {
        "kind": listed.kind, "cases": len(listed.cases), "without_segmentation": listed.without_segmentation,
        "problems": len(listed.problems), "workers": 2, "worker_bytes": 2_400_000_000,
    }  # fmt: skip
    return listed, read_found(folder / "found.json", summary)


def test_window_and_command_say_the_same(hospital: Path, tmp_path: Path) -> None:
    listed, found = look(hospital, tmp_path)
    said = command_text(listed, hospital, most_places=99)
    assert found.listed == listed and found_text(found).startswith(
        f"In image files: {len(listed.cases)} CTs, {len(listed.cases) - 1} with their segmentation, 1 without."
    )
    lists = lists_of(found, hospital, 99)
    for line in lists["cases"].lines:
        assert f"{line.where}  <-  {line.what}" in said
    for line in (*lists["unused"].lines, *lists["notes"].lines):
        assert f"    {line.where}: {line.what}" in said
    assert lists["unused"].total + lists["notes"].total == sum(
        number for _, _, number in problem_counts(listed.problems)
    )
    places = [said.index(f"    {line.where}: {line.what}") for line in lists["unused"].lines]
    assert places == sorted(places), "not in the order of the command line"


def test_a_case_to_be_looked_at_is_not_one_that_was_left_out(hospital: Path, tmp_path: Path) -> None:
    _, found = look(hospital, tmp_path)
    assert [problem.where for problem in found.notes] == ["label.nii.gz"]
    assert f"{len(found.unused)} things became no case. 1 thing should be looked at. 2 at a time" in found_text(found)


def test_what_to_do_names_the_button_and_no_command(hospital: Path, tmp_path: Path) -> None:
    _, found = look(hospital, tmp_path)
    lines = {line.where: line for line in lists_of(found, hospital, 99)["unused"].lines}
    assert "'Save table...'" in lines["P3/ct.nii.gz"].details[-1]
    assert not any("medusis" in part for line in lines.values() for part in line.details)
    assert lines["P1/t1.nii.gz"].details[-1] == "what to do: nothing"


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    found = Found("files", 1, 0, (Problem("a", "b", "c"),) * 7)
    (listed,) = lists_of(found, tmp_path, 3).values()
    assert listed.total == 7 and len(listed.lines) == 3


def test_the_table_is_corrected_and_read_again(hospital: Path, tmp_path: Path) -> None:
    listed, found = look(hospital, tmp_path)
    path = write_table(found, hospital, tmp_path / "cases of the 3.11")
    assert path == tmp_path / "cases of the 3.11.csv" and path.stat().st_mode & 0o077 == 0
    again = read_case_table(path)
    assert [replace(case, labels=None) for case in again.cases] == list(listed.cases) and not again.problems
    assert "# P3/seg_a.nii.gz" in path.read_text()
    assert write_table(found, hospital, tmp_path / "other.tsv") == tmp_path / "other.tsv"
    path.write_text("mine")
    with pytest.raises(MedUSISError, match="exists already"):
        write_table(found, hospital, tmp_path / "cases of the 3.11")
    assert path.read_text() == "mine"


def test_a_damaged_file_leaves_the_counts(tmp_path: Path) -> None:
    summary = {"kind": "dicom", "cases": 2, "without_segmentation": 1, "problems": 1}
    (tmp_path / "found.json").write_text('{"problems": [')
    for name in ("found.json", "gone.json"):
        found = read_found(tmp_path / name, summary)
        assert found == Found("dicom", 2, 1, ()) and lists_of(found, tmp_path, 9) == {}
    assert found_text(Found("", 0, 0, ())) == "No CT was found."
    assert found_text(Found("files", 1, 0, ())) == "In image files: 1 CT, with its segmentation."
