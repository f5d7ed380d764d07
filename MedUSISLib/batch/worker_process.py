"""A worker of the local pool, as the pool sees it: the process, its private folder, and the cases that it has."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psutil

from MedUSISLib.batch.pool import CaseTask, PoolEvent
from MedUSISLib.batch.wire import Broken, WorkerSettings, from_line
from MedUSISLib.jobs.child_environment import child_environment
from MedUSISLib.jobs.process import SubprocessProcess
from MedUSISLib.jobs.process_tree import kill_orphans, kill_tree, process_of
from MedUSISLib.jobs.workspace import private_workspace
from MedUSISLib.runs.identity import ProcessIdentity
from MedUSISLib.stillness import Stillness, sample_s


@dataclass(frozen=True)
class Gone:
    """The process has ended; ``exit_code`` is negative when a signal killed it."""

    exit_code: int


Said = tuple["WorkerProcess", PoolEvent | Broken | Gone]


class WorkerProcess:
    """One life of one worker.

    Parameters
    ----------
    command : sequence of str
    settings : WorkerSettings
    threads : int, optional
        That it may use for computing.
    heard : queue
        Gets what it says, with itself; ``Gone`` is its last word.
    on_output : callable
        Hears each line of its standard error.
    """

    def __init__(
        self,
        command: Sequence[str],
        settings: WorkerSettings,
        threads: int | None,
        heard: queue.SimpleQueue[Said],
        on_output: Callable[[str], None],
    ) -> None:
        self.name = settings.worker
        self.cases: set[int] = set()
        self.has_begun = False
        self._heard, self._on_output = heard, on_output
        self._cleanup = ExitStack()
        self._process = SubprocessProcess()
        self._root: psutil.Process | None = None
        self._stillness = Stillness(lambda: filter(None, [self._root]))
        workspace = self._cleanup.enter_context(private_workspace())
        try:
            computing = {} if threads is None else {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
            self._process.start(command, {**child_environment(workspace), **computing}, self)
            self._root = process_of(self._process.pid)
            self._tell(settings.model_dump_json())
        except BaseException:
            self._cleanup.close()
            raise

    @property
    def identity(self) -> ProcessIdentity | None:
        """By which whoever goes on with the batch finds it, if it outlives its owner."""
        return ProcessIdentity.of(self._process.pid or 0)

    def is_stuck(self, limit: float) -> bool:
        """Whether it has cases and did nothing at all for so many seconds; to be asked every ``sample_s(limit)``."""
        if not self.cases:
            self._stillness.hear()
        return self._stillness.look(sample_s(limit)) >= limit

    def give(self, task: CaseTask) -> None:
        """Hand it a case; when it is dead, its ``Gone`` will say so."""
        self.cases.add(task.number)
        self._tell(task.model_dump_json())

    def _tell(self, line: str) -> None:
        with suppress(OSError):  # it is dead
            self._process.write_line(line)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        kill_tree(self._root)

    def leave(self) -> None:
        """Tell it that nothing more is wanted; returns at once."""
        self._process.ask_to_stop()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        return self._process.wait(timeout_s)

    def tidy(self) -> None:
        """After its end: remove what it left, half-written results among it."""
        kill_orphans(self._process.pid)
        with suppress(OSError):
            self._cleanup.close()

    # What the process tells (ProcessListener)

    def output_line(self, line: str) -> None:
        self._stillness.hear()
        event = from_line(line)
        if event is None:
            self._on_output(line)
        else:
            self._heard.put((self, event))

    def error_line(self, line: str) -> None:
        self._on_output(line)

    def finished(self, exit_code: int) -> None:
        self._heard.put((self, Gone(exit_code)))
