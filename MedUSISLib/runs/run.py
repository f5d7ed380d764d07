"""One run: its status, and what the user wants of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.progress import Wish
from MedUSISLib.runs.claim import Claim, guarded
from MedUSISLib.runs.files import CHECKPOINT_NAME, JOB_NAME, LOCK_NAME, LOG_NAME, OWNER_NAME, WISH_NAME, named_trouble
from MedUSISLib.runs.looking import damaged_record, status_of
from MedUSISLib.runs.record import RunRecord, now
from MedUSISLib.runs.removal import delete, written_by_training, written_into_cache
from MedUSISLib.runs.status import RunState, RunStatus
from MedUSISLib.runs.words import words_of

if TYPE_CHECKING:
    from MedUSISLib.runs.store import RunStore
    from MedUSISLib.training.log import TrainingLog


class Run:
    """A job that was submitted, in whatever state; several programs may hold the same run at once.

    Every method looks at the folder anew. Wishes are heard by the job at its next iteration; until then the state is
    ``PAUSING``, ``FINISHING`` or ``STOPPING``. What does not fit the state is an error (BAD_SETTING) that says so.

    Parameters
    ----------
    folder : Path
    store : RunStore
    """

    def __init__(self, folder: Path, store: RunStore) -> None:
        self.folder, self._store = folder, store
        self._claim = Claim(folder / OWNER_NAME)
        self._wishes = WishFile(folder / WISH_NAME, interval_s=0)

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def log_file(self) -> Path:
        """What the job and its libraries printed, without names of files."""
        return self.folder / LOG_NAME

    def status(self) -> RunStatus:
        """What is known now. Never raises, for a damaged or removed run neither."""
        return status_of(self.folder, self._store.folder, self._store.records)

    def log(self) -> TrainingLog:
        """Losses and validations so far."""
        from MedUSISLib.training.log import read_log

        return read_log(self.status().out / "log.jsonl")

    def pause(self) -> None:
        """Save what is there (a checkpoint, the cases in hand), give the memory back, and wait for ``resume``."""
        with self._change() as (record, state):
            if state is RunState.QUEUED:
                self._put_aside(record, RunState.PAUSED, "paused while it waited")
            elif state is RunState.RUNNING:
                self._wishes.write(Wish.PAUSE)
            elif state not in (RunState.PAUSING, RunState.PAUSED):
                _refuse("paused", record, state)

    def resume(self) -> None:
        """Queue it again, at the end; it goes on where it was. A waiting one is given a worker."""
        with self._change() as (record, state):
            if state.resumable:
                self._store.check_free(Path(record.out), except_of=self.id)
                self._wishes.clear()
                self._queue(record)
            elif state is not RunState.QUEUED:
                _refuse("resumed", record, state)
        self._store.wake()

    def finish(self) -> None:
        """End now and export the best or last state so far; one that does not run is loaded for that."""
        with self._change() as (record, state):
            if state is RunState.RUNNING:
                if not self._has_trained(record):
                    self._refuse_export()
                self._wishes.write(Wish.FINISH)
            elif state is RunState.QUEUED or state.resumable:
                if not self._has_trained(record):
                    self._refuse_export()
                self._wishes.write(Wish.FINISH)
                if state is not RunState.QUEUED:
                    self._queue(record)
            elif state is not RunState.FINISHING:
                _refuse("finished", record, state)
        self._store.wake()

    def stop(self, now: bool = False) -> None:
        """End, a training with a checkpoint and no bundle; ``resume`` goes on. ``now``: at once, and save nothing."""
        with self._change() as (record, state):
            if state.active:
                self._wishes.write(Wish.END if now else Wish.STOP)
            elif state in (RunState.QUEUED, RunState.PAUSED):
                self._put_aside(record, RunState.STOPPED, record.message if state is RunState.PAUSED else "stopped")
            elif state is not RunState.STOPPED:
                _refuse("stopped", record, state)

    def data(self) -> list[Path]:
        """What ``remove(with_data=True)`` deletes outside of the run's folder.

        The files of a training in its output folder, with the generator in it, and the prepared cases in its cache
        unless another run uses the same cache. Files that MedUSIS did not write are never among them. Of a batch
        nothing: its results are the point of it.
        """
        try:
            job = JobSpecification.read(self.folder / JOB_NAME)
        except MedUSISError:
            return []
        if job.kind == "batch":  # its folder is full of results, and holds the key to them
            return []
        parameters = job.parameters
        found = written_by_training(Path(parameters["out"])) if "out" in parameters else []
        cache = parameters.get("cache")
        if cache is not None and cache not in self._store.caches(except_of=self.id):
            found += written_into_cache(Path(cache))
        return found

    def remove(self, with_data: bool = False) -> None:
        """Delete the run's folder, and with ``with_data`` what ``data`` lists. Not while it runs."""
        with self._change() as (record, state):
            if state.active:
                _refuse("removed", record, state)
            doomed = self.data() if with_data else []
            with named_trouble(self.folder):
                delete(doomed)
                hidden = self.folder.with_name(f".removed-{self.id}-{uuid.uuid4().hex[:6]}")
                self.folder.rename(hidden)
        with named_trouble(self.folder):
            delete([hidden])

    # -- changing what others may be changing too ------------------------------------------------------------------

    @contextmanager
    def _change(self) -> Iterator[tuple[RunRecord, RunState]]:
        if not self.folder.is_dir():
            raise MedUSISError(ErrorCode.BAD_SETTING, f"there is no run {self.id} any more")
        with named_trouble(self.folder), guarded(self.folder / LOCK_NAME):
            record = RunRecord.read(self.folder) or damaged_record(self.folder)
            yield record, self.status().state

    def _queue(self, record: RunRecord) -> None:
        began = record.started is not None
        changes = {"state": RunState.QUEUED, "queued": now(), "resume": record.resume or began, "stage": ""}
        record.model_copy(update={**changes, "message": "", "hint": "", "code": "", "eta_s": None}).write(self.folder)

    def _put_aside(self, record: RunRecord, state: RunState, message: str) -> None:
        self._wishes.clear()
        changes = {"state": state, "message": message, "ended": record.ended or now(), "eta_s": None}
        record.model_copy(update=changes).write(self.folder)

    def _has_trained(self, record: RunRecord) -> bool:
        if record.kind != "train" or record.stage.startswith("training"):
            return True
        return record.started is not None and (Path(record.out) / CHECKPOINT_NAME).is_file()

    def _refuse_export(self) -> NoReturn:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "nothing has been trained yet that could be exported", "stop it instead"
        )


def _refuse(what: str, record: RunRecord, state: RunState) -> NoReturn:
    stands = "it has failed" if state is RunState.FAILED else f"it is {state.value}"
    raise MedUSISError(ErrorCode.BAD_SETTING, f"the run cannot be {what}: {stands}", words_of(record.kind).hint(state))
