"""``medusis batch``: synthetic MRs from many CTs, with nothing lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from MedUSISLib.cli.options import DEVICE, JSON_EVENTS, VERBOSE, absolute, name_or_path
from MedUSISLib.cli.segment import Tool
from MedUSISLib.cli.synthesize import Mode
from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.jobs.events import Result

INCOMPLETE = 3
"""Exit code of a batch that is complete, with cases that failed or were skipped; see docs/jobs.md."""
_STOP_WORDS = "giving up the cases in hand, then it ends; the same command goes on. Ctrl-C again ends it at once"


def batch(
    source: Annotated[
        Path,
        typer.Option("--input", metavar="DIR|TABLE.csv", help="NIfTI tree, BIDS, DICOM tree, or a table of cases."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for all results; a batch that is there goes on.")],
    generator: Annotated[
        str, typer.Option("--generator", metavar="ID|FOLDER", help="A generator; see `medusis generators list`.")
    ] = "head-t1w",
    segment: Annotated[
        Tool | None, typer.Option("--segment", help="Segments CTs that have no segmentation; else they are skipped.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="MAPPING|FILE.csv", help="What label values mean; guessed when not given."),
    ] = None,
    unmapped: Annotated[
        str | None, typer.Option("--unmapped", metavar="CLASS", help="Class for label values that nobody knows.")
    ] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="As for `medusis synthesize`.")] = Mode.AUTO,
    passes: Annotated[int, typer.Option("--passes", min=1, help="Dropout passes.")] = 8,
    noise_samples: Annotated[int, typer.Option("--noise-samples", min=0, help="For noise_spread.nii.gz.")] = 0,
    truncation: Annotated[float, typer.Option("--truncation", help="Bound of the noise.")] = 2.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every case.")] = 0,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Slices or windows at once.")] = None,
    device: str = DEVICE,
    allow_cpu: Annotated[
        bool, typer.Option("--allow-cpu", help="Go on with the CPU when the device's memory does not suffice.")
    ] = False,
    compile_passes: Annotated[
        bool,
        typer.Option("--compile", help="Compile what each pass repeats, once in each worker: for GPUs."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Processes, each with the generator in memory; chosen from cores and memory."
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=10, help="After a worker died or memory was short.")
    ] = 2,
    case_timeout: Annotated[
        float, typer.Option("--case-timeout", metavar="SECONDS", min=0.0, help="Of work on one case; 0: no limit.")
    ] = 10800.0,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ray://HOST:PORT|local[:N]", help="Work on a Ray cluster.")
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="N/M", help="The Nth of M parts; each in a folder of its own (job arrays)."),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try cases again that failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    write_table: Annotated[
        Path | None,
        typer.Option("--write-table", metavar="FILE.csv", help="With --dry-run: the cases as a table to correct."),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Let it go on without this terminal: see `medusis runs`.")
    ] = False,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Make a synthetic MR from every CT of a folder or table; the same command goes on after any interruption.

    OUT/cases holds a folder for each case, OUT/summary.html what to look at first, OUT/key.csv which case is which.
    Exit code 0 when all cases are done, 3 when some failed or were skipped. SYNTHETIC - not for diagnosis.
    """
    if write_table is not None and (json_events or not dry_run):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "--write-table is for a look at the input: no batch was begun",
            "give it with --dry-run, and without --json-events",
        )
    parameters: dict[str, object] = {
        "input": str(absolute(source)),
        "out": str(absolute(out)),
        "generator": name_or_path(generator),
        "segment": segment.value if segment is not None else None,
        "labels": name_or_path(labels) if labels is not None else None,
        "unmapped": unmapped,
        "mode": mode.value,
        "passes": passes,
        "noise_samples": noise_samples,
        "truncation": truncation,
        "seed": seed,
        "batch_size": batch_size,
        "device": device,
        "allow_cpu": allow_cpu,
        "compile_passes": compile_passes,
        "workers": workers,
        "retries": retries,
        "case_timeout_s": case_timeout,
        "cluster": cluster,
        "part": part,
        "retry_failed": retry_failed,
        "dry_run": dry_run,
    }
    if dry_run and not json_events:
        _dry_run(parameters, write_table)
        return
    if background:
        from MedUSISLib.cli.runs import submit_and_tell

        submit_and_tell("batch", parameters, f"batch {out.name}", json_events)
        return
    from MedUSISLib.cli.running import run_and_report

    run_and_report(
        "batch",
        parameters,
        json_events,
        verbose,
        keeps_state=True,
        stop_words=_STOP_WORDS,
        show_result=_show,
        exit_code=_exit_code,
    )


def _dry_run(parameters: dict[str, object], table: Path | None) -> None:
    """In this process: what it says names files, and is for this terminal alone."""
    from MedUSISLib.batch.dry_run import look
    from MedUSISLib.batch.found_text import found_text
    from MedUSISLib.batch.request import BatchRequest
    from MedUSISLib.batch.table_writing import write_case_table
    from MedUSISLib.jobs.specification import JobSpecification

    request = JobSpecification(kind="batch", parameters=parameters).request()
    assert isinstance(request, BatchRequest)
    if table is not None and table.exists():  # somebody's corrections, perhaps
        raise MedUSISError(ErrorCode.BAD_SETTING, "the table exists already", "remove it, or give another name", table)
    found, outcome = look(request)
    print(found_text(found, request.input))
    if outcome.workers:
        each = f", about {outcome.worker_bytes / 1e9:.1f} GB each" if outcome.worker_bytes else ""
        print(f"\n{outcome.workers} worker(s){each}")
    if table is not None:
        print(write_case_table(found, absolute(table), request.input))


def _show(result: Result) -> None:
    """The numbers, and what to open first."""
    counts = result.summary
    parts = [f"{counts['done']} done"]
    for name in ("failed", "skipped", "waiting"):
        parts += [f"{counts[name]} {name}"] if counts[name] else []
    print(f"{counts['cases']} case(s): {', '.join(parts)}")
    if counts["review"]:
        print(f"review advised: {counts['review']}")
    if result.out is None:
        return
    folder = Path(result.out)
    if counts["problems"]:
        print(f"{counts['problems']} thing(s) in the input became no case, or want a look: {folder / 'problems.csv'}")
    print(folder / "summary.html")


def _exit_code(result: Result) -> int:
    return INCOMPLETE if result.summary.get("failed") or result.summary.get("skipped") else 0
