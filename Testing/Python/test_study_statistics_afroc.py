"""Readers who mark lesions: areas under the AFROC by hand, published numbers of Zanca's data, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from study_ratings import made_table, rows_of, study_data
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.study.statistics.covariances import jackknife_covariance
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.free_response import (
    AfrocArea,
    FalseMarksPerCase,
    LesionSensitivity,
    froc_points,
    inferred_roc_area,
)
from MedUSISLib.study.statistics.lesion_table import LesionTable
from MedUSISLib.study.statistics.mrmc import analyse_mrmc


def test_raw_marks_of_zanca_give_the_published_weighted_afroc_analysis() -> None:
    # Zanca et al., Med. Phys. 36 (2009): 5 tests, 4 readers, 100 + 100 cases; numbers as RJafroc's book prints them.
    lesions, marks = study_data("zanca_lesions.csv", "zanca_marks.csv")
    table = LesionTable.from_csv(lesions, marks)
    result = analyse_mrmc(AfrocArea(table))
    published = [
        [0.779, 0.725, 0.704, 0.805],
        [0.787, 0.727, 0.723, 0.804],
        [0.730, 0.716, 0.672, 0.773],
        [0.810, 0.743, 0.694, 0.829],
        [0.749, 0.682, 0.655, 0.771],
    ]
    np.testing.assert_allclose(result.values, published, atol=5e-4)
    error = result.components.error
    found = (error.variance, error.cov1, error.cov2, error.cov3)
    np.testing.assert_allclose(found, (0.000928, 0.000422, 0.000336, 0.000304), atol=5e-7)
    both, cases, _ = result.analyses
    assert (both.statistic, both.ddf) == (pytest.approx(7.80, abs=0.005), pytest.approx(36.8, abs=0.05))
    assert both.p_value == pytest.approx(0.000117, abs=5e-7)
    assert (cases.statistic, cases.p_value) == (pytest.approx(15.4, abs=0.05), pytest.approx(0.00393, abs=5e-6))
    last = both.differences[-1]
    assert (last.estimate.value, last.estimate.standard_error) == (
        pytest.approx(0.05488, abs=5e-6),
        pytest.approx(0.0122, abs=5e-5),
    )
    assert (last.estimate.low, last.estimate.high) == (
        pytest.approx(0.03018, abs=5e-6),
        pytest.approx(0.07957, abs=5e-6),
    )
    inferred = analyse_mrmc(inferred_roc_area(table))
    p_values = [a.p_value for a in inferred.analyses]
    assert p_values == [
        pytest.approx(0.0305, abs=5e-5),
        pytest.approx(0.00868, abs=5e-6),
        pytest.approx(0.0253, abs=5e-5),
    ]


def example_marks() -> LesionTable:
    """Cases 1, 2 normal; 3 with one lesion, 4 with two. Reader a, test CT."""
    lesions = [("1", ""), ("2", ""), ("3", "x"), ("4", "x"), ("4", "y")]
    marks = [("1", "", 2), ("1", "", 1), ("3", "x", 2), ("4", "x", 3), ("3", "", 4)]
    return LesionTable.from_rows(
        [{"case": c, "lesion": n} for c, n in lesions],
        [{"reader": "a", "test": "CT", "case": c, "lesion": n, "rating": x} for c, n, x in marks],
    )


def test_afroc_areas_by_hand() -> None:
    # psi over normals (2, nothing) x lesions (3x: 2, 4x: 3, 4y: unmarked) = [[.5, 1, 0], [1, 1, .5]]
    table = example_marks()
    assert AfrocArea(table, weighted=False).values()[0, 0] == pytest.approx((0.5 + 1 + 0 + 1 + 1 + 0.5) / 6)
    assert AfrocArea(table).values()[0, 0] == pytest.approx((0.5 + 1 + (1 + 0) / 2 + (1 + 0.5) / 2) / 4)
    # with false marks of all cases: case 3 has 4, case 4 none
    assert AfrocArea(table, False, True).values()[0, 0] == pytest.approx((1.5 + 2.5 + 0 + 2.5) / 12)
    assert inferred_roc_area(table).values()[0, 0] == pytest.approx(1.0)


def test_lesions_found_and_false_marks_by_hand() -> None:
    table = example_marks()
    assert LesionSensitivity(table).values()[0, 0] == pytest.approx(2 / 3)
    assert FalseMarksPerCase(table).values()[0, 0] == pytest.approx(3 / 4)
    twice = np.array([1.0, 1, 1, 2])  # case 4: two lesions, one of them found
    assert LesionSensitivity(table).values(twice)[0, 0] == pytest.approx(3 / 5)


def test_lesions_of_one_case_are_resampled_together() -> None:
    # Every case has three lesions that are found all or not at all: the error must be that of the cases.
    found = np.random.default_rng(0).random((2, 30)) < 0.6
    lesions = [{"case": k, "lesion": n} for k in range(30) for n in "xyz"]
    marks = [
        {"reader": "a", "test": t, "case": k, "lesion": n, "rating": 1}
        for t in range(2)
        for k in range(30)
        for n in "xyz"
        if found[t, k]
    ]
    covariance = jackknife_covariance(LesionSensitivity(LesionTable.from_rows(lesions, marks)))
    p = found.mean(axis=1)
    np.testing.assert_allclose(np.einsum("trtr->tr", covariance)[:, 0], p * (1 - p) / 29)


def test_froc_points_count_false_marks_and_lesions() -> None:
    x, y = froc_points(example_marks(), 0, 0)
    np.testing.assert_allclose(x, [0, 1 / 4, 1 / 4, 2 / 4, 3 / 4])
    np.testing.assert_allclose(y, [0, 0, 1 / 3, 2 / 3, 2 / 3])


def test_with_one_lesion_per_case_and_no_false_mark_there_afroc_is_the_roc() -> None:
    table = made_table(cases=30)
    lesions = [{"case": c, "lesion": "x" if t else ""} for c, t in zip(table.cases, table.truth, strict=True)]
    marks = [{**row, "lesion": "x" if row["truth"] else ""} for row in rows_of(table)]
    figure = AfrocArea(LesionTable.from_rows(lesions, marks))
    roc = EmpiricalAuc(table)
    np.testing.assert_allclose(figure.values(), roc.values())
    assert analyse_mrmc(figure).analyses[0].p_value == pytest.approx(analyse_mrmc(roc).analyses[0].p_value)


def test_the_command_reads_marks_and_lesions(tmp_path: Path) -> None:
    table = made_table(cases=20)
    lesions, marks = tmp_path / "lesions.csv", tmp_path / "marks.csv"
    lesions.write_text(
        "case,lesion\n" + "".join(f"{c},{'x' if t else ''}\n" for c, t in zip(table.cases, table.truth, strict=True))
    )
    marks.write_text(
        "reader,test,case,lesion,rating\n"
        + "".join(
            f"{r['reader']},{r['test']},{r['case']},{'x' if r['truth'] else ''},{r['rating']}\n" for r in rows_of(table)
        )
    )
    arguments = ["study", "mrmc", str(marks), "--lesions", str(lesions), "--figure"]
    for figure in ("wafroc", "afroc", "wafroc1", "afroc1", "inferred-roc", "lesion-sensitivity", "false-marks"):
        done = CliRunner().invoke(app, [*arguments, figure, "--json"])
        assert done.exit_code == 0, (figure, done.output, done.exception)
        assert json.loads(done.output)["figure"] == figure
