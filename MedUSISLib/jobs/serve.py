"""A worker that stays: one job after the other, with the generators kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

import psutil

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.loaded_bundles import device_memory_bytes, give_memory_back
from MedUSISLib.jobs.events import EventWriter, Failure, JobProgress, Result
from MedUSISLib.jobs.failures import exit_code_of
from MedUSISLib.jobs.kinds import KINDS, JobKind
from MedUSISLib.jobs.orders import Orders, heard_orders
from MedUSISLib.jobs.run import done, named_failure
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.jobs.wishes import WishFile
from MedUSISLib.jobs.worker_words import OF_A_JOB, Ended, Order, Taken, Waiting, to_line
from MedUSISLib.jobs.workspace import job_variables, job_workspace, remove_what_the_launcher_left
from MedUSISLib.library_words import keep_library_words_out
from MedUSISLib.synthesis.loaded_generators import LoadedGenerators

IDLE_S = 600.0
"""So long a worker waits for the next job before it ends by itself."""


def serve(stream: TextIO, idle_s: float = IDLE_S, kinds: Mapping[str, JobKind] = KINDS) -> int:
    """Do the jobs that standard input names, one after the other, until it ends or nothing comes for ``idle_s``.

    Each job says what it would say in a process of its own, between ``taken`` and ``ended`` (``worker_words``), and
    has a workspace of its own. Between two jobs nothing of a patient is kept: only verified generators and their
    networks stay in memory. A job that fails by a named error leaves the worker as it was; after lack of memory the
    generators are given back, too; after an error without a name (a library's fault, perhaps a broken accelerator)
    the worker ends, and the owner starts another one.

    Parameters
    ----------
    stream : TextIO
        Where events go; see ``run.take_standard_output``.
    idle_s : float
    kinds : mapping of str to JobKind
        Of these it does those that keep something.

    Returns
    -------
    int
        0, or the exit code of the job that ended it.
    """
    keep_library_words_out()
    writer = EventWriter(stream)
    generators = LoadedGenerators()
    code = 0
    with suppress(KeyboardInterrupt), heard_orders() as orders:
        writer.write_line(to_line(memory()))
        while (order := orders.next(idle_s)) is not None:
            idle_s = idle_s if order.idle_s is None else order.idle_s
            code, goes_on = _do(order, orders, writer, generators, kinds)
            if not goes_on:
                break
            code = 0
            writer.write_line(to_line(memory()))
    return code


def memory() -> Waiting:
    """How much memory this process holds now."""
    return Waiting(int(psutil.Process().memory_info().rss), device_memory_bytes())


def _do(
    order: Order, orders: Orders, writer: EventWriter, generators: LoadedGenerators, kinds: Mapping[str, JobKind]
) -> tuple[int, bool]:
    """Do one job; its exit code, and whether another one may follow."""
    code: ErrorCode | None = None
    exit_code = 0
    with job_variables(order.variables, OF_A_JOB):
        progress = JobProgress(writer, WishFile.of_environment())
        writer.write_line(to_line(Taken(order.job)))
        try:
            with orders.doing(order, progress), job_workspace():
                progress.checkpoint()
                _refuse_others(order.job, kinds)
                kept = {"generators": generators, "bundles": generators.bundles}
                last: Result | Failure = done(order.job, progress, kinds, kept)
        except BaseException as error:
            named = named_failure(error, progress)
            code, exit_code = named.code, exit_code_of(named)
            last = Failure.of(named)
        if orders.orphaned.is_set():
            remove_what_the_launcher_left()
    # Only now, when the error is forgotten: its traceback held the arrays of the job.
    if code is ErrorCode.OUT_OF_MEMORY:
        generators.release()
    else:
        give_memory_back()
    writer.write(last)
    writer.write_line(to_line(Ended(order.job, exit_code)))
    return exit_code, code is not ErrorCode.INTERNAL and not orders.ending


def _refuse_others(job_file: str, kinds: Mapping[str, JobKind]) -> None:
    kind = JobSpecification.read(job_file).job_kind(kinds)
    if not kind.keeps:
        able = ", ".join(sorted(name for name, other in kinds.items() if other.keeps))
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"a worker that stays does no job of kind {kind.name!r}", f"it does: {able}"
        )
