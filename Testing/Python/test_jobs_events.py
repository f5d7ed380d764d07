"""Events are lines of strict JSON that survive the round trip."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import (
    Event,
    EventWriter,
    Failure,
    JobProgress,
    Metric,
    Preview,
    Result,
    Stage,
    Step,
    Warned,
    parse_event,
    to_json,
)

EXAMPLES: list[Event] = [
    Stage("reading"),
    Step(3, 10, 1.5, 4.7),
    Preview("out/slice.png"),
    Metric("loss", 0.5, {"iteration": 3}),
    Warned("RESAMPLED", "the segmentation was resampled"),
    Result("out", {"dice": {"body": 0.98}}),
    Failure("NOT_A_CT", "the CT has no air", "give a CT", None),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.event)
def test_event_survives_the_round_trip(event: Event) -> None:
    assert parse_event(to_json(event)) == event


@given(st.text())
def test_text_with_line_ends_stays_one_line(text: str) -> None:
    line = to_json(Warned("X", text))
    assert "\n" not in line and line.isascii()
    assert parse_event(line) == Warned("X", text)


@pytest.mark.parametrize("line", ["", "hello", "3", "[]", '{"event": "party"}', '{"event": "progress", "done": 1}'])
def test_other_lines_are_no_events(line: str) -> None:
    assert parse_event(line) is None


def test_fields_of_a_newer_version_are_ignored() -> None:
    assert parse_event('{"event": "stage", "name": "reading", "colour": "red"}') == Stage("reading")


def test_numbers_that_json_does_not_know_become_null() -> None:
    line = to_json(Metric("loss", float("nan"), {"a": float("inf"), "b": np.float32(0.5), "c": np.int64(3)}))
    assert json.loads(line) == {
        "event": "metric",
        "name": "loss",
        "value": None,
        "details": {"a": None, "b": 0.5, "c": 3},
    }


def test_steps_are_thinned_but_the_last_one_is_written() -> None:
    stream = io.StringIO()
    progress = JobProgress(EventWriter(stream))
    progress.stage("synthesizing")
    for done in range(1, 10_001):
        progress.step(done, 10_000)
    lines = stream.getvalue().splitlines()
    assert len(lines) < 100
    assert json.loads(lines[-1])["done"] == 10_000


def test_checkpoint_raises_after_cancel_only() -> None:
    progress = JobProgress(EventWriter(io.StringIO()))
    progress.checkpoint()
    progress.cancel()
    with pytest.raises(MedUSISError) as raised:
        progress.checkpoint()
    assert raised.value.code is ErrorCode.CANCELLED


def test_closed_stream_does_not_stop_the_work() -> None:
    stream = io.StringIO()
    stream.close()
    JobProgress(EventWriter(stream)).preview(Path("x"))


def test_error_of_a_newer_version_becomes_internal() -> None:
    assert Failure("SUN_FLARE", "bits fell over").error().code is ErrorCode.INTERNAL
