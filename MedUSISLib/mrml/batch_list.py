"""The batches that a window knows: background runs of this user, and folders that he opened; what is done with each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from MedUSISLib.mrml.batch_logic import KIND, BatchSettings, specification
from MedUSISLib.mrml.fine_tune_runs import RunLine, RunList, RunStoreProtocol


@dataclass(frozen=True)
class BatchEntry:
    """A batch in the list.

    Attributes
    ----------
    folder : Path
    run : RunLine or None
        The newest background run that wrote into it.
    """

    folder: Path
    run: RunLine | None

    @property
    def title(self) -> str:
        """What a person reads: the folder's own name."""
        return self.folder.name or str(self.folder)


class BatchList:
    """Finds batches and starts, pauses and ends them.

    A batch is a folder; background runs work on it, one after another: the first, and one for each "Go on" that a run
    could not do itself. The newest one speaks for the folder.

    Parameters
    ----------
    open_store : callable
        Makes the store of runs when it is needed for the first time.
    """

    def __init__(self, open_store: Callable[[], RunStoreProtocol]) -> None:
        self._runs = RunList(open_store, KIND)
        self._opened: list[Path] = []
        self._entries: list[BatchEntry] = []

    @property
    def opened(self) -> tuple[Path, ...]:
        """Folders that were opened by hand, the newest first."""
        return tuple(self._opened)

    def open(self, folder: Path) -> None:
        """Add the folder of a batch."""
        folder = _absolute(folder)
        self._opened = [folder, *(other for other in self._opened if other != folder)]

    def refresh(self, everything: bool = False) -> list[BatchEntry]:
        """Look again, the newest first."""
        newest: dict[Path, RunLine] = {}
        for line in self._runs.refresh(everything):
            newest.setdefault(_absolute(line.status.out), line)
        entries = [BatchEntry(folder, line) for folder, line in newest.items()]
        entries += [BatchEntry(folder, None) for folder in self._opened if folder not in newest]
        self._entries = entries
        return list(entries)

    def entry(self, folder: Path) -> BatchEntry:
        """The batch in this folder, as it was at the last look."""
        wanted = _absolute(folder)
        return next((entry for entry in self._entries if entry.folder == wanted), BatchEntry(wanted, None))

    def start(self, settings: BatchSettings) -> Path:
        """Begin a batch in the background; its folder."""
        assert settings.out is not None
        self._runs.store.submit(specification(settings), settings.out.name)
        return _absolute(settings.out)

    def pause(self, folder: Path) -> None:
        """No new case begins, those in hand are finished; "Go on" does the rest."""
        self._asked(folder, "pause")

    def stop(self, folder: Path) -> None:
        """End it at once; what is done stays done."""
        self._asked(folder, "stop")

    def go_on(self, folder: Path) -> None:
        """Do the cases that are not done yet, in the same run where that is possible."""
        run = self.entry(folder).run
        if run is not None and "resume" in run.actions:
            self._runs.run(run.id).resume()
        else:
            self._submit_again(folder, False)

    def retry(self, folder: Path) -> None:
        """Try the cases that went wrong once more, and those that are not done yet."""
        self._submit_again(folder, True)

    def remove(self, folder: Path) -> None:
        """Take the batch from the list; its folder stays as it is."""
        wanted = _absolute(folder)
        self._opened = [other for other in self._opened if other != wanted]
        for line in self._runs.refresh(everything=True):
            if _absolute(line.status.out) == wanted and "remove" in line.actions:
                self._runs.run(line.id).remove()

    def waits(self) -> bool:
        """Whether a batch that begins now would wait for another background run."""
        return self._runs.others_at_work() or any(
            entry.run is not None and entry.run.working for entry in self._entries
        )

    def _asked(self, folder: Path, what: str) -> None:
        run = self.entry(folder).run
        if run is not None:
            getattr(self._runs.run(run.id), what)()

    def _submit_again(self, folder: Path, retry_failed: bool) -> None:
        """Another run with the settings of the batch, here (it may have been begun on a cluster or another disk)."""
        from MedUSISLib.batch.manifest import Manifest
        from MedUSISLib.jobs.specification import JobSpecification

        folder = _absolute(folder)
        with Manifest.open(folder, read_only=True) as manifest:
            request = manifest.request
        here = {"out": folder, "cluster": None, "dry_run": False, "found": None}
        asked = {"resume": True, "retry_failed": retry_failed}
        again = request.model_copy(update={**here, **asked}).model_dump(mode="json")
        self._runs.store.submit(JobSpecification(kind=KIND, parameters=again), folder.name)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
