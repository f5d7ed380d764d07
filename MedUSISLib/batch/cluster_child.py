"""``python -m MedUSISLib.batch cluster``: the process between a batch and a Ray cluster; `ray_pool` starts it.

It speaks as a worker does (`wire`): settings and tasks in, events out. Before the first event it says how many workers
there are (`Opened`).
"""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.batch.cluster_lease import AskedFile
from MedUSISLib.batch.pool import CaseTask, PoolEvent
from MedUSISLib.batch.wire import Broken, WorkerSettings, to_line
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Failure
from MedUSISLib.jobs.failures import exit_code_of, named_error
from MedUSISLib.jobs.workspace import PRIVATE_VARIABLE, remove_what_the_launcher_left
from MedUSISLib.library_words import keep_library_words_out, print_error

LOST = "the connection to the cluster was lost"
_WAIT_S = 0.2
_LAST_WORDS_S = 30.0


class ClusterSettings(WorkerSettings):
    """The first line.

    Attributes
    ----------
    inputs : tuple of Path
        Some of the files of the cases, for a look at the nodes.
    local_workers : int
        On a cluster of this machine, unless its address says how many.
    worker_bytes : int or None
        Memory that a worker is expected to take.
    """

    inputs: tuple[Path, ...] = ()
    local_workers: int = 1
    worker_bytes: int | None = None


@dataclass(frozen=True)
class Opened:
    """The cluster is there and takes cases; ``workers`` is how many workers there will be."""

    workers: int

    def line(self) -> str:
        """As it is written on standard output."""
        return json.dumps({"opened": {"workers": self.workers}})

    @classmethod
    def of_line(cls, line: str) -> Opened | None:
        """What a line says; None when it says something else."""
        with suppress(ValueError, TypeError, KeyError):
            return cls(int(json.loads(line)["opened"]["workers"]))
        return None


class ClusterChild:
    """Does the tasks that it is told on a cluster, until its standard input ends.

    Parameters
    ----------
    orders, events : TextIO
    """

    def __init__(self, orders: TextIO, events: TextIO) -> None:
        self._orders, self._events = orders, events
        self._tasks: queue.SimpleQueue[CaseTask | None] = queue.SimpleQueue()
        self._leaving = False

    def work(self) -> int:
        """Returns the exit code; to be called in the main thread."""
        self._hear_signals()
        os.environ.pop(PRIVATE_VARIABLE, None)  # a folder of the batch's owner, which outlives this process
        keep_library_words_out()
        try:
            settings = ClusterSettings.model_validate_json(self._orders.readline())
            threading.Thread(target=self._read_orders, name="medusis-orders", daemon=True).start()
            self._serve(settings)
        except Exception as error:
            print_error(error)
            named = named_error(error)
            self._write(to_line(Broken(Failure.of(named))))
            return exit_code_of(named)
        finally:
            remove_what_the_launcher_left()
        return 0

    def _serve(self, settings: ClusterSettings) -> None:
        from MedUSISLib.batch.ray_nodes import look_at_nodes
        from MedUSISLib.batch.ray_plan import plan_actors
        from MedUSISLib.batch.ray_session import ray_session
        from MedUSISLib.batch.ray_workers import RayWorkers
        from MedUSISLib.synthesis.loaded_generators import load_generator

        request = settings.request
        address = ClusterAddress.parse(request.cluster or "local")
        bundle, _ = load_generator(request.generator)
        wanted = (address.workers or settings.local_workers) if address.is_local else request.workers
        with ray_session(address, wanted or 1) as session:
            self._hear_signals()  # Ray has put its own answer in the place of ours
            nodes = session.nodes()
            plan = plan_actors(nodes, request.device, wanted, settings.worker_bytes)
            if not address.is_local:
                look_at_nodes(session, nodes, (*_folder_of(request.generator), *settings.inputs), request.out)
            workers, asked = RayWorkers(session, plan, settings, bundle.sha256, self._say), AskedFile(request.out)
            try:
                self._write(Opened(plan.count).line())
                while not self._leaving and self._take_tasks(workers):
                    if session.lost:
                        raise MedUSISError(ErrorCode.DEVICE_NOT_AVAILABLE, LOST)
                    try:
                        if not address.is_local:
                            asked.asked()
                        workers.work(_WAIT_S)
                    except (ConnectionError, session.ray.exceptions.RaySystemError) as error:
                        raise MedUSISError(ErrorCode.DEVICE_NOT_AVAILABLE, LOST) from error
            finally:
                if not session.lost and workers.close():
                    asked.over()

    def _take_tasks(self, workers: Any) -> bool:
        """Hand over what has come in; False when nothing more will."""
        with suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is None:
                    return False
                workers.add(task)
        return True

    def _read_orders(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._orders:
                self._tasks.put(CaseTask.model_validate_json(line))
        self._tasks.put(None)
        # Nobody is there any more who would end this process when Ray hangs. Its own Ray ends with it.
        time.sleep(_LAST_WORDS_S)
        remove_what_the_launcher_left()
        os._exit(1)

    def _hear_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        self._leaving = True

    def _say(self, event: PoolEvent) -> None:
        self._write(to_line(event))

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody may be there to hear it
            self._events.write(line + "\n")
            self._events.flush()


def _folder_of(generator: str) -> tuple[Path, ...]:
    """The folder of a generator that was given as a path: every node must see it."""
    path = Path(generator).expanduser()
    return (path.resolve(),) if path.name != generator and path.is_dir() else ()
