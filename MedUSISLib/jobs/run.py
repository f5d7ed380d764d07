"""The child's side of a job: read the file, do the work, say how it ended."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TextIO

from pydantic import BaseModel

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.jobs.cancellation import cancellable
from MedUSISLib.jobs.events import EventWriter, Failure, JobProgress, Result
from MedUSISLib.jobs.failures import exit_code_of, named_error
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.jobs.workspace import job_workspace, remove_what_the_launcher_left
from MedUSISLib.library_words import keep_library_words_out, print_error


def take_standard_output() -> TextIO:
    """Keep the real standard output for events; whatever else is printed from now on goes to standard error.

    On the level of file descriptors, so that it holds for C++ libraries and child processes too. Call it before
    anything heavy is imported.
    """
    sys.stdout.flush()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def run_job(job_file: str | Path, stream: TextIO, kinds: Mapping[str, JobKind] = KINDS) -> int:
    """Do one job and write its events to ``stream``.

    The life of a job: the specification is validated, the function of its kind is imported and called, its result
    or its named error is the last event. Temporary files lie in a private folder and are gone afterwards.

    Parameters
    ----------
    job_file : str or Path
        A ``JobSpecification`` as JSON.
    stream : TextIO
        Where events go; see ``take_standard_output``.
    kinds : mapping of str to JobKind
        What can be asked for.

    Returns
    -------
    int
        0, or the exit code of the named error (``failures.EXIT_CODES``).
    """
    writer = EventWriter(stream)
    progress = JobProgress(writer, WishFile.of_environment())
    keep_library_words_out()
    released = threading.Event()
    try:
        with cancellable(progress.cancel) as released, job_workspace():
            result = done(job_file, progress, kinds)
    except BaseException as error:
        named = named_failure(error, progress)
        writer.write(Failure.of(named))
        if released.is_set():
            remove_what_the_launcher_left()
        return exit_code_of(named)
    writer.write(result)
    return 0


def done(
    job_file: str | Path,
    progress: JobProgress,
    kinds: Mapping[str, JobKind] = KINDS,
    kept: Mapping[str, object] | None = None,
) -> Result:
    """Do the job in a file; its last event.

    Parameters
    ----------
    job_file : str or Path
    progress : JobProgress
    kinds : mapping of str to JobKind
    kept : mapping of str to object, optional
        What this process keeps from job to job, by the name of the argument with which a kind takes it
        (``JobKind.keeps``).
    """
    specification = JobSpecification.read(job_file)
    kind = specification.job_kind(kinds)
    request = specification.request(kinds)
    more = {kind.keeps: kept[kind.keeps]} if kept is not None and kind.keeps else {}
    return _result_event(kind.implementation()(request, progress, **more), request)


def named_failure(error: BaseException, progress: JobProgress) -> MedUSISError:
    """The named error for what ended a job; on standard error where in the code it was, unless somebody wanted it."""
    if not isinstance(error, KeyboardInterrupt) and not _is_cancel(error):
        with suppress(OSError):  # nobody may be there to read it
            print_error(error)
    return named_error(KeyboardInterrupt() if progress.cancelled else error)


def _is_cancel(error: BaseException) -> bool:
    return isinstance(error, MedUSISError) and error.code is ErrorCode.CANCELLED


def _result_event(value: Any, request: BaseModel) -> Result:
    """The event for what the function gave back: the output's place and the figures that fit on a screen."""
    out = getattr(request, "out", None)
    summary: dict[str, Any] = {}
    if callable(getattr(value, "summary", None)):
        return Result(out=str(out) if out is not None else None, summary=value.summary())
    if isinstance(value, Mapping):
        summary = dict(value)
    elif isinstance(value, (str, Path)):
        out = value
    elif is_dataclass(value):
        known = ("quality", "timings", "figures")
        summary = {name: getattr(value, name) for name in known if getattr(value, name, None)}
    return Result(out=str(out) if out is not None else None, summary=_without_lists(summary))


def _without_lists(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Single figures only: tables and histograms are in the files that the job wrote."""
    return {
        name: _without_lists(value) if isinstance(value, Mapping) else value
        for name, value in summary.items()
        if not isinstance(value, (list, tuple))
    }
