"""What a worker in another process says, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

from pydantic import BaseModel, ConfigDict

from MedUSISLib.batch.pool import Began, Died, Failed, Finished, PoolEvent, Progressed, Rests
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.states import CaseState
from MedUSISLib.jobs.events import Failure

_TYPES: dict[str, type] = {t.__name__.lower(): t for t in (Began, Rests, Progressed, Finished, Failed, Died)}


class WorkerSettings(BaseModel):
    """The first line that a worker is given; the others are tasks."""

    model_config = ConfigDict(frozen=True)

    request: BatchRequest
    device: str
    worker: str


@dataclass(frozen=True)
class Broken:
    """A worker cannot work at all: torch does not load, say. Its last word."""

    failure: Failure


def to_line(event: PoolEvent | Broken) -> str:
    """One line, without its end.

    Examples
    --------
    >>> to_line(Rests(3))
    '{"rests": {"number": 3}}'
    """
    return json.dumps({type(event).__name__.lower(): asdict(event)}, default=str)


def from_line(line: str) -> PoolEvent | Broken | None:
    """The event in a line; None when it holds none.

    Examples
    --------
    >>> from_line('{"began": {"number": 3, "state": "reading", "worker": "1"}}')
    Began(number=3, state=<CaseState.READING: 'reading'>, worker='1')
    >>> from_line("some library's greeting") is None
    True
    """
    try:
        ((name, values),) = json.loads(line).items()
        kind = Broken if name == "broken" else _TYPES[name]
        if "failure" in values:
            known = {field.name for field in fields(Failure)}
            values["failure"] = Failure(**{key: value for key, value in values["failure"].items() if key in known})
        if "state" in values:
            values["state"] = CaseState(values["state"])
        event: PoolEvent | Broken = kind(**values)
        return event
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
