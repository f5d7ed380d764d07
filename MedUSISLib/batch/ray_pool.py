"""Workers on a Ray cluster: the same pool to the batch as the workers of this machine."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.cluster_child import LOST, ClusterSettings, Opened
from MedUSISLib.batch.cluster_lease import LEASE_S, MARGIN_S
from MedUSISLib.batch.pipeline import IN_HAND
from MedUSISLib.batch.pool import CaseTask, Died, Failed, Finished, PoolEvent
from MedUSISLib.batch.ray_session import NOT_STARTED, require_ray
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.wire import Broken
from MedUSISLib.batch.worker_process import Gone, Said, WorkerProcess
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.process_tree import kill_session
from MedUSISLib.output_directory import remove_half_written
from MedUSISLib.progress import Progress
from MedUSISLib.runs.identity import ProcessIdentity

CLUSTER_COMMAND = (sys.executable, "-m", "MedUSISLib.batch", "cluster")
_ATTEMPTS = 3
"""To reach a cluster, one after the other without a case that ended between them."""
_LAST_WORDS_S = 15.0


class RayPool:
    """A cluster that is reached, or started, by a child process, which is told the cases and says what happens.

    The child is what Ray ends when a cluster's head dies. It is then started again: on a new cluster of this machine,
    or with a new connection, after the leases of the workers there are over.

    Parameters
    ----------
    request : BatchRequest
        Its ``cluster`` says where.
    local_workers : int
        Workers for "local" without a number.
    worker_bytes : int, optional
        Memory that a worker is expected to take.
    inputs : sequence of Path
        Some files of the cases, which all nodes must see.
    on_output : callable
        Hears what Ray prints here.
    on_workers : callable
        Told which process of this machine works for the batch.
    progress : Progress, optional
        Asked while the cluster is opened whether the user still wants it.
    command : sequence of str
        Starts the child.

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING without Ray; what `ray_session` and `ray_nodes` raise.
    """

    def __init__(
        self,
        request: BatchRequest,
        local_workers: int = 1,
        worker_bytes: int | None = None,
        inputs: Sequence[Path] = (),
        on_output: Callable[[str], None] = lambda line: None,
        on_workers: Callable[[list[ProcessIdentity]], None] = lambda identities: None,
        progress: Progress | None = None,
        command: Sequence[str] = CLUSTER_COMMAND,
    ) -> None:
        self._address = ClusterAddress.parse(request.cluster or "local")
        require_ray(self._address)
        self._settings = ClusterSettings(
            request=request,
            device="auto",
            worker="cluster",
            inputs=tuple(inputs),
            local_workers=local_workers,
            worker_bytes=worker_bytes,
        )
        self._on_output, self._on_workers, self._command = on_output, on_workers, tuple(command)
        self._heard: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._opened: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._child: WorkerProcess | None = None
        self._tasks: dict[int, CaseTask] = {}
        self._touched: dict[int, CaseTask] = {}
        self._session: int | None = None
        self._workers = 0
        self._failures = 0
        self._again_at: float | None = None
        self._last_words = LOST
        self._open(progress or Progress())

    @property
    def capacity(self) -> int:
        return IN_HAND * self._workers

    def submit(self, task: CaseTask) -> None:
        self._tasks[task.number] = self._touched[task.number] = task
        if self._child is not None:
            self._child.give(task)
        # Between two children it is named by the word of the loss, and comes again.

    def events(self, timeout_s: float) -> list[PoolEvent]:
        found: list[PoolEvent] = []
        end = time.monotonic() + timeout_s
        while True:
            found += self._come_back()
            while not self._opened.empty():
                self._workers = self._opened.get()
            try:
                wait = 0.0 if found else max(0.0, min(0.2, end - time.monotonic()))
                _, said = self._heard.get(timeout=wait) if wait else self._heard.get_nowait()
            except queue.Empty:
                if found or time.monotonic() >= end:
                    return found
                continue
            found += self._happened(said)

    def close(self) -> None:
        self._end_child()
        for task in self._touched.values():
            remove_half_written(task.out)
        self._tasks.clear()

    # -- the child -------------------------------------------------------------------------------------------------

    def _open(self, progress: Progress) -> None:
        """Start the child and wait until it says that the cluster is there; Ray gives up early on a busy machine."""
        self._start()
        try:
            while True:
                progress.checkpoint()
                try:
                    _, said = self._heard.get(timeout=0.1)
                except queue.Empty:
                    pass
                else:
                    self._start_anew_or_raise(said)
                if not self._opened.empty():
                    self._workers, self._failures = self._opened.get(), 0
                    return
        except BaseException:
            self._end_child()
            raise

    def _start(self) -> None:
        self._child = WorkerProcess(self._command, self._settings, None, self._heard, self._hear_other_words)
        identity = self._child.identity
        self._session = None if identity is None else identity.pid
        self._on_workers([identity] if identity is not None else [])

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.leave()
            if not child.wait(_LAST_WORDS_S):
                child.kill()
                child.wait(_LAST_WORDS_S)
            kill_session(self._session)  # workers of a cluster of our own do not notice at once that it is gone
            child.tidy()

    def _hear_other_words(self, line: str) -> None:
        opened = Opened.of_line(line)
        if opened is not None:
            self._opened.put(opened.workers)
        else:
            self._on_output(line)

    def _start_anew_or_raise(self, said: PoolEvent | Broken | Gone) -> None:
        if isinstance(said, Broken):
            self._failures += 1
            if said.failure.message != NOT_STARTED or self._failures >= _ATTEMPTS:
                raise said.failure.error()
        elif isinstance(said, Gone):
            if not self._failures:
                raise MedUSISError(ErrorCode.INTERNAL, "Ray ended before the cluster was there", "look into the log")
            self._end_child()
            self._start()

    # -- what it says ----------------------------------------------------------------------------------------------

    def _happened(self, said: PoolEvent | Broken | Gone) -> list[PoolEvent]:
        if isinstance(said, Broken):
            # A head that is started anew lets nobody in for a while: the cluster is still lost, its end follows.
            if said.failure.code != ErrorCode.DEVICE_NOT_AVAILABLE.value:
                raise said.failure.error()
            self._last_words = said.failure.message
            return []
        if isinstance(said, Gone):
            self._lost()
            return []
        if isinstance(said, (Finished, Failed)):
            self._failures = 0
            self._tasks.pop(said.number, None)
            if isinstance(said, Finished):  # nothing of it is left to be looked for in a folder of thousands
                self._touched.pop(said.number, None)
        elif isinstance(said, Died):
            for number in (*said.working, *said.waiting):
                self._tasks.pop(number, None)
        return [said]

    def _lost(self) -> None:
        self._end_child()
        self._failures += 1
        if self._failures >= _ATTEMPTS:
            raise MedUSISError(
                ErrorCode.DEVICE_NOT_AVAILABLE,
                f"the cluster was lost {self._failures} times without a case in between ({self._last_words})",
                "see that it runs; the same command goes on with the cases that are not done",
            )
        # Workers of a cluster that only we cannot reach go on until their lease is over.
        self._again_at = time.monotonic() + (0.0 if self._address.is_local else LEASE_S + MARGIN_S)

    def _come_back(self) -> list[PoolEvent]:
        """After a loss, when it is time: another child, and word of the cases that the last one had."""
        if self._again_at is None or time.monotonic() < self._again_at:
            return []
        self._again_at = None
        lost, self._tasks = sorted(self._tasks), {}
        self._start()
        return [Died("cluster", (), tuple(lost), "the cluster was lost")] if lost else []
