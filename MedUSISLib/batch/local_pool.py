"""Workers on this machine: child processes, each with the generator in memory."""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from MedUSISLib.batch.active_time import ActiveTime, did_nothing, too_long
from MedUSISLib.batch.pipeline import IN_HAND
from MedUSISLib.batch.pool import Began, CaseTask, Died, Failed, Finished, PoolEvent, Rests
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.sharing_out import free_place
from MedUSISLib.batch.wire import Broken, WorkerSettings
from MedUSISLib.batch.worker_process import Gone, Said, WorkerProcess
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.stillness import limit_s, sample_s

WORKER_COMMAND = (sys.executable, "-m", "MedUSISLib.batch", "work")
_BARREN = 3
"""So many workers in a row that end before they begin a case: no case is to blame."""
_LAST_WORDS_S = 5.0


@dataclass(frozen=True)
class Place:
    """Where a worker computes: its device, and how many threads it may use (None: as many as it likes)."""

    device: str
    threads: int | None = None


class LocalPool:
    """As many workers as there are places; each is started with its first case, and again after it died.

    A worker has `IN_HAND` cases at most, because it can do no more at once; a case that is to be ``alone`` gets a
    worker that has no other. The next case goes to the worker that has the fewest.

    Parameters
    ----------
    request : BatchRequest
    places : sequence of Place
    on_output : callable
        Hears what the workers and their libraries print; it may hold names of files.
    on_workers : callable
        Told who works now, whenever that changes.
    command : sequence of str
        Starts a worker.
    """

    def __init__(
        self,
        request: BatchRequest,
        places: Sequence[Place],
        on_output: Callable[[str], None] = lambda line: None,
        on_workers: Callable[[list[ProcessIdentity]], None] = lambda identities: None,
        command: Sequence[str] = WORKER_COMMAND,
    ) -> None:
        self._request, self._places, self._command = request, tuple(places), tuple(command)
        self._on_output, self._on_workers = on_output, on_workers
        self._heard: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._workers: list[WorkerProcess | None] = [None] * len(self._places)
        self._waiting: deque[CaseTask] = deque()
        self._alone: set[int] = set()
        self._clocks = ActiveTime()
        self._blamed: dict[int, Failure] = {}
        self._looked = time.monotonic()
        self._barren = 0

    @property
    def capacity(self) -> int:
        return IN_HAND * len(self._places)

    def submit(self, task: CaseTask) -> None:
        self._waiting.append(task)
        self._give_out()

    def events(self, timeout_s: float) -> list[PoolEvent]:
        found: list[PoolEvent] = []
        end = time.monotonic() + timeout_s
        while True:
            self._end_what_takes_too_long()
            try:
                # Once something has happened, only what is there already is added.
                wait = 0.0 if found else max(0.0, min(0.2, end - time.monotonic()))
                worker, said = self._heard.get(timeout=wait) if wait else self._heard.get_nowait()
            except queue.Empty:
                if found or time.monotonic() >= end:
                    break
                continue
            found += self._happened(worker, said)
        self._give_out()
        return found

    def close(self) -> None:
        workers = [worker for worker in self._workers if worker is not None]
        for worker in workers:
            worker.leave()
        end = time.monotonic() + _LAST_WORDS_S
        for worker in workers:
            if not worker.wait(max(0.0, end - time.monotonic())):
                worker.kill()
                worker.wait(_LAST_WORDS_S)
            worker.tidy()
        self._workers = [None] * len(self._places)
        self._waiting.clear()

    # -- giving cases to workers -----------------------------------------------------------------------------------

    def _give_out(self) -> None:
        for task in list(self._waiting):
            cases = [worker.cases if worker is not None else () for worker in self._workers]
            index = free_place(task, self._waiting, cases, self._alone)
            if index is not None:
                self._waiting.remove(task)
                if task.alone:
                    self._alone.add(task.number)
                self._worker_at(index).give(task)

    def _worker_at(self, index: int) -> WorkerProcess:
        worker = self._workers[index]
        if worker is None:
            place = self._places[index]
            settings = WorkerSettings(request=self._request, device=place.device, worker=str(index + 1))
            worker = WorkerProcess(self._command, settings, place.threads, self._heard, self._on_output)
            self._workers[index] = worker
            self._tell_who_works()
        return worker

    def _tell_who_works(self) -> None:
        identities = [worker.identity for worker in self._workers if worker is not None]
        self._on_workers([identity for identity in identities if identity is not None])

    # -- hearing them ----------------------------------------------------------------------------------------------

    def _happened(self, worker: WorkerProcess, said: PoolEvent | Broken | Gone) -> list[PoolEvent]:
        if isinstance(said, Broken):
            raise said.failure.error()
        if isinstance(said, Gone):
            return self._gone(worker, said)
        if isinstance(said, Began):
            worker.has_begun, self._barren = True, 0
            self._clocks.begin(said.number)
        elif isinstance(said, Rests):
            self._clocks.rest(said.number)
        elif isinstance(said, (Finished, Failed)):
            self._has_ended(worker, said.number)
        return [said]

    def _has_ended(self, worker: WorkerProcess, number: int) -> None:
        worker.cases.discard(number)
        self._alone.discard(number)
        self._blamed.pop(number, None)
        self._clocks.forget(number)

    def _gone(self, worker: WorkerProcess, gone: Gone) -> list[PoolEvent]:
        worker.tidy()
        self._workers[self._workers.index(worker)] = None
        with suppress(MedUSISError):
            self._tell_who_works()
        had = sorted(worker.cases)
        found: list[PoolEvent] = [Failed(number, self._blamed[number]) for number in had if number in self._blamed]
        others = [number for number in had if number not in self._blamed]
        # One that was ended because of a case says nothing about the others.
        working = [] if found else [number for number in others if self._clocks.working(number)]
        if not found and not working and worker.has_begun:
            working = others  # between two stages: somebody has to answer for it, or it could go on for ever
        waiting = [number for number in others if number not in working]
        for number in had:
            self._has_ended(worker, number)
        if not worker.has_begun:
            self._barren += 1
            if self._barren >= _BARREN:
                raise MedUSISError(
                    ErrorCode.INTERNAL,
                    f"workers end before they begin a case ({_how(gone.exit_code)})",
                    "look into the batch's log.txt",
                )
        if others:
            found.append(Died(worker.name, tuple(working), tuple(waiting), _how(gone.exit_code)))
        return found

    def _end_what_takes_too_long(self) -> None:
        limit = self._request.time_limit_s
        for number in self._clocks.over(limit) if limit is not None else ():
            self._blame(number, too_long(limit or 0.0))
        stuck = limit_s()
        if stuck is not None and time.monotonic() - self._looked >= sample_s(stuck):
            self._looked = time.monotonic()
            for worker in filter(None, self._workers):
                if worker.is_stuck(stuck):
                    for number in filter(self._clocks.working, sorted(worker.cases)):
                        self._blame(number, did_nothing(stuck))
                    worker.kill()

    def _blame(self, number: int, failure: Failure) -> None:
        """End the worker of a case, for which the case has to answer alone."""
        if self._blamed.setdefault(number, failure) is failure:
            for worker in filter(None, self._workers):
                if number in worker.cases:
                    worker.kill()


def _how(exit_code: int) -> str:
    if exit_code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
