"""Tables of cases: however a spreadsheet wrote them, every row is a case or a problem with its line."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from batch_tree import codes, grid, pairs, write
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from MedUSISLib.batch.case import BatchCase
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.found_file import read_found, write_found
from MedUSISLib.batch.table import read_case_table
from MedUSISLib.batch.table_writing import write_case_table
from MedUSISLib.errors import ErrorCode, MedUSISError

QUICK = [Phase.explicit, Phase.generate]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    """A folder with files that tables may name."""
    write(tmp_path, "d/a b.nii.gz", "d/ü,ct.nii.gz", "d/s.nii.gz", "d/t.nii.gz")
    (tmp_path / "mine.csv").write_text("value,name,class\n1,brain,brain\n")
    return tmp_path


def table(folder: Path, text: str | bytes, name: str = "cases.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


_TWO = 'ct{0}segmentation{0}id{1}d/a b.nii.gz{0}d/s.nii.gz{0}one{1}"d/ü,ct.nii.gz"{0}{0}two{1}'
SPELLINGS = {
    "comma": _TWO.format(",", "\n").encode(),
    "semicolon, Windows lines and a mark": _TWO.format(";", "\r\n").encode("utf-8-sig"),
    "tab, other headings": _TWO.format("\t", "\n").replace("ct\tsegmentation", "CT\t Seg ", 1).encode(),
    "UTF-16 of Excel": _TWO.format("\t", "\r\n").encode("utf-16"),
    "Western Europe": _TWO.format(";", "\n").encode("cp1252"),
    "comments, empty lines": ("# mine\n\n" + _TWO.format(",", "\n\n#x\n") + ",,\n").encode(),
    "backslashes": _TWO.format(",", "\n").replace("d/", "d\\").encode(),
    "the separator said first, as by Excel": ("sep=;\r\n" + _TWO.format(";", "\r\n")).encode("utf-8-sig"),
    "paths in quotes, as Windows copies them": _TWO.format(",", "\n")
    .replace("d/a b.nii.gz", '"""d\\a b.nii.gz"""')
    .replace("d/s.nii.gz", "'d/s.nii.gz'")
    .encode(),
    "umlauts of two characters, as a Mac has them": unicodedata.normalize("NFD", _TWO.format(",", "\n")).encode(),
    "no end of the last line": _TWO.format(",", "\n").rstrip().encode(),
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_tables_of_every_spreadsheet_are_read(folder: Path, spelling: str) -> None:
    found = find_cases(table(folder, SPELLINGS[spelling]))
    assert found.kind == "table" and not found.problems
    assert pairs(found, folder) == {"one": "d/s.nii.gz", "two": None}
    assert [case.ct.name for case in found.cases] == ["a b.nii.gz", "ü,ct.nii.gz"]


def test_wrong_rows_are_told_by_their_line_and_cost_no_others(folder: Path) -> None:
    rows = [
        "id,ct,segmentation,labels",
        "1,d/a b.nii.gz,d/s.nii.gz,synthseg",
        "1,d/a b.nii.gz,d/t.nii.gz,",
        "2,d/a b.nii.gz,d/s.nii.gz,synthseg",
        "3,d/gone.nii.gz,,",
        "4,d/a b.nii.gz,d/gone.nii.gz,",
        "5,,d/s.nii.gz,",
        "6,d/ü,ct.nii.gz,d/s.nii.gz,synthseg",
        "7,d/a b.nii.gz,d/t.nii.gz,mine.csv",
        "8,d/s.nii.gz,,gone.csv",
        f"9,{'x' * 5000},,",
        "10,~nobody-of-this-name/ct.nii.gz,,",
        "11,d/s.nii.gz,d/s.nii.gz,",
    ]
    found = find_cases(table(folder, "\n".join(rows)))
    assert {case.key: case.labels for case in found.cases} == {
        "1": "synthseg",
        "7": str((folder / "mine.csv").resolve()),
    }
    assert codes(found) == {
        "row 3": "DUPLICATE_ID",
        "row 4": "DUPLICATE",
        "row 5": "MISSING_FILE",
        "row 6": "MISSING_FILE",
        "row 7": "TABLE_ROW",
        "row 8": "TABLE_ROW",
        "row 10": "MISSING_FILE",
        "row 11": "MISSING_FILE",
        "row 12": "MISSING_FILE",
        "row 13": "TABLE_ROW",
    }


def test_rows_that_were_mixed_up_are_told_and_not_done(folder: Path) -> None:
    for number in (1, 2, 3):
        write(folder, f"p{number}/ct.nii.gz", f"p{number}/seg.nii.gz", geometry=grid(number))
    write(folder, "p4/ct.nii.gz", "p4/seg.nii.gz")
    rows = ["ct,segmentation", *(f"p{a}/ct.nii.gz,p{b}/seg.nii.gz" for a, b in ((1, 2), (2, 1), (3, 3), (4, 3)))]
    found = find_cases(table(folder, "\n".join(rows)))
    # A segmentation that its own CT has, too, may be meant for another reconstruction.
    assert pairs(found, folder) == {"p3/ct.nii.gz": "p3/seg.nii.gz", "p4/ct.nii.gz": "p3/seg.nii.gz"}
    assert codes(found) == {"row 2": "ROW_AGAINST_VOXELS", "row 3": "ROW_AGAINST_VOXELS"}


@pytest.mark.skipif(os.name == "nt", reason="drives are where they are")
def test_a_drive_of_windows_is_named_as_one(folder: Path) -> None:
    found = find_cases(table(folder, "ct,segmentation\nC:\\d\\s.nii.gz,\nd/s.nii.gz,d/none.nii.gz\n"))
    assert [("Windows" in one.what) for one in found.problems] == [True, False]


def test_without_ids_the_paths_are_the_keys(folder: Path) -> None:
    found = find_cases(table(folder, "ct,seg\nd/a b.nii.gz,d/s.nii.gz\nd/a b.nii.gz,d/t.nii.gz\n"))
    assert [case.key for case in found.cases] == ["d/a b.nii.gz", "d/a b.nii.gz + d/t.nii.gz"]


def test_a_misspelt_heading_is_told(folder: Path) -> None:
    found = find_cases(table(folder, "ct,segmentatoin\nd/a b.nii.gz,d/s.nii.gz\n"))
    assert found.without_segmentation == 1 and codes(found) == {"column 2": "UNKNOWN_COLUMN"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (b"", ErrorCode.BAD_SETTING, "column ct"),
        (b"image,mask\na,b\n", ErrorCode.BAD_SETTING, "column ct"),
        (b"ct,seg,ct\na,b,c\n", ErrorCode.BAD_SETTING, "each column once"),
        (b"\0\1\2binary\0", ErrorCode.INPUT_NOT_READABLE, "cannot be read"),
        (b'ct,seg\n"a\n', None, "row 2"),
        (b"ct,seg\n", None, "row 2"),
    ],
)
def test_what_is_no_table_has_a_name(folder: Path, text: bytes, code: ErrorCode | None, words: str) -> None:
    path = table(folder, text)
    if code is None:
        assert words in {problem.where for problem in find_cases(path).problems}
        return
    with pytest.raises(MedUSISError) as caught:
        find_cases(path)
    assert caught.value.code is code and words in caught.value.message


@pytest.mark.parametrize("name", ["gone", "gone.csv", "picture.png"])
def test_an_input_that_is_none_has_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(MedUSISError) as caught:
        find_cases(tmp_path / name)
    assert caught.value.code in (ErrorCode.INPUT_NOT_READABLE, ErrorCode.BAD_SETTING)
    assert name not in str(caught.value)


def test_what_was_found_can_be_corrected_as_a_table(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    write(folder, "d/p1_ct.nii.gz", "d/p1_seg.nii.gz", "d/p2_ct.nii.gz")
    found = find_cases(folder)
    path = write_case_table(found, tmp_path_factory.mktemp("elsewhere") / "cases.csv")
    assert path.stat().st_mode & 0o077 == 0, "it names patients"
    again = find_cases(path)
    assert again.cases == found.cases and not again.problems


def test_what_was_matched_with_nothing_waits_in_the_table(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write(folder, "P1/ct.nii.gz", "P1/seg.nii.gz", '#2, "new"/ct.nii.gz', '#2, "new"/seg.nii.gz')
    write(folder, "P3/ct.nii.gz", "P3/seg_a.nii.gz", "P3/seg_b.nii.gz", geometry=grid(3))
    write(folder, "P4/seg.nii.gz", geometry=grid(4))
    found = find_cases(folder)
    assert len(found.cases) == 2 and codes(found)["P3/ct.nii.gz"] == "SEVERAL_SEGMENTATIONS"
    path = write_case_table(found, tmp_path_factory.mktemp("elsewhere") / "cases.csv", folder)
    again = find_cases(path)
    assert [(case.ct, case.segmentation) for case in again.cases] == [
        (case.ct, case.segmentation) for case in found.cases
    ] and not again.problems

    text = path.read_text()
    ct, segmentation = (str(folder.resolve() / "P3" / name) for name in ("ct.nii.gz", "seg_b.nii.gz"))
    assert f"# P3/ct.nii.gz,{ct},,,\n" in text and f"# P3/seg_b.nii.gz,,{segmentation},,\n" in text
    assert f",,{folder.resolve() / 'P4' / 'seg.nii.gz'},,\n" in text
    path.write_text(text.replace(f"# P3/ct.nii.gz,{ct},", f" P3/ct.nii.gz,{ct},{segmentation}"))
    corrected = find_cases(path)
    assert corrected.cases[-1] == BatchCase("P3/ct.nii.gz", Path(ct), Path(segmentation)) and not corrected.problems
    assert len(corrected.cases) == 3


def test_what_was_found_is_handed_on_whole_or_not_at_all(folder: Path) -> None:
    write(folder, "P1/ct.nii.gz", "P1/seg.nii.gz", "P2/ct.nii.gz")
    (folder / "P2" / "images.zip").write_bytes(b"PK")
    found = find_cases(folder)
    write_found(folder / "found.json", found)
    assert read_found(folder / "found.json") == found
    for damaged in ("{}", "[]", '{"kind": "cake", "cases": [], "problems": []}', '{"kind": "bids", "cases": [{}]'):
        (folder / "found.json").write_text(damaged)
        with pytest.raises(ValueError):
            read_found(folder / "found.json")


@pytest.mark.fault("any bytes as a table of cases")
@settings(max_examples=60, deadline=None, phases=QUICK)
@given(st.binary(max_size=200) | st.text(alphabet='ct,;\t"\n\r#segid/.ü\0 ', max_size=120).map(str.encode))
def test_no_table_ends_in_anything_but_cases_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    try:
        found = read_case_table(path)
    except MedUSISError as error:
        assert error.code in (ErrorCode.BAD_SETTING, ErrorCode.INPUT_NOT_READABLE)
    else:
        assert found.cases or found.problems
