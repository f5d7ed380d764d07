"""A whole batch, from the request to the summary: what the job "batch" does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from MedUSISLib.batch.batch_log import LOGGER, batch_log
from MedUSISLib.batch.batch_run import BatchRun
from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.cluster_lease import wait_for_left_workers
from MedUSISLib.batch.dry_run import dry_run
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.batch.folder import LOG_NAME, claimed
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.outcome import BatchOutcome, counted
from MedUSISLib.batch.part import part_of
from MedUSISLib.batch.pipeline import IN_HAND
from MedUSISLib.batch.pools import make_pool
from MedUSISLib.batch.preparing import begin_or_go_on, checked_generator, require_cases, require_folder, write_key
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.settling import WORKERS_FACT, end_old_workers, settle, sweep
from MedUSISLib.batch.sizing import Sizing, size_up
from MedUSISLib.batch.states import CaseState
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import Manifest as GeneratorManifest
from MedUSISLib.jobs.failures import named_error
from MedUSISLib.progress import Progress, Wish

_PLACES = ("input", "out")


def run_batch(request: BatchRequest, progress: Progress | None = None) -> BatchOutcome:
    """Synthesize every case of an input into ``request.out``, going on with what is there already.

    The cases are found; the folder is claimed, so that nobody else works in it; a new manifest is made, or the one
    that is there is compared with the settings and settled; workers do what waits (`BatchRun`); ``summary.html`` and
    ``quality.csv`` are written, whatever happened. A case that failed is no error of the batch.

    Parameters
    ----------
    request : BatchRequest
    progress : Progress, optional

    Returns
    -------
    BatchOutcome

    Raises
    ------
    MedUSISError
        BAD_SETTING: nothing to do, other settings than before, a folder that another batch works in or that holds
        other things. CANCELLED: paused or stopped. What every case would meet: DISK_FULL, GENERATOR_NOT_FOUND,
        GENERATOR_CORRUPT, DEVICE_NOT_AVAILABLE, DEPENDENCY_MISSING. After all of these the same request goes on.

    Examples
    --------
    >>> run_batch(BatchRequest(input="patients", out="results"))  # doctest: +SKIP
    """
    progress = progress or Progress()
    began = time.monotonic()
    request = request.model_copy(update={name: Path(os.path.abspath(getattr(request, name))) for name in _PLACES})
    generator = checked_generator(request)
    progress.stage("finding cases")
    found = find_cases(request.input, progress)
    if not request.dry_run:
        require_cases(found, request.input)
    found = part_of(found, request.part)
    if request.dry_run:
        return dry_run(request, found, generator.manifest)
    require_folder(request.out)
    with (
        progress.answering_wishes(),
        claimed(request.out),
        begin_or_go_on(request, found, generator.sha256, progress) as manifest,
        # Not those that were found: a case of the manifest may be done that the input does not name any more.
        batch_log(request.out / LOG_NAME, request.input, manifest.cases()) as on_output,
    ):
        end_old_workers(manifest)
        wait_for_left_workers(request.out, progress)
        sweep(request.out)
        write_key(manifest, request.out)
        settle(manifest, request, progress)
        wish, workers = _do(request, manifest, generator.manifest, progress, on_output)
        outcome = _outcome(manifest, found, workers, time.monotonic() - began)
    if wish is not None and wish is not Wish.FINISH and outcome.waiting:
        _raise_ended(wish, outcome)
    return outcome


def _do(
    request: BatchRequest,
    manifest: Manifest,
    generator: GeneratorManifest,
    progress: Progress,
    on_output: Callable[[str], None],
) -> tuple[Wish | None, int]:
    """Do what waits, and write the pages for people; the wish with which it ended early, and how many workers."""
    numbers = [row.number for row in manifest.rows() if row.state is CaseState.WAITING]
    cases = [manifest.case(number) for number in numbers]
    workers = 0
    try:
        if not cases:
            return None, 0
        progress.stage("sizing up")
        sizing = size_up(request, cases, generator)
        workers = len(sizing.places)
        if request.cluster is None and sizing.is_tight:
            progress.warning("MEMORY_TIGHT", _tight(sizing))
        pool = make_pool(
            request,
            sizing,
            [case.ct for case in cases],
            progress,
            on_output,
            lambda workers: manifest.remember(**{WORKERS_FACT: [worker.model_dump() for worker in workers]}),
        )
        workers = pool.capacity // IN_HAND
        LOGGER.info("%d case(s) wait; %d in hand at once", len(cases), pool.capacity)
        run = BatchRun(request, manifest, pool, progress, lambda: write_pages(request.out))
        return run.run(), workers
    finally:
        if progress.wish is not Wish.END:
            progress.stage("writing the summary")
            write_pages(request.out)


def write_pages(out: Path) -> None:
    """Write ``summary.html`` and ``quality.csv``; a batch does not fail when they cannot be written."""
    from MedUSISLib.batch.figures_table import write_quality_csv
    from MedUSISLib.batch.summary import write_summary

    for write in (write_quality_csv, write_summary):
        try:
            write(out)
        except Exception as error:
            LOGGER.warning("%s: %s", write.__name__, named_error(error).message)


def _outcome(manifest: Manifest, found: FoundCases, workers: int, seconds: float) -> BatchOutcome:
    counts = manifest.counts()
    return BatchOutcome(
        kind=manifest.kind,
        cases=sum(counts.values()),
        problems=len(found.problems),
        without_segmentation=found.without_segmentation,
        workers=workers,
        review=sum(row.review is True for row in manifest.rows()),
        seconds=round(seconds, 1),
        **counted(counts),
    )


def _raise_ended(wish: Wish, outcome: BatchOutcome) -> None:
    what = "paused" if wish is Wish.PAUSE else "stopped"
    raise MedUSISError(
        ErrorCode.CANCELLED,
        f"{what}: {outcome.done} of {outcome.cases} cases are done",
        "the same command (or resume) goes on with the others",
    )


def _tight(sizing: Sizing) -> str:
    assert sizing.worker_bytes is not None
    each, free = sizing.worker_bytes / 1e9, sizing.free_bytes / 1e9
    count = len(sizing.places)
    workers = "one worker needs" if count == 1 else f"{count} workers need"
    return f"{workers} about {each:.1f} GB{'' if count == 1 else ' each'}, and {free:.1f} GB are free"
