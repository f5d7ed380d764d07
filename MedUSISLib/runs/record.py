"""``state.json``: what a run remembers of itself, written whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from MedUSISLib.runs.files import STATE_NAME, write_whole
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.runs.status import RunState

KEPT_WARNINGS = 5


class RunRecord(BaseModel):
    """The content of ``state.json``. No path but ``out``: samples and bundle are named from there.

    ``iteration`` of ``planned`` are done; ``done`` of ``total`` count the units of the stage.
    ``state`` is never one of those that last only until a wish is heard: they follow from the wish.
    """

    model_config = ConfigDict(extra="ignore")

    version: int = 1
    id: str
    name: str
    kind: str
    out: str
    state: RunState = RunState.QUEUED
    created: datetime
    queued: datetime
    started: datetime | None = None
    ended: datetime | None = None
    resume: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    iteration: int | None = None
    planned: int | None = None
    eta_s: float | None = None
    message: str = ""
    hint: str = ""
    code: str = ""
    warnings: tuple[tuple[str, str], ...] = ()
    newest_sample: str | None = None
    bundle: str | None = None
    child: ProcessIdentity | None = None
    workspace: str | None = None

    def write(self, folder: Path) -> None:
        """Replace ``state.json`` in the folder; OSError when that cannot be done, and the old one stays."""
        write_whole(folder / STATE_NAME, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, folder: Path) -> RunRecord | None:
        """The record in the folder; None when there is none, or it cannot be understood."""
        with suppress(OSError, ValidationError, ValueError):
            return cls.model_validate_json((folder / STATE_NAME).read_bytes())
        return None


class Records:
    """Reads records, and remembers those whose file has not been replaced since.

    A window asks once a second, and the place in the queue needs the records of all runs.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int, int], RunRecord | None]] = {}

    def read(self, folder: Path) -> RunRecord | None:
        """As ``RunRecord.read``."""
        try:
            found = (folder / STATE_NAME).stat()
        except OSError:
            self._known.pop(folder, None)
            return None
        version = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._known.get(folder)
        if known is None or known[0] != version:
            known = self._known[folder] = (version, RunRecord.read(folder))
        return known[1]


def now() -> datetime:
    """The time, as records have it."""
    return datetime.now(UTC)
