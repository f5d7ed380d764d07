"""All runs of a user: submitting one, finding them again, and the worker that does them."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.runs.claim import Claim
from MedUSISLib.runs.detach import start_detached
from MedUSISLib.runs.files import (
    CHECKPOINT_NAME,
    JOB_NAME,
    WORKER_LOG_NAME,
    WORKER_NAME,
    default_runs_folder,
    named_trouble,
    write_whole,
)
from MedUSISLib.runs.queue import run_folders, waiting
from MedUSISLib.runs.record import Records, RunRecord, now
from MedUSISLib.runs.run import Run
from MedUSISLib.runs.status import RunState


class RunStore:
    """The folder that holds the runs.

    ``submit`` writes a run down and starts a worker if none lives: a process of its own that does the queued runs
    one after another and ends when none is left. It ends with neither Slicer nor the terminal. Several programs may use
    the same store at once.

    Parameters
    ----------
    folder : Path, optional
        The user's folder of runs by default (``MEDUSIS_RUNS`` overrides it).
    python : str, optional
        The Python that runs worker and jobs, ``sys.executable`` by default. In Slicer it must be ``PythonSlicer``
        (``mrml.worker.python_of_worker()``).
    worker_command : sequence of str, optional
        What starts the worker, followed by the folder.
    kinds : mapping, optional
        What can be submitted.

    Examples
    --------
    ::

        run = RunStore().submit(JobSpecification(kind="train", parameters=parameters), "knees")
        run.status().state
    """

    def __init__(
        self,
        folder: Path | None = None,
        python: str | None = None,
        worker_command: Sequence[str] | None = None,
        kinds: Mapping[str, JobKind] = KINDS,
    ) -> None:
        self.folder = Path(os.path.abspath(folder if folder is not None else default_runs_folder()))
        python = python or sys.executable
        self._command = tuple(worker_command or (python, "-m", "MedUSISLib.runs", "work", "--python", python))
        self._kinds = kinds
        self.records = Records()

    def submit(self, specification: JobSpecification, name: str) -> Run:
        """Queue a job and see to it that a worker lives.

        Raises
        ------
        MedUSISError
            BAD_SETTING for wrong parameters, an output folder that holds an earlier training, or one that another run
            uses; DISK_FULL; DEPENDENCY_MISSING when the worker cannot be started.
        """
        request = specification.request(self._kinds)
        out = getattr(request, "out", None)
        if out is not None:
            self.check_free(Path(out))
            _check_out(Path(out), getattr(request, "resume", None))
        at = now()
        with named_trouble(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            identifier = f"{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03d}{secrets.token_hex(1)}"
            record = RunRecord(
                id=identifier,
                name=name,
                kind=specification.kind,
                out=str(out if out is not None else self.folder / identifier),
                created=at,
                queued=at,
                resume=bool(getattr(request, "resume", False)),
            )
            new, folder = self.folder / f".new-{identifier}", self.folder / identifier
            try:
                new.mkdir(mode=0o700)
                write_whole(new / JOB_NAME, specification.model_dump_json(indent=1))
                record.write(new)
                new.rename(folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
        try:
            self.wake()
        except MedUSISError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Run(folder, self)

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        return [Run(folder, self) for folder in reversed(run_folders(self.folder))]

    def run(self, identifier: str) -> Run:
        """The run of this id, or of the beginning of one.

        Raises
        ------
        MedUSISError
            BAD_SETTING when there is none, or more than one begins so.
        """
        folders = run_folders(self.folder)
        found = [f for f in folders if f.name == identifier] or [f for f in folders if f.name.startswith(identifier)]
        if len(found) == 1 and identifier:
            return Run(found[0], self)
        if found and identifier:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"{len(found)} runs begin with {identifier!r}", "give more of the id"
            )
        known = ", ".join(f.name for f in folders[-3:]) or "none"
        raise MedUSISError(ErrorCode.BAD_SETTING, f"there is no run {identifier!r}", f"the newest are: {known}")

    def wake(self) -> None:
        """Start a worker when runs wait and none lives; after a power cut, for example."""
        if waiting(self.folder, self.records) and not Claim(self.folder / WORKER_NAME).held:
            start_detached((*self._command, str(self.folder)), self.folder / WORKER_LOG_NAME)

    def caches(self, except_of: str) -> set[str]:
        """Caches that the other runs use."""
        found = set()
        for folder in run_folders(self.folder):
            if folder.name != except_of:
                with suppress(MedUSISError):
                    found.add(str(JobSpecification.read(folder / JOB_NAME).parameters.get("cache")))
        return found

    def check_free(self, out: Path, except_of: str = "") -> None:
        """Raise BAD_SETTING when another run that is queued or at work writes into this folder."""
        for run in self.runs():
            status = run.status()
            busy = status.state.active or status.state is RunState.QUEUED
            if busy and status.out == out and run.id != except_of:
                raise MedUSISError(
                    ErrorCode.BAD_SETTING,
                    f"run {run.id} writes to the same output folder",
                    "choose another folder",
                    out,
                )


def _check_out(out: Path, resume: bool | None) -> None:
    if resume is False and (out / CHECKPOINT_NAME).is_file():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the output folder holds an earlier training",
            "go on with it (resume), or choose another folder",
            out,
        )
