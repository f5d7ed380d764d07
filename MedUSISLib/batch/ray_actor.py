"""A worker on a Ray cluster: the same pipeline as in a local worker, fed and heard through Ray's calls.

Nothing but the paths of a case and short events travel between it and the batch; volumes stay on the shared disk.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import psutil

from MedUSISLib.batch.cluster_lease import LEASE_S
from MedUSISLib.batch.pool import CaseTask, Failed, Finished, PoolEvent
from MedUSISLib.batch.wire import Broken, WorkerSettings, to_line
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.jobs.workspace import job_workspace
from MedUSISLib.leftovers import WORKSPACE_VARIABLE
from MedUSISLib.library_words import keep_library_words_out
from MedUSISLib.stillness import Stillness, bytes_moved

if TYPE_CHECKING:
    from MedUSISLib.batch.pipeline import CasePipeline

_TICK_S = 1.0


class CaseActor:
    """What Ray makes on a node; its methods are called from several threads.

    Whoever asks says which events it has (``poll``), so an answer that is lost on the way is given again. Asking also
    renews the worker's lease: a worker that was cut off from its batch ends at a time that the batch knows, and a case
    that is begun anew somewhere else is not written by both.

    Parameters
    ----------
    settings : str
        `WorkerSettings` as JSON.
    generator_sha256 : str
        Of the generator that the batch means: what the node has under this name must be the same.
    lease_s : float
        See `cluster_lease.LEASE_S`.
    look_s : float
        How often it looks whether it still does anything; 0 for never.
    """

    def __init__(self, settings: str, generator_sha256: str, lease_s: float = LEASE_S, look_s: float = 0.0) -> None:
        _print_nowhere()
        self._settings = WorkerSettings.model_validate_json(settings)
        self._sha256 = generator_sha256
        self._lease_ticks = max(1, round(lease_s / _TICK_S))
        self._missed = 0
        self._heard = threading.Condition()
        self._events: deque[tuple[int, str]] = deque()
        self._number = 0
        self._fed: set[tuple[int, int]] = set()
        self._in_hand: set[int] = set()
        self._look_s, self._still_s = look_s, 0.0
        self._held = ExitStack()
        self._pipeline: CasePipeline | None = None

    def ready(self) -> dict[str, Any]:
        """Load what is needed: the process's ``pid``, and ``broken``, a line, when it cannot work."""
        try:
            self._held.enter_context(_own_workspace())
            rays = frozenset(thread.id for thread in psutil.Process().threads())
            self._pipeline = self._make_pipeline()
        except Exception as error:
            return {"pid": os.getpid(), "broken": to_line(Broken(Failure.of(named_error(error))))}
        threading.Thread(target=self._watch_lease, name="medusis-lease", daemon=True).start()
        if self._look_s:
            threading.Thread(target=self._watch_work, args=(rays,), name="medusis-watch", daemon=True).start()
        return {"pid": os.getpid(), "broken": ""}

    def feed(self, task: str) -> None:
        """Take a case (`CaseTask` as JSON); the same attempt again is nothing new."""
        case = CaseTask.model_validate_json(task)
        assert self._pipeline is not None, "ready() comes first"
        if (case.number, case.attempt) not in self._fed:
            self._fed.add((case.number, case.attempt))
            self._in_hand.add(case.number)
            self._pipeline.feed(case)

    def poll(self, after: int, given: list[tuple[int, int]], timeout_s: float) -> dict[str, Any]:
        """What happened.

        Parameters
        ----------
        after : int
            Number of the last event that is known.
        given : list of tuple of int
            Number and attempt of the cases that this worker should have.
        timeout_s : float
            How long to wait for the first event.

        Returns
        -------
        dict
            ``events``: pairs of number and line; ``lacks``: numbers of the cases that did not arrive; ``still_s``: for
            how many seconds it has had cases in hand and done nothing at all (`stillness`).
        """
        end = time.monotonic() + timeout_s
        lacks = [number for number, attempt in given if (number, attempt) not in self._fed]
        with self._heard:
            self._missed = 0
            while self._events and self._events[0][0] <= after:
                self._events.popleft()
            while not self._events and not lacks and (rest := end - time.monotonic()) > 0:
                self._heard.wait(rest)
            self._missed = 0
            return {"events": list(self._events), "lacks": lacks, "still_s": self._still_s}

    def _make_pipeline(self) -> CasePipeline:
        from MedUSISLib.batch.pipeline import CasePipeline
        from MedUSISLib.batch.synthesis_stages import SynthesisStages
        from MedUSISLib.synthesis.loaded_generators import LoadedGenerators

        request = self._settings.request
        bundle, _ = LoadedGenerators(keep=0).verified(request.generator)
        if bundle.sha256 != self._sha256:
            raise MedUSISError(
                ErrorCode.GENERATOR_CORRUPT,
                "there is another generator of this name",
                "install the same version on every node, or give the path of a folder that all of them see",
            )
        stages = SynthesisStages(request, self._settings.device)
        stages.prepare()
        return CasePipeline(stages, self._say, self._settings.worker)

    def _say(self, event: PoolEvent) -> None:
        if isinstance(event, (Finished, Failed)):
            self._in_hand.discard(event.number)
        with self._heard:
            self._number += 1
            self._events.append((self._number, to_line(event)))
            self._heard.notify_all()

    def _watch_lease(self) -> None:
        """End the process when nobody asks any more.

        Ticks are counted, not seconds: a library that keeps the interpreter for a minute stops this thread as it stops
        the one that would answer.
        """
        while self._missed < self._lease_ticks:
            time.sleep(_TICK_S)
            with self._heard:
                self._missed += 1
        self._held.close()
        os._exit(1)

    def _watch_work(self, rays: frozenset[int]) -> None:
        """Measure how long nothing has moved here, but for Ray's own threads, which never rest, and this one."""
        process, others = psutil.Process(), rays | {threading.get_native_id()}
        read = 0.0
        stillness = Stillness(lambda: [process], spare=lambda: (_seconds(process, others), read))
        said = 0
        with suppress(psutil.Error):  # a system that does not tell; the time-out of a case holds there, too
            while True:
                time.sleep(self._look_s)
                if self._number != said or not self._in_hand:
                    stillness.hear()
                said = self._number
                before = bytes_moved(process)
                self._still_s = stillness.look(self._look_s)
                read += bytes_moved(process) - before  # looking for children reads of every process of the node


def _seconds(process: psutil.Process, threads: frozenset[int]) -> float:
    """Processor seconds of some of a process's threads."""
    return sum(one.user_time + one.system_time for one in process.threads() if one.id in threads)


def _own_workspace() -> Any:
    """A private folder of this process alone: what a killed neighbour left is removed with it.

    Inside a local cluster it lies in the folder of the cluster, which is removed at the end.
    """
    os.environ.pop(WORKSPACE_VARIABLE, None)
    return job_workspace()


def _print_nowhere() -> None:
    """What libraries print may name files; Ray would keep it in its logs, on a disk that is not the user's."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")
    keep_library_words_out()
