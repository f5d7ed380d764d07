"""The CSV format of mappings: what can be read, and that a bad row is named by its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.mapping_table import MappingRow, format_mapping_table, parse_mapping_table
from MedUSISLib.errors import ErrorCode, MedUSISError

_names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12) | st.sampled_from(
    ["Left lung", 'the "big" one', "a, b; c", "#5", ""]
)
_rows = st.tuples(
    st.integers(-(2**31) + 1, 2**31 - 1_000),
    st.just(0) | st.integers(0, 900),
    _names,
    st.sampled_from(["skin", "white_matter", "background"]),
).map(lambda row: MappingRow(line=0, first=row[0], last=row[0] + row[1], name=row[2], class_name=row[3]))


@given(st.lists(_rows, min_size=1, max_size=20))
def test_table_survives_a_round_trip(rows):
    parsed = parse_mapping_table(format_mapping_table(rows))
    assert [row._replace(line=0) for row in parsed] == rows
    assert [row.line for row in parsed] == list(range(2, len(rows) + 2))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_common_spreadsheet_exports_are_read(separator):
    text = "\ufeff# by hand\n\nValue,Name,Class,remark\n1,Left lung,lung,ok\n,,,\n3-5,,liver,\n".replace(",", separator)
    rows = parse_mapping_table(text.lstrip("\ufeff"))
    assert rows == [MappingRow(4, 1, 1, "Left lung", "lung"), MappingRow(6, 3, 5, "", "liver")]


def test_name_column_may_be_left_out():
    assert parse_mapping_table("class,value\nlung,7\n") == [MappingRow(2, 7, 7, "", "lung")]


def test_negative_values_and_negative_range_starts_are_read():
    assert [(row.first, row.last) for row in parse_mapping_table("value,class\n-3,a\n-3 - 4,b\n")] == [
        (-3, -3),
        (-3, 4),
    ]


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", ErrorCode.BAD_SETTING, "is empty"),
        ("# only this\n", ErrorCode.BAD_SETTING, "is empty"),
        ("value,name,class\n", ErrorCode.BAD_SETTING, "no rows"),
        ("1,lung\n", ErrorCode.BAD_SETTING, "line 1 .*value and class"),
        ("value,value,class\n1,1,skin\n", ErrorCode.BAD_SETTING, "line 1 .*value is missing or there twice"),
        ("value,name,class\n1,a,skin\n2,b\n", ErrorCode.BAD_SETTING, "line 3 .*2 columns instead of 3"),
        ("value,name,class\n\n# x\n1.5,a,skin\n", ErrorCode.BAD_SETTING, "line 4 .*'1.5' is not a label value"),
        ("value,name,class\nskin,a,1\n", ErrorCode.BAD_SETTING, "line 2 .*'skin' is not a label value"),
        ("value,name,class\n9-3,a,skin\n", ErrorCode.BAD_SETTING, "line 2 .*not a usable range"),
        ("value,name,class\n1-99999999,a,skin\n", ErrorCode.BAD_SETTING, "line 2 .*not a usable range"),
        ("value,name,class\n99999999999,a,skin\n", ErrorCode.BAD_SETTING, "line 2 .*not a usable range"),
        ("value,name,class\n" + "9" * 5000 + ",a,skin\n", ErrorCode.BAD_SETTING, "line 2 .*not a label value"),
        ("value,name,class\n1,a,\n", ErrorCode.BAD_SETTING, "line 2 .*names no class"),
        ("value,name,class\n1,a,skin\n2,b,whit matter\n", ErrorCode.UNKNOWN_LABELS, "line 3 .*whit matter"),
        ("value,name,class\n1,a,16\n", ErrorCode.UNKNOWN_LABELS, "line 2 .*no class '16'"),
    ],
)
def test_bad_table_is_a_named_error_with_its_line_and_without_the_file_name(tmp_path, text, code, reason):
    path = tmp_path / "patient_name.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MedUSISError, match=f"(?s){reason}") as caught:
        load_mapping(path, "head")
    assert caught.value.code == code
    assert "patient_name" not in str(caught.value)
    assert caught.value.path == path


def test_table_that_is_missing_or_not_text_is_not_readable(tmp_path):
    binary = tmp_path / "image.csv"
    binary.write_bytes(b"\x1f\x8b\xff\xfe")
    for path in (tmp_path / "absent.csv", binary):
        with pytest.raises(MedUSISError) as caught:
            load_mapping(path, "head")
        assert caught.value.code == ErrorCode.INPUT_NOT_READABLE


def test_class_may_be_written_as_its_index_and_in_any_spelling(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("value,class\n1,White Matter\n2,9\n", encoding="utf-8")
    assert load_mapping(path, "head").index_of_value == {0: 0, 1: 9, 2: 9}
