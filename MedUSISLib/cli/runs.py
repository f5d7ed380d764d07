"""``medusis runs``: trainings and batches in the background; what they do, and what is to become of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from MedUSISLib.errors import ErrorCode

if TYPE_CHECKING:
    from MedUSISLib.runs.run import Run
    from MedUSISLib.runs.status import RunStatus

app = typer.Typer(
    no_args_is_help=True, help="Background runs: list, show, follow, pause, resume, finish, stop, remove."
)
Identifier = Annotated[str, typer.Argument(metavar="ID", help="Of the run, or the beginning of it.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
_LOOK_S = 1.0


def submit_and_tell(kind: str, parameters: dict[str, object], name: str, as_json: bool) -> None:
    """Queue a job as a background run, and say how to follow it."""
    from MedUSISLib.jobs.specification import JobSpecification
    from MedUSISLib.runs.store import RunStore

    run = RunStore().submit(JobSpecification(kind=kind, parameters=parameters), name)
    status = run.status()
    if as_json:
        _print_json(status)
        return
    place = status.position_in_queue
    waits = f", place {place} in the queue" if place is not None and place > 1 else ""
    print(f"{run.id}{waits}")
    typer.echo(f"it goes on without this terminal; to see how it does: medusis runs follow {run.id}", err=True)


@app.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """List the runs, the newest first."""
    from MedUSISLib.cli.run_display import as_json as plain
    from MedUSISLib.cli.run_display import print_table
    from MedUSISLib.runs.store import RunStore

    statuses = [run.status() for run in RunStore().runs()]
    if as_json:
        print(json.dumps([plain(status) for status in statuses], indent=2))
    elif statuses:
        print_table(statuses)
    else:
        print("no runs; start one with: medusis train CONFIG.yaml --background, or medusis batch ... --background")


@app.command("show")
def show(identifier: Identifier, as_json: AsJson = False) -> None:
    """Show everything that is known of a run."""
    from MedUSISLib.cli.run_display import print_status

    run = _run(identifier)
    if as_json:
        _print_json(run.status())
        return
    print_status(run.status())
    if run.log_file.is_file():
        print(f"log: {run.log_file}")


@app.command("follow")
def follow(identifier: Identifier, as_json: AsJson = False) -> None:
    """Watch a run until it ends; Ctrl-C ends the watching, not the run.

    Exit code 0 when it is finished, that of its error when it failed, 130 when it was paused or stopped.
    """
    from MedUSISLib.jobs.failures import EXIT_CODES
    from MedUSISLib.runs.status import RunState

    run = _run(identifier)
    try:
        status = _watch_as_json(run) if as_json else _watch(run)
    except KeyboardInterrupt:
        typer.echo(f"the run goes on; to stop it: medusis runs stop {run.id}", err=True)
        raise typer.Exit(0) from None
    if status.state is RunState.FINISHED:
        if not as_json:
            print(status.bundle or status.out)
        raise typer.Exit(0)
    if not as_json:
        typer.echo(f"{status.state.value}: {status.message}", err=True)
        if status.hint:
            typer.echo(f"  hint: {status.hint}", err=True)
    if status.state is RunState.FAILED:
        codes = {code.value: number for code, number in EXIT_CODES.items()}
        raise typer.Exit(codes.get(status.code, codes[ErrorCode.INTERNAL.value]))
    raise typer.Exit(EXIT_CODES[ErrorCode.CANCELLED])


@app.command("pause")
def pause(identifier: Identifier, as_json: AsJson = False) -> None:
    """Give the memory back: a training saves a checkpoint at the next iteration, a batch finishes the cases in hand."""
    run = _run(identifier)
    run.pause()
    _tell(run, as_json)


@app.command("resume")
def resume(identifier: Identifier, as_json: AsJson = False) -> None:
    """Go on: a paused, stopped, failed or interrupted run is queued again.

    A training goes on from its last checkpoint, a batch with the cases that are not done.
    """
    run = _run(identifier)
    run.resume()
    _tell(run, as_json)


@app.command("finish")
def finish(identifier: Identifier, as_json: AsJson = False) -> None:
    """End now: a training exports its best or last state as a generator, a batch finishes the cases in hand."""
    run = _run(identifier)
    run.finish()
    _tell(run, as_json)


@app.command("stop")
def stop(
    identifier: Identifier,
    now: Annotated[bool, typer.Option("--now", help="At once, and save nothing: a job that does not answer.")] = False,
    as_json: AsJson = False,
) -> None:
    """End: a training saves a checkpoint and exports nothing, a batch gives up the cases in hand; `resume` goes on."""
    run = _run(identifier)
    run.stop(now)
    _tell(run, as_json)


@app.command("remove")
def remove(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    with_data: Annotated[
        bool,
        typer.Option(
            "--with-data", help="Also what the training wrote: checkpoints, samples, the generator, its cache."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the record of a run that has ended; what a training wrote stays, unless --with-data.

    The results of a batch stay in any case.
    """
    run = _run(identifier)
    if run.status().state.active:
        run.remove()  # refuses, with the reason
    doomed = [run.folder, *(run.data() if with_data else [])]
    if not yes:
        typer.echo("this deletes:", err=True)
        for path in doomed:
            typer.echo(f"  {path}", err=True)
        typer.confirm("Delete it?", abort=True, err=True)
    run.remove(with_data)
    if as_json:
        print(json.dumps({"removed": [str(path) for path in doomed]}, indent=2))
    else:
        kept = "" if doomed[1:] else "; what it wrote stays where it is"
        print(f"{run.id} removed{kept}")


def _run(identifier: str) -> Run:
    from MedUSISLib.runs.store import RunStore

    return RunStore().run(identifier)


def _tell(run: Run, as_json: bool) -> None:
    status = run.status()
    if as_json:
        _print_json(status)
        return
    words = f"{run.id}: {status.state.value}"
    if status.position_in_queue is not None:
        words += f", place {status.position_in_queue} in the queue"
    print(words)


def _watch(run: Run) -> RunStatus:
    from MedUSISLib.cli.run_display import Follower

    with Follower() as follower:
        while True:
            status = run.status()
            follower.show(status)
            if _at_rest(status):
                return status
            time.sleep(_LOOK_S)


def _watch_as_json(run: Run) -> RunStatus:
    """One line whenever something is new."""
    from MedUSISLib.cli.run_display import as_json

    said = ""
    while True:
        status = run.status()
        line = json.dumps(as_json(status))
        if line != said:
            print(line, flush=True)
            said = line
        if _at_rest(status):
            return status
        time.sleep(_LOOK_S)


def _at_rest(status: RunStatus) -> bool:
    return not status.state.active and status.state != "queued"


def _print_json(status: RunStatus) -> None:
    from MedUSISLib.cli.run_display import as_json

    print(json.dumps(as_json(status), indent=2))
