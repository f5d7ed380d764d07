"""Between the batch and those who do its cases: what a worker is given, what it says, what a pool of them can do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from MedUSISLib.batch.states import CaseState, case_name
from MedUSISLib.jobs.events import Failure


class CaseTask(BaseModel):
    """One case to be done; holds paths, so it goes to a worker and nowhere else.

    Attributes
    ----------
    number : int
    ct, segmentation, labels, ct_series
        See `case.BatchCase`.
    out : Path
        Folder for this case's results.
    attempt : int
        From 1.
    alone : bool
        The worker has nothing else in hand while it does this one: a case that was there when a worker died, so that
        the next death names the culprit; and one that needs all the memory.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    ct: Path
    segmentation: Path | None
    labels: str | None = None
    ct_series: str | None = None
    out: Path
    attempt: int = 1
    alone: bool = False

    @property
    def name(self) -> str:
        """What logs call it."""
        return case_name(self.number)


@dataclass(frozen=True)
class Began:
    """A stage of a case begins: READING, COMPUTING or WRITING."""

    number: int
    state: CaseState
    worker: str = ""


@dataclass(frozen=True)
class Rests:
    """A stage of a case is over; it waits for the next one, which is busy with another case."""

    number: int


@dataclass(frozen=True)
class Progressed:
    """``done`` of ``total`` units of a case's stage; at most a few a second."""

    number: int
    done: int
    total: int


@dataclass(frozen=True)
class Finished:
    """The case's folder stands complete.

    ``seconds`` a worker spent on it; ``summary``: figures of quality.json that the manifest keeps ("review").
    """

    number: int
    seconds: float
    summary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The case has no result. Whether it is tried again is not the worker's business."""

    number: int
    failure: Failure
    seconds: float = 0.0


@dataclass(frozen=True)
class Died:
    """A worker is gone; the pool has another one in its place, or starts it with the next task.

    Attributes
    ----------
    worker : str
    working : tuple of int
        Cases in a stage of which it died: one of them may have killed it.
    waiting : tuple of int
        Other cases that it had; they are without fault.
    how : str
        In words: "signal SIGKILL".
    """

    worker: str
    working: tuple[int, ...]
    waiting: tuple[int, ...]
    how: str


PoolEvent = Began | Rests | Progressed | Finished | Failed | Died


class WorkerPool(Protocol):
    """Workers, wherever they are.

    Every task ends in exactly one of: a Finished, a Failed, or being named by a Died.
    """

    @property
    def capacity(self) -> int:
        """How many cases may be in flight: whoever submits more is not refused, but memory is meant to be bounded."""

    def submit(self, task: CaseTask) -> None:
        """Give a case to a worker; returns at once."""

    def events(self, timeout_s: float) -> list[PoolEvent]:
        """What happened since the last call, in order; waits ``timeout_s`` at most for the first.

        Raises
        ------
        MedUSISError
            When no worker can be had any more: they die before they take a case, the cluster is gone.
        """

    def close(self) -> None:
        """End all workers and give everything back. What is still in flight is given up, and nothing of it stays."""
