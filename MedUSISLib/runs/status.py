"""What is known of a run at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class RunState(StrEnum):
    """Where a run stands. ``PAUSING``, ``FINISHING`` and ``STOPPING`` last until the job has heard the wish.

    A run whose process vanished (power cut, kill) reads as ``PAUSED``.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    FINISHING = "finishing"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def active(self) -> bool:
        """Whether a process works on it now."""
        return self in (RunState.RUNNING, RunState.PAUSING, RunState.FINISHING, RunState.STOPPING)

    @property
    def resumable(self) -> bool:
        """Whether it has ended, but can go on."""
        return self in (RunState.PAUSED, RunState.STOPPED, RunState.FAILED)


@dataclass(frozen=True)
class RunStatus:
    """One look at a run.

    Attributes
    ----------
    id, name, kind : str
        ``kind`` as in a job file.
    state : RunState
    created, started, ended : datetime or None
        With time zone. ``started`` and ``ended`` are those of the last start.
    stage : str
        What the job does now ("training: l1").
    done, total : int
        Units of the stage; iterations while it trains.
    eta_s : float or None
        Seconds until the stage is done, by the rate of the last minutes.
    message, hint, code : str
        Why it is in its state, what to do, and the code of the error if it failed. No file names.
    warnings : tuple of (code, text)
        The last ones, oldest first.
    position_in_queue : int or None
        1: the next one; None when it does not wait.
    out : Path
        Where the job writes.
    newest_sample, bundle : Path or None
        The newest sample picture; the finished generator.
    iteration : int or None
        The last iteration that was heard of.
    """

    id: str
    name: str
    kind: str
    state: RunState
    created: datetime | None
    started: datetime | None
    ended: datetime | None
    stage: str
    done: int
    total: int
    eta_s: float | None
    message: str
    hint: str
    code: str
    warnings: tuple[tuple[str, str], ...]
    position_in_queue: int | None
    out: Path
    newest_sample: Path | None
    bundle: Path | None
    iteration: int | None = None
