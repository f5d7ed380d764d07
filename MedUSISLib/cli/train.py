"""``medusis train``: train a generator or a segmentator as a YAML file says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import JSON_EVENTS, VERBOSE, absolute


def train(
    configuration: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="What to train, on what, and how.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    background: Annotated[
        bool,
        typer.Option("--background", help="Let it go on without this terminal: see `medusis runs`."),
    ] = False,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Train a generator or a segmentator; relative paths in the file are meant from the file's own folder."""
    from MedUSISLib.cli.running import run_and_report
    from MedUSISLib.training.configuration import read_configuration
    from MedUSISLib.training.launched import launched

    parameters = read_configuration(absolute(configuration)).model_dump(mode="json")
    if resume:
        parameters["resume"] = True
    if background:
        from MedUSISLib.cli.runs import submit_and_tell

        submit_and_tell("train", parameters, str(parameters["name"]), json_events)
        return
    try:
        run_and_report("train", parameters, json_events, verbose, keeps_state=True)
    except typer.Exit as ending:
        place = launched()
        if ending.exit_code == 0 and not json_events and (place is None or place.leads):
            bundle = Path(parameters["out"]) / "bundle" / parameters["name"]
            said = f'its figures: {bundle / "README.md"}\nto use it: medusis generators install "{bundle}"'
            print(said, file=sys.stderr)
        raise
