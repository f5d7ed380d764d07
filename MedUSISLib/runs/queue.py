"""Which runs wait, and in which order: first come, first served."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from MedUSISLib.runs.record import Records
from MedUSISLib.runs.status import RunState


def run_folders(store: Path) -> list[Path]:
    """The folders of all runs in a store, oldest first."""
    with suppress(OSError):
        return sorted(path for path in store.iterdir() if path.is_dir() and not path.name.startswith("."))
    return []


def waiting(store: Path, records: Records) -> list[str]:
    """Ids of the queued runs, the next one first. A paused run does not wait."""
    known = [record for folder in run_folders(store) if (record := records.read(folder)) is not None]
    queued = [record for record in known if record.state is RunState.QUEUED]
    return [record.id for record in sorted(queued, key=lambda record: (record.queued, record.id))]
