"""What a running job says: one JSON object per line on standard output."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TextIO

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.progress import Progress, Wish


@dataclass(frozen=True)
class Stage:
    """A new stage of the work begins."""

    event: ClassVar[str] = "stage"
    name: str


@dataclass(frozen=True)
class Step:
    """``done`` of ``total`` units of the stage are finished; ``rate`` in units/s, ``eta_s`` in seconds."""

    event: ClassVar[str] = "progress"
    done: int
    total: int
    rate: float | None = None
    eta_s: float | None = None


@dataclass(frozen=True)
class Preview:
    """A picture or slice to look at while the work goes on."""

    event: ClassVar[str] = "preview"
    path: str


@dataclass(frozen=True)
class Metric:
    """A number worth plotting."""

    event: ClassVar[str] = "metric"
    name: str
    value: float | None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Warned:
    """Something the user should know that does not stop the work."""

    event: ClassVar[str] = "warning"
    code: str
    message: str


@dataclass(frozen=True)
class Alive:
    """The work goes on though there is nothing to say; not passed on to listeners."""

    event: ClassVar[str] = "alive"


@dataclass(frozen=True)
class Result:
    """The work is done; always the last event."""

    event: ClassVar[str] = "result"
    out: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """The work ended without a result; always the last event. ``path`` is for the local user's eyes, not for logs."""

    event: ClassVar[str] = "error"
    code: str
    message: str
    hint: str = ""
    path: str | None = None

    @classmethod
    def of(cls, error: MedUSISError) -> Failure:
        """The event for a named error."""
        return cls(error.code.value, error.message, error.hint, str(error.path) if error.path else None)

    def error(self) -> MedUSISError:
        """The named error again; a code from a newer version becomes INTERNAL."""
        known = {code.value for code in ErrorCode}
        code = ErrorCode(self.code) if self.code in known else ErrorCode.INTERNAL
        return MedUSISError(code, self.message, self.hint, self.path)


Event = Stage | Step | Preview | Metric | Warned | Alive | Result | Failure
_TYPES: dict[str, type[Event]] = {t.event: t for t in (Stage, Step, Preview, Metric, Warned, Alive, Result, Failure)}


def to_json(event: Event) -> str:
    """One line of JSON, ASCII only, without the newline; numbers that JSON does not know become null.

    Examples
    --------
    >>> to_json(Stage("reading"))
    '{"event": "stage", "name": "reading"}'
    """
    return json.dumps({"event": event.event, **_plain(asdict(event))}, allow_nan=False)


def parse_event(line: str) -> Event | None:
    """The event in a line, or None when the line holds none.

    Examples
    --------
    >>> parse_event('{"event": "progress", "done": 1, "total": 4}')
    Step(done=1, total=4, rate=None, eta_s=None)
    >>> parse_event("some library's greeting") is None
    True
    """
    try:
        content = json.loads(line)
        kind = _TYPES[content["event"]]
        known = {f.name for f in fields(kind)}
        return kind(**{name: value for name, value in content.items() if name in known})
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class EventWriter:
    """Writes events to a stream, one flushed line each, from any thread; a closed stream is no reason to stop."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, event: Event) -> None:
        self.write_line(to_json(event))

    def write_line(self, line: str) -> None:
        """Anything else that is one line of JSON."""
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                pass


class JobProgress(Progress):
    """Turns the calls of the working code into events, and a request to cancel into an exception.

    ``step`` may be called for every slice: at most ten events a second are written, the last one always. Work that
    goes on says at the beginning of its stage how far it had come: the rate is that of what came after.

    Parameters
    ----------
    writer : EventWriter
    wishes : WishFile, optional
        Where the user's wishes are read.
    """

    INTERVAL_S = 0.1
    ALIVE_S = 30.0

    def __init__(self, writer: EventWriter, wishes: WishFile | None = None) -> None:
        self._writer = writer
        self._wishes = wishes
        self._answering = 0
        self._cancelled = threading.Event()
        self._stage_began = time.monotonic()
        self._last_step = -math.inf
        self._before: int | None = None
        self._last_alive = time.monotonic()

    def stage(self, name: str) -> None:
        self._stage_began = time.monotonic()
        self._last_step = -math.inf
        self._before = None
        self._writer.write(Stage(name))

    def step(self, done: int, total: int) -> None:
        now = time.monotonic()
        elapsed = now - self._stage_began
        if self._before is None:
            self._before = done if elapsed < self.INTERVAL_S and done < total else 0
        if done < total and now - self._last_step < self.INTERVAL_S:
            return
        self._last_step = now
        rate = (done - self._before) / elapsed if done > self._before and elapsed > 0 else None
        eta = (total - done) / rate if rate else None
        self._writer.write(Step(done, total, _rounded(rate), _rounded(eta)))

    def preview(self, path: Path) -> None:
        self._writer.write(Preview(str(path)))

    def metric(self, name: str, value: float, **details: object) -> None:
        self._writer.write(Metric(name, value, details))

    def warning(self, code: str, message: str) -> None:
        self._writer.write(Warned(code, message))

    @property
    def cancelled(self) -> bool:
        """True once the user has asked to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """From now on ``checkpoint`` raises."""
        self._cancelled.set()

    @property
    def wish(self) -> Wish | None:
        return self._wishes.read() if self._wishes is not None else None

    @contextmanager
    def answering_wishes(self) -> Iterator[None]:
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    def checkpoint(self) -> None:
        now = time.monotonic()
        if now - self._last_alive > self.ALIVE_S:  # who waits for another process does nothing, and is not stuck
            self._last_alive = now
            self._writer.write(Alive())
        if self._cancelled.is_set():
            raise MedUSISError(ErrorCode.CANCELLED, "the job was cancelled")
        if not self._answering and self.wish not in (None, Wish.FINISH):
            raise MedUSISError(ErrorCode.CANCELLED, "ended before there was anything new to keep")


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _plain(value: Any) -> Any:
    """JSON-ready copy: paths as text, numpy numbers as numbers, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return _plain(value.item())
    return str(value)
