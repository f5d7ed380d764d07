"""The process that does the queued runs, one after another, and ends when none is left."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.leftovers import remove_leftovers
from MedUSISLib.progress import Wish
from MedUSISLib.runs.claim import BEAT_S, Claim, guarded
from MedUSISLib.runs.ending import ended_record
from MedUSISLib.runs.files import JOB_NAME, LOCK_NAME, LOG_NAME, OWNER_NAME, WISH_NAME, WORKER_NAME
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.runs.listening import RunListener
from MedUSISLib.runs.queue import waiting
from MedUSISLib.runs.record import Records, RunRecord, now
from MedUSISLib.runs.status import RunState

_log = logging.getLogger(__name__)
_TICK_S = 0.2
_LAST_WORD_S = 60.0
"""How long the end of a run is tried to be written while the disk is full."""


class Worker:
    """Takes the runs of a store, in the order in which they were queued.

    Its life: it claims the store (a second worker then ends at once); it takes the first queued run, claims that too,
    and has a child process do the job (`jobs.launcher`), which dies when the worker dies. What the child says goes
    into the run's record; what users want of the run, the child reads itself. Then comes the next run, whatever became
    of the last one. When none waits the claim is given up - and the queue looked at once more, because a run may have
    come while this worker still seemed to live.

    SIGTERM (the computer shuts down) pauses the run and ends the worker.

    Parameters
    ----------
    store : Path
    command : sequence of str
        What does a job, followed by the job file.
    kinds : mapping, optional
    """

    def __init__(self, store: Path, command: Sequence[str], kinds: Mapping[str, JobKind] = KINDS) -> None:
        self._store, self._command, self._kinds = store, tuple(command), kinds
        self._claim = Claim(store / WORKER_NAME)
        self._records = Records()
        self._left_out: set[str] = set()
        self._to_end = threading.Event()

    def work(self) -> int:
        """Do what waits; returns the exit code. To be called in the main thread."""
        self._catch_signals()
        while self._claim.take():
            try:
                while not self._to_end.is_set() and (taken := self._take_next()) is not None:
                    self._do(*taken)
            finally:
                self._claim.release()
            if self._to_end.is_set() or not self._candidates():
                break
        return 0

    def _catch_signals(self) -> None:
        def end(number: int, frame: FrameType | None) -> None:
            self._to_end.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _candidates(self) -> list[str]:
        return [identifier for identifier in waiting(self._store, self._records) if identifier not in self._left_out]

    def _take_next(self) -> tuple[Path, RunRecord] | None:
        """Claim the next run and mark it as running."""
        for identifier in self._candidates():
            folder = self._store / identifier
            try:
                with guarded(folder / LOCK_NAME):
                    record = RunRecord.read(folder)
                    if record is None or record.state is not RunState.QUEUED or not Claim(folder / OWNER_NAME).take():
                        continue
                    _end_remains(record)
                    _remove_half_written(folder)
                    begun = {"state": RunState.RUNNING, "stage": "starting", "started": now(), "ended": None}
                    record = record.model_copy(
                        update={**begun, "child": None, "workspace": None, "message": "", "hint": ""}
                    )
                    record.write(folder)
                    return folder, record
            except (OSError, MedUSISError) as error:  # a full disk, a folder that has just been removed
                _log.warning("a run cannot be taken (%s)", type(error).__name__)
                self._left_out.add(identifier)
                Claim(folder / OWNER_NAME).release()
        return None

    def _do(self, folder: Path, record: RunRecord) -> None:
        _log.info("run %s begins", record.id)
        listener = RunListener(folder, record)
        launcher: Launcher | None = None
        error: MedUSISError | None = None
        try:
            specification = _specification(folder, record, self._kinds)
            launcher = Launcher(
                specification,
                command=self._command,
                log=folder / LOG_NAME,
                kinds=self._kinds,
                wishes=folder / WISH_NAME,
            )
            launcher.start(listener)
            listener.remember(child=ProcessIdentity.of(launcher.pid or 0), workspace=str(launcher.workspace))
            self._accompany(folder, launcher, listener)
        except Exception as raised:  # whatever it is, the next run must not suffer
            error = named_error(raised)
            if error is not raised:
                _log.exception("a run cannot be accompanied")
            if launcher is not None and launcher.running:
                launcher.cancel()
                launcher.wait(5.0)
        self._end(folder, listener, launcher, error)

    def _accompany(self, folder: Path, launcher: Launcher, listener: RunListener) -> None:
        """Until the job's last word: keep the record, say that this process lives, hear that all is to end."""
        wishes, own = WishFile(folder / WISH_NAME), Claim(folder / OWNER_NAME)
        beaten = time.monotonic()
        while not listener.ended.wait(_TICK_S):
            listener.flush()
            if time.monotonic() - beaten > BEAT_S:
                beaten = time.monotonic()
                self._claim.beat()
                own.beat()
            wish = wishes.read()
            if wish is Wish.END or not folder.is_dir():  # somebody deleted it: nobody could ever see this run again
                launcher.cancel()
            elif self._to_end.is_set() and wish is None:
                with suppress(OSError):
                    wishes.write(Wish.PAUSE)

    def _end(self, folder: Path, listener: RunListener, launcher: Launcher | None, error: MedUSISError | None) -> None:
        until = time.monotonic() + _LAST_WORD_S
        while folder.is_dir():
            try:
                with guarded(folder / LOCK_NAME):
                    wishes = WishFile(folder / WISH_NAME, interval_s=0)
                    death = launcher.death if launcher is not None else None
                    record = ended_record(listener.record, listener.last, error, wishes.read(), death)
                    record.write(folder)
                    wishes.clear()
                break
            except (OSError, MedUSISError):
                if time.monotonic() > until:  # it then reads as interrupted, and can be resumed
                    break
                time.sleep(1.0)
        Claim(folder / OWNER_NAME).release()
        _log.info("run %s ended", folder.name)


def _specification(folder: Path, record: RunRecord, kinds: Mapping[str, JobKind]) -> JobSpecification:
    specification = JobSpecification.read(folder / JOB_NAME)
    request = specification.request(kinds)
    if record.resume and "resume" in type(request).model_fields:
        parameters = {**specification.parameters, "resume": True}
        return specification.model_copy(update={"parameters": parameters})
    return specification


def _end_remains(record: RunRecord) -> None:
    """A killed worker may have left a child in its last breath, and the child's private files."""
    child = record.child
    if child is not None and child.here and child.alive:
        child.kill()
    if record.workspace and Path(record.workspace).name.startswith("medusis-"):
        remove_leftovers(Path(record.workspace))
        shutil.rmtree(record.workspace, ignore_errors=True)


def _remove_half_written(folder: Path) -> None:
    """What was just being written when its process was killed; whoever writes holds the folder's lock, as this does."""
    for pattern in (".*.tmp", f"{WISH_NAME}.*.tmp"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
