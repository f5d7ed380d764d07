"""Rows of the manifest as cases and problems, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from MedUSISLib.batch.case import BatchCase, CaseProblem
from MedUSISLib.batch.states import CaseRow, CaseState, case_name

ROW_COLUMNS = tuple(field.name for field in fields(CaseRow) if field.name != "name")
CASE_COLUMNS = "key, ct, segmentation, labels, ct_series"
_TIMES = ("started", "ended")


def case_of(found: sqlite3.Row) -> BatchCase:
    """Of a row with `CASE_COLUMNS`."""
    key, ct, segmentation, labels, ct_series = found
    return BatchCase(key, Path(ct), Path(segmentation) if segmentation is not None else None, labels, ct_series)


def places(case: BatchCase) -> tuple[str, str | None, str | None, str | None]:
    """CT, segmentation, labels and series as they stand in a row."""
    segmentation = None if case.segmentation is None else str(case.segmentation)
    return str(case.ct), segmentation, case.labels, case.ct_series


def insert_cases(connection: sqlite3.Connection, cases: Iterable[BatchCase], first: int) -> None:
    """Add cases that wait, numbered from ``first``."""
    rows = [(number, case.key, *places(case), CaseState.WAITING.value) for number, case in enumerate(cases, first)]
    connection.executemany(
        "INSERT INTO cases (number, key, ct, segmentation, labels, ct_series, state) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
    )


def insert_problems(connection: sqlite3.Connection, problems: Iterable[CaseProblem]) -> None:
    """Add problems in their order."""
    connection.executemany(
        "INSERT INTO problems (code, place, what, remedy) VALUES (?, ?, ?, ?)",
        [(problem.code, problem.where, problem.what, problem.remedy) for problem in problems],
    )


def row_of(found: sqlite3.Row) -> CaseRow:
    """Of a row with `ROW_COLUMNS`; ValueError and TypeError for values that are none of ours."""
    values = dict(found)
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    values["review"] = None if values["review"] is None else bool(values["review"])
    return CaseRow(**{**values, "state": CaseState(values["state"]), "name": case_name(values["number"])})
