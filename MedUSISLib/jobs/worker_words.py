"""What a worker that is kept and its owner say to each other, beside the events of the jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from MedUSISLib.jobs.wishes import WISH_VARIABLE
from MedUSISLib.jobs.workspace import JOB_VARIABLES

OF_A_JOB = (*JOB_VARIABLES, WISH_VARIABLE)
"""Environment variables that belong to one job and not to the process that does it."""


@dataclass(frozen=True)
class Order:
    """The owner's line: do this job, or stop doing it.

    Parameters
    ----------
    job : str
        Path of the job file; it names the job, too.
    cancel : bool
        Stop it at its next checkpoint.
    variables : mapping of str to str
        Those of ``OF_A_JOB`` that are set for it.
    idle_s : float, optional
        From now on the worker waits so long for the next job.
    """

    job: str
    cancel: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    idle_s: float | None = None

    def to_line(self) -> str:
        """One line of ASCII, without its end."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Order | None:
        """The order in a line: the JSON of ``to_line``, or just the path of a job file; None in an empty line.

        Examples
        --------
        >>> Order.parse("/tmp/medusis-1/job.json")
        Order(job='/tmp/medusis-1/job.json', cancel=False, variables={}, idle_s=None)
        >>> Order.parse(Order("job.json", cancel=True).to_line()).cancel
        True
        """
        line = line.strip()
        if not line.startswith("{"):
            return cls(line) if line else None
        try:
            content = json.loads(line)
            known = {str(k): str(v) for k, v in content.get("variables", {}).items() if k in OF_A_JOB}
            idle_s = None if content.get("idle_s") is None else float(content["idle_s"])
            return cls(str(content["job"]), bool(content.get("cancel", False)), known, idle_s)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


@dataclass(frozen=True)
class Taken:
    """The worker has begun the job; its events follow."""

    event: ClassVar[str] = "taken"
    job: str


@dataclass(frozen=True)
class Ended:
    """Nothing more comes of the job, and nothing of it is left; the code is what ``run`` would have exited with."""

    event: ClassVar[str] = "ended"
    job: str
    exit_code: int


@dataclass(frozen=True)
class Waiting:
    """The worker waits for a job; so much it holds meanwhile, in bytes: of the memory, and of accelerators."""

    event: ClassVar[str] = "waiting"
    memory_bytes: int
    device_bytes: int = 0


Word = Taken | Ended | Waiting
_WORDS: dict[str, type[Word]] = {word.event: word for word in (Taken, Ended, Waiting)}


def to_line(word: Word) -> str:
    """One line of ASCII, without its end."""
    return json.dumps({"event": word.event, **asdict(word)})


def parse_word(line: str) -> Word | None:
    """The word in a line, None when it holds none (an event of a job, for instance).

    Examples
    --------
    >>> parse_word(to_line(Waiting(1000)))
    Waiting(memory_bytes=1000, device_bytes=0)
    >>> parse_word('{"event": "stage", "name": "reading"}') is None
    True
    """
    try:
        content: dict[str, Any] = json.loads(line)
        kind = _WORDS[content.pop("event")]
        return kind(**content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def without_job(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that does many jobs: what belongs to one of them as it is in this process."""
    kept = {name: value for name, value in environment.items() if name not in OF_A_JOB}
    return {**kept, **{name: os.environ[name] for name in OF_A_JOB if name in os.environ}}
