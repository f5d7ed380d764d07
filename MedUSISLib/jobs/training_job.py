"""Training as a job: in this process, or in several on this machine that are started and watched from here."""

from __future__ import annotations

import os
import queue
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.events import Event, Failure, Metric, Preview, Result, Stage, Step, Warned
from MedUSISLib.jobs.launcher import Launcher
from MedUSISLib.jobs.process import ProcessListener, SubprocessProcess
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Progress
from MedUSISLib.training.launched import ANOTHER_ENDED, MEETING_VARIABLE, launched

#: How long the others may take to end by themselves, and the first one to say why, after one has failed.
_LAST_WORDS_S = 20.0
_INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


def train(request: BaseModel, progress: Progress) -> Any:
    """Train as the configuration says: here, or, with ``devices``, in so many child processes.

    Parameters
    ----------
    request : GeneratorTraining or SegmentatorTraining
    progress : Progress

    Raises
    ------
    MedUSISError
        Those of `training.run.train`; with several processes the first one's, or that of whichever failed.
    """
    count = int(getattr(request, "devices", 1))
    if count == 1 or launched() is not None or int(getattr(request, "nodes", 1)) > 1:
        from MedUSISLib.training.run import train as train_here

        return train_here(request, progress)  # type: ignore[arg-type]
    return SeveralProcesses(request, count, progress).run()


class SeveralProcesses:
    """A job in several processes that find each other as those of torchrun do.

    Each is a job of its own in a child process, with the same specification. What the first one says is passed on;
    the others are silent. When one fails, or this job is cancelled, all end: a process that waits for a dead one
    in the middle of a step may wait for long.

    Parameters
    ----------
    request : BaseModel
        Of a job of kind "train".
    count : int
    progress : Progress
    """

    def __init__(self, request: BaseModel, count: int, progress: Progress) -> None:
        self._progress = progress
        self._heard: queue.SimpleQueue[tuple[int, Event]] = queue.SimpleQueue()
        specification = JobSpecification.of("train", request)
        self._folder = tempfile.TemporaryDirectory(prefix="medusis-meeting-")
        meeting = Path(self._folder.name) / "store"
        self._launchers = [
            Launcher(
                specification,
                PlacedProcess(place(rank, count, meeting, request)),
                on_output=_labelled_output(rank, count),
            )
            for rank in range(count)
        ]

    def run(self) -> Mapping[str, Any]:
        """Until all have ended; the first one's summary."""
        last: dict[int, Result | Failure] = {}
        failed_at: float | None = None
        try:
            for rank, launcher in enumerate(self._launchers):
                launcher.start(lambda event, rank=rank: self._heard.put((rank, event)))  # type: ignore[misc]
            with self._progress.answering_wishes():
                while len(last) < len(self._launchers):
                    self._pass_wish_on()
                    try:
                        rank, event = self._heard.get(timeout=0.2)
                    except queue.Empty:
                        event = None
                    if isinstance(event, (Result, Failure)):
                        last[rank] = event
                        if isinstance(event, Failure) and failed_at is None:
                            failed_at = time.monotonic()
                    elif event is not None and rank == 0:
                        repeat(event, self._progress)
                    if failed_at is not None and time.monotonic() - failed_at > _LAST_WORDS_S:
                        self._end()
        finally:
            self._end()
            for launcher in self._launchers:
                launcher.wait(timeout_s=5.0)
            self._folder.cleanup()
        failures = [last[rank] for rank in sorted(last) if isinstance(last[rank], Failure)]
        if failures:
            raise the_reason([failure.error() for failure in failures if isinstance(failure, Failure)])
        result = last[0]
        assert isinstance(result, Result)
        return result.summary

    def _pass_wish_on(self) -> None:
        self._progress.checkpoint()
        wish = self._progress.wish
        if wish is not None:
            self._launchers[0].wish(wish)

    def _end(self) -> None:
        for launcher in self._launchers:
            launcher.cancel()


class PlacedProcess(SubprocessProcess):
    """A child process with some more environment variables.

    Parameters
    ----------
    variables : mapping of str to str
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__()
        self._variables = variables

    def start(self, command: Sequence[str], environment: Mapping[str, str], listener: ProcessListener) -> None:
        super().start(command, {**environment, **self._variables}, listener)


def place(rank: int, count: int, meeting: Path, request: BaseModel) -> dict[str, str]:
    """The variables by which a process of one machine knows its place, as torchrun sets them, and finds the others.

    On the CPU the cores are divided among the processes, unless the user or the configuration says otherwise. They
    speak with each other inside this machine: left to itself, gloo listens at the address of the computer's name, which
    everybody in the house can reach.
    """
    variables = {
        "TORCHELASTIC_RUN_ID": "medusis",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_RANK": "0",
        MEETING_VARIABLE: str(meeting),
    }
    variables |= {name: inner for name in _INTERFACE_VARIABLES if name not in os.environ and (inner := _loopback())}
    if "OMP_NUM_THREADS" not in os.environ and getattr(request, "threads", None) is None:
        variables["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // count))
    return variables


def _loopback() -> str | None:
    """Name of the interface that leads to this machine alone ("lo", "lo0"); None where the libraries know none."""
    if sys.platform == "win32":
        return None
    return next((name for _, name in socket.if_nameindex() if name.rstrip("0123456789") == "lo"), None)


def the_reason(errors: Sequence[MedUSISError]) -> MedUSISError:
    """Of the errors of several processes the one that the others follow from.

    Examples
    --------
    >>> ended = MedUSISError(ErrorCode.INTERNAL, "another process of this training has ended")
    >>> the_reason([ended, MedUSISError(ErrorCode.OUT_OF_MEMORY, "no memory")]).code.value
    'OUT_OF_MEMORY'
    """

    def distance(error: MedUSISError) -> int:
        if error.message == ANOTHER_ENDED:
            return 3
        return {ErrorCode.INTERNAL: 1, ErrorCode.CANCELLED: 2}.get(error.code, 0)

    return min(errors, key=distance)


def repeat(event: Event, progress: Progress) -> None:
    """Say to a listener what a child said."""
    if isinstance(event, Stage):
        progress.stage(event.name)
    elif isinstance(event, Step):
        progress.step(event.done, event.total)
    elif isinstance(event, Preview):
        progress.preview(Path(event.path))
    elif isinstance(event, Metric):
        progress.metric(event.name, float("nan") if event.value is None else event.value, **event.details)
    elif isinstance(event, Warned):
        progress.warning(event.code, event.message)


def _labelled_output(rank: int, count: int) -> Any:
    return lambda line: print(f"[{rank + 1}/{count}] {line}", file=sys.stderr)
