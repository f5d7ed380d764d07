"""The engine that stays ready between runs: when it is kept, how long, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from MedUSISLib.mrml.worker import Worker
from MedUSISLib.signal import Signal

if TYPE_CHECKING:
    from MedUSISLib.jobs.process import ProcessProtocol
    from MedUSISLib.jobs.warm_worker import WarmWorker

DEFAULT_MINUTES = 10
LONGEST_MINUTES = 240


class KeptEngine:
    """One child process for synthesis and segmentation that stays between runs.

    It begins with the first run and holds the generator, not the patient's data. It ends after ``minutes`` without a
    run, by ``end``, and with the module. A run that cannot have it gets a process of its own.

    Parameters
    ----------
    worker : Worker, optional
        How child processes are made. Without ``serve_command`` nothing is kept.

    Attributes
    ----------
    minutes : int
        How long it stays; 0: it is not kept. What is changed counts from the next run on, 0 at once.
    changed : Signal
        Without arguments: it has begun, ended, or begun or ended a run. In the thread that hears the process.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._given = worker or Worker()
        self._warm: WarmWorker | None = None
        self._minutes = 0
        self.changed = Signal()

    @property
    def minutes(self) -> int:
        return self._minutes

    @minutes.setter
    def minutes(self, minutes: int) -> None:
        self._minutes = max(0, min(int(minutes), LONGEST_MINUTES))
        if self._minutes == 0:
            self.end()

    @property
    def worker(self) -> Worker:
        """How the processes of runs are made: from the engine when it is kept, else as given."""
        if self._given.serve_command is None:
            return self._given
        return replace(self._given, new_process=self._new_process)

    @property
    def running(self) -> bool:
        """Whether there is one."""
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        """Number of its process."""
        return self._warm.pid if self._warm is not None else None

    @property
    def busy(self) -> bool:
        """Whether it is doing a run."""
        return self._warm is not None and self._warm.state.value == "busy"

    @property
    def memory_bytes(self) -> int:
        """What it held when it last waited; 0 when nobody knows."""
        return self._warm.memory_bytes if self._warm is not None else 0

    def end(self) -> None:
        """End it and give its memory back; a run goes on, and it ends after that."""
        if self._warm is not None:
            self._warm.end()

    def close(self) -> None:
        """End it at once, for good; again does nothing."""
        self._minutes = 0
        self.changed.disconnect_all()
        if self._warm is not None:
            self._warm.close()

    def _new_process(self) -> ProcessProtocol:
        if self._minutes == 0 and self._warm is None:
            return self._given.new_process()
        if self._warm is None:
            from MedUSISLib.jobs.warm_worker import WarmWorker

            assert self._given.serve_command is not None
            self._warm = WarmWorker(
                self._given.new_process,  # type: ignore[arg-type]
                self._given.serve_command,
                lambda: 60.0 * self._minutes,
                self._after(),
            )
            self._warm.changed.connect(self.changed)
        return self._warm.new_process()

    def _after(self) -> Callable[[float, Callable[[], None]], object] | None:
        single_shot = self._given.single_shot
        if single_shot is None:
            return None
        return lambda seconds, function: single_shot(int(1000 * seconds), function)
