"""What is wrong with a table of ratings is said by name and line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from study_ratings import made_table, rows_of

from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.table_problems import TableError, TableProblem

GOOD = "reader,test,case,truth,rating\na,CT,1,0,1\na,CT,2,1,3\n"


def problem_of(text: str, tmp_path: Path) -> TableError:
    path = tmp_path / "doe_john.csv"
    path.write_text(text)
    with pytest.raises(TableError) as caught:
        RatingTable.from_csv(path).require_crossed()
    assert "doe" not in str(caught.value)
    return caught.value


def test_a_table_survives_the_way_through_a_file(tmp_path: Path) -> None:
    table = made_table()
    path = tmp_path / "table.csv"
    rows = rows_of(table)
    path.write_text("\n".join([";".join(rows[0]), *(";".join(map(str, row.values())) for row in rows)]))
    read = RatingTable.from_csv(path)
    assert read.readers == table.readers and read.tests == table.tests and read.cases == table.cases
    np.testing.assert_array_equal(read.ratings, table.ratings)
    np.testing.assert_array_equal(read.truth, table.truth)


@pytest.mark.parametrize("name", ["test", "modality", "treatment", "arm"])
def test_the_test_may_be_called_as_other_programs_call_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(GOOD.replace("test", name))
    assert RatingTable.from_csv(path).tests == ("CT",)


@pytest.mark.parametrize(
    ("text", "problem", "words"),
    [
        ("", TableProblem.EMPTY_TABLE, "empty"),
        ("reader,test,case,truth,rating\n", TableProblem.EMPTY_TABLE, "no rows"),
        (GOOD.replace("rating", "notes"), TableProblem.MISSING_COLUMN, "rating"),
        (GOOD + "a,CT,2,1,4\n", TableProblem.DUPLICATE_ROW, "line 4"),
        (GOOD + "b,CT,1,1,4\n", TableProblem.TRUTH_DIFFERS, "line 4"),
        (GOOD + "b,CT,1,maybe,4\n", TableProblem.BAD_TRUTH, "line 4"),
        (GOOD + "b,CT,1,0,high\n", TableProblem.NOT_A_NUMBER, "line 4"),
        (GOOD + "b,,1,0,1\n", TableProblem.EMPTY_FIELD, "line 4"),
        (GOOD + "b,CT,1,0\n", TableProblem.NOT_A_TABLE, "line 4"),
        (GOOD + "b,CT,1,0,2\n", TableProblem.MISSING_CELLS, "1 of 4"),
        (GOOD + "b,CT,1,0,2\nb,CT,2,1,\n", TableProblem.MISSING_CELLS, "reader b"),
        (GOOD + "b,MR,1,0,2\nb,MR,2,1,3\n", TableProblem.UNBALANCED, "reader b"),
    ],
)
def test_each_fault_has_its_name(text: str, problem: TableProblem, words: str, tmp_path: Path) -> None:
    error = problem_of(text, tmp_path)
    assert error.problem is problem
    assert words in error.message


SAVED_BY_OTHERS = {
    "byte order mark, tabs, capitals": "\ufeff" + GOOD.replace(",", "\t").replace("rating", "RATING"),
    "line ends of Windows": GOOD.replace("\n", "\r\n"),
    "line ends of old Macs": GOOD.replace("\n", "\r"),
    "separator named first, decimal comma": "sep=;\n" + GOOD.replace(",", ";").replace(";3", ";3,0"),
    "quoted decimal comma": GOOD.replace(",3", ',"3,0"'),
    "empty lines before": "\n\n" + GOOD,
    "empty fields behind": GOOD.replace(",1\n", ",1,,\n").replace(",3\n", ",3,,\n"),
    "names of iMRMC": GOOD.replace("reader,test,case", "reader ID,Modality_ID,case.ID"),
    "other order, more columns": "note,rating,truth,case,test,reader\nx,1,0,1,CT,a\n,3,1,2,CT,a\n",
    "row names of R": '"",reader,test,case,truth,rating\n"1",a,CT,1,0,1\n"2",a,CT,2,1,3\n',
}


@pytest.mark.parametrize("text", SAVED_BY_OTHERS.values(), ids=SAVED_BY_OTHERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tables_of_spreadsheets_and_statistics_programs_are_read(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.removeprefix("\ufeff" if encoding == "utf-16" else "").encode(encoding))
    table = RatingTable.from_csv(path)
    assert (table.readers, table.tests, table.cases) == (("a",), ("CT",), ("1", "2"))
    assert table.truth.tolist() == [False, True] and table.ratings.tolist() == [[[1.0, 3.0]]]


@pytest.mark.parametrize(
    "pair",
    ["0/1", "0.00/1.00", "FALSE/TRUE", "no/yes", "n/y", "Negative/Positive", "normal/diseased", "absent/present"],
)
def test_truth_may_be_a_word(pair: str, tmp_path: Path) -> None:
    negative, positive = pair.split("/")
    path = tmp_path / "t.csv"
    path.write_text(f"reader,test,case,truth,rating\na,CT,1,{negative},1\na,CT,2,{positive},3\n")
    assert RatingTable.from_csv(path).truth.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "problem", "words"),
    [
        (GOOD.replace("truth", "rating"), TableProblem.REPEATED_COLUMN, "2 columns rating"),
        (GOOD.replace("a,CT,2", '"a,CT,2') + "x" * 140_000, TableProblem.NOT_A_TABLE, "line"),
        (GOOD + 'b,CT,1,0,"1,234"\n', TableProblem.NOT_A_NUMBER, "line 4"),
        (GOOD + "b,CT,1,0,1_0\n", TableProblem.NOT_A_NUMBER, "line 4"),
        (GOOD + "b,CT,1,0,1,7\n", TableProblem.NOT_A_TABLE, "line 4"),
        (GOOD + "b,CT,1,2,1\n", TableProblem.BAD_TRUTH, "line 4"),
        (GOOD + "b,CT,1,0,2\nb,CT,2,1,.\n", TableProblem.MISSING_CELLS, "1 of 4"),
        ("\n\n" + GOOD + "b,CT,1,0,x\n", TableProblem.NOT_A_NUMBER, "line 6"),
    ],
)
def test_what_could_be_misread_is_refused(text: str, problem: TableProblem, words: str, tmp_path: Path) -> None:
    error = problem_of(text, tmp_path)
    assert error.problem is problem
    assert words in error.message


def test_cases_of_one_cluster_have_no_variance_and_a_table_can_be_left_without_cases() -> None:
    rows = rows_of(made_table(cases=8))
    one = RatingTable.from_rows({**row, "cluster": row["truth"]} for row in rows)
    with pytest.raises(TableError, match="cluster") as caught:
        one.require_both_classes()
    assert caught.value.problem is TableProblem.TOO_FEW_CASES
    with pytest.raises(TableError, match="no case was rated"):
        RatingTable.from_rows(row for row in rows if (row["reader"], row["test"]) != ("r0", "t0")).complete_cases()


def test_lines_are_those_of_the_file_whatever_is_empty_or_quoted(tmp_path: Path) -> None:
    text = 'reader,test,case,truth,rating,remark\n\na,CT,1,0,1,"two\nlines"\na,CT,2,1,x,\n'
    assert "line 5" in problem_of(text, tmp_path).message


def test_no_marks_need_the_names_of_readers_and_tests() -> None:
    lesions = [{"case": "1", "lesion": "a"}, {"case": "2", "lesion": ""}]
    with pytest.raises(TableError, match="no marks"):
        LesionTable.from_rows(lesions, [])
    assert LesionTable.from_rows(lesions, [], ["x"], ["CT"]).lesion_ratings.shape == (1, 1, 1)


def test_one_class_and_too_few_cases_are_told_apart() -> None:
    table = made_table(cases=10)
    one = table.without_cases(table.truth)
    with pytest.raises(TableError) as caught:
        one.require_both_classes()
    assert caught.value.problem is TableProblem.ONE_CLASS
    with pytest.raises(TableError) as caught:
        table.without_cases(np.arange(10) > 2).require_both_classes()
    assert caught.value.problem is TableProblem.TOO_FEW_CASES


def test_incomplete_cases_can_be_left_out() -> None:
    rows = rows_of(made_table(cases=6))[:-1]
    table = RatingTable.from_rows(rows).complete_cases()
    table.require_crossed()
    assert len(table.cases) == 5


def test_an_error_of_a_table_passes_between_processes() -> None:
    error = TableError(TableProblem.ONE_CLASS, "no case", "give some")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, MedUSISError)
    assert (str(again), again.problem) == (str(error), error.problem)


def test_marks_must_fit_the_lesions() -> None:
    lesions = [{"case": "1", "lesion": "a"}, {"case": "2", "lesion": ""}]
    mark = {"reader": "x", "test": "CT", "case": "1", "lesion": "a", "rating": 3}
    assert LesionTable.from_rows(lesions, [mark]).lesion_ratings.tolist() == [[[3.0]]]
    assert LesionTable.from_rows(lesions, [{**mark, "rating": "2,5"}]).lesion_ratings.tolist() == [[[2.5]]]
    for fault, problem in (
        ({"case": "9"}, TableProblem.BAD_LESION),
        ({"lesion": "b"}, TableProblem.BAD_LESION),
        ({"reader": ""}, TableProblem.EMPTY_FIELD),
        ({"test": " "}, TableProblem.EMPTY_FIELD),
        ({"rating": "-inf"}, TableProblem.NOT_A_NUMBER),
        ({"rating": "high"}, TableProblem.NOT_A_NUMBER),
    ):
        with pytest.raises(TableError) as caught:
            LesionTable.from_rows(lesions, [{**mark, **fault}])
        assert caught.value.problem is problem
    with pytest.raises(TableError, match="both without"):
        LesionTable.from_rows([*lesions, {"case": "1", "lesion": ""}], [mark])
