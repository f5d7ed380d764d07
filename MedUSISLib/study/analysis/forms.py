"""The closing form and the readers' profiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import Any

from MedUSISLib.study.analysis.result_parts import FormSummary
from MedUSISLib.study.answers import Row
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.questions import Question, Scale, Text


def newest(rows: Iterable[Row], kind: str) -> dict[str, Row]:
    """The last row of a kind of each reader: a form that was corrected counts as corrected."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: row.sequence):
        if row.kind == kind:
            found[row.reader] = row
    return found


def closing(protocol: Protocol, rows: Iterable[Row]) -> tuple[FormSummary, ...]:
    """Every question of the closing form with the answers of all readers, in the protocol's order."""
    forms = newest(rows, "closing")
    return tuple(_summary(question, protocol.readers, forms) for question in protocol.closing)


def profiles(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    """What each reader said of himself, as text."""
    return {reader: {name: _text(value) for name, value in row.values.items()}
            for reader, row in newest(rows, "profile").items()}  # fmt: skip


def _summary(question: Question, readers: Sequence[str], forms: dict[str, Row]) -> FormSummary:
    answers: dict[str, Any] = {
        reader: forms[reader].values[question.id]
        for reader in readers
        if reader in forms and question.id in forms[reader].values
    }
    numbers = [float(v) for v in answers.values() if isinstance(v, (int, float))]
    is_scale = isinstance(question, Scale)
    return FormSummary(
        question=question.id,
        text=question.text,
        kind=question.kind,
        points=question.points if isinstance(question, Scale) else None,
        lowest=question.lowest if isinstance(question, Scale) else "",
        highest=question.highest if isinstance(question, Scale) else "",
        answers={k: v if isinstance(v, (int, float)) else str(v) for k, v in answers.items()},
        median=median(numbers) if numbers and (is_scale or not isinstance(question, Text)) else None,
        mean=fmean(numbers) if numbers else None,
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
