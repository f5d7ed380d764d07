"""What a job says becomes what is known of its run."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from MedUSISLib.jobs.events import Event, Failure, Metric, Preview, Result, Stage, Step, Warned, to_json
from MedUSISLib.jobs.log import Scrubber
from MedUSISLib.runs.files import EVENTS_NAME
from MedUSISLib.runs.record import KEPT_WARNINGS, RunRecord
from MedUSISLib.runs.time_left import TimeLeft

_INTERVAL_S = 1.0
TRAINING = "training"
"""How the name of every stage begins whose units are iterations."""


class RunListener:
    """Receives the events of a job, from any thread; keeps the record and ``events.jsonl``.

    ``events.jsonl`` has every event but steps and the figures of an iteration, which are in the training's own log.
    Paths are taken out of what is kept (decision 3).

    Parameters
    ----------
    folder : Path
        Of the run.
    record : RunRecord
        As it was when the job began.

    Attributes
    ----------
    ended : threading.Event
        Set with the last event.
    last : Result or Failure or None
    """

    def __init__(self, folder: Path, record: RunRecord) -> None:
        self._folder = folder
        self._record = record
        self._scrub = Scrubber()
        self._lock = threading.Lock()
        self._time_left = TimeLeft()
        self._estimate_s: float | None = None
        self._changed, self._written = False, float("-inf")
        self.ended = threading.Event()
        self.last: Result | Failure | None = None

    @property
    def record(self) -> RunRecord:
        """What is known now; a copy."""
        with self._lock:
            return self._record.model_copy()

    def remember(self, **changes: Any) -> None:
        """Note something that the job does not say itself."""
        with self._lock:
            self._record = self._record.model_copy(update=changes)
            self._changed = True

    def __call__(self, event: Event) -> None:
        with self._lock:
            changes = self._changes(event)
            if changes:
                self._record = self._record.model_copy(update=changes)
                self._changed = True
        if not (isinstance(event, Step) or (isinstance(event, Metric) and "iteration" in event.details)):
            self._note(event)
        if isinstance(event, (Result, Failure)):
            self.last = event
            self.ended.set()

    def flush(self) -> None:
        """Write the record if it changed, once a second at most. A full disk: again the next time."""
        with self._lock:
            if not self._changed or time.monotonic() - self._written < _INTERVAL_S:
                return
            record, self._changed, self._written = self._record, False, time.monotonic()
        try:
            record.write(self._folder)
        except OSError:
            with self._lock:
                self._changed = True

    def _changes(self, event: Event) -> dict[str, Any]:
        record = self._record
        if isinstance(event, Stage):
            if event.name.startswith(TRAINING) and record.stage.startswith(TRAINING):
                return {"stage": event.name}
            eta = self._estimate_s if event.name.startswith(TRAINING) else None
            return {"stage": event.name, "done": 0, "total": 0, "eta_s": eta}
        if isinstance(event, Step):
            eta = self._time_left.after(event.done, event.total, time.monotonic())
            left = record.eta_s if eta is None else eta
            changes: dict[str, Any] = {"done": event.done, "total": event.total, "eta_s": left}
            trains = record.stage.startswith(TRAINING)
            return {**changes, "iteration": event.done, "planned": event.total} if trains else changes
        if isinstance(event, Metric):
            if event.name == "estimated_hours" and event.value is not None:
                self._estimate_s = 3600 * event.value
            iteration = event.details.get("iteration")
            if not isinstance(iteration, int) or iteration <= 0:
                return {}
            return {"iteration": iteration, **({"done": iteration} if record.total >= iteration else {})}
        if isinstance(event, Warned):
            return {"warnings": _kept((*record.warnings, (event.code, self._scrub(event.message))))}
        if isinstance(event, Preview):
            with suppress(ValueError):
                return {"newest_sample": Path(event.path).relative_to(record.out).as_posix()}
        return {}

    def _note(self, event: Event) -> None:
        if isinstance(event, Failure):
            event = Failure(event.code, event.message, event.hint)  # its path is for the eyes of one user only
        if isinstance(event, Result):
            event = Result(None, event.summary)
        if isinstance(event, Preview):
            event = Preview(self._record.newest_sample or "")
        known = {"time": datetime.now().astimezone().isoformat(timespec="seconds"), **json.loads(to_json(event))}
        with suppress(OSError):
            descriptor = os.open(self._folder / EVENTS_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(_scrubbed(known, self._scrub)) + "\n")


def _kept(warnings: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The newest few; what is told of one case after another does not displace what was told once."""
    while len(warnings) > KEPT_WARNINGS:
        codes = [code for code, _ in warnings]
        oldest = next((place for place, code in enumerate(codes) if codes.count(code) > 1), 0)
        warnings = warnings[:oldest] + warnings[oldest + 1 :]
    return warnings


def _scrubbed(value: Any, scrub: Scrubber) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {name: _scrubbed(item, scrub) for name, item in value.items()}
    return value
