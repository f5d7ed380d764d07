"""``medusis study new``: from a table of cases to blinded trials and their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import JSON_EVENTS, VERBOSE, absolute

KINDS = ("visual-turing", "forced-choice", "lesion-reading", "lesion-sequential", "lesion-crossover")
"""As ``study.requests.USUAL_PROTOCOLS``, which loads too slowly for the help text."""


def new(
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="Cases: real, synthetic, ct, lesions, stratum.")],
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar=f"FILE.json|{'|'.join(KINDS)}", help="A file, or one of the usual ones."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the study; it holds the key and stays with you.")],
    study_id: Annotated[
        str, typer.Option("--id", help="Name of the study, with one of the usual protocols.")
    ] = "study",
    readers: Annotated[
        str, typer.Option("--readers", metavar="R1,R2,...", help="Pseudonyms, with one of the usual protocols.")
    ] = "R1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order, with one of the usual protocols.")] = 0,
    repeats: Annotated[
        int, typer.Option("--repeats", min=0, help="Trials shown twice, with one of the usual protocols.")
    ] = 0,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="CODE", help="A leak that you take responsibility for; may be repeated."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it does no harm; goes into the report.")] = "",
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Also where a study is: its key is lost, and its packages and answers with it."
        ),
    ] = False,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Make a reader study: blinded images in one common form, every reader's order, and the key."""
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "table": absolute(table),
        "protocol": protocol if protocol in KINDS else absolute(Path(protocol)),
        "out": absolute(out),
        "study_id": study_id,
        "readers": [name.strip() for name in readers.split(",") if name.strip()],
        "seed": seed,
        "repeats": repeats,
        "accept": accept or [],
        "reason": reason,
        "overwrite": overwrite,
    }
    try:
        run_and_report("new-study", parameters, json_events, verbose)
    except typer.Exit as ending:
        if ending.exit_code == 0 and not json_events:
            _print_summary(absolute(out))
        raise


def _print_summary(study: Path) -> None:
    from MedUSISLib.study.key import KEY_NAME, load_key
    from MedUSISLib.study.record import load_record

    key, accepted = load_key(study), load_record(study).acceptances
    lesions = sum(len(case.lesions) for case in key.cases)
    leaks = f"{len(accepted)} leak(s) accepted" if accepted else "no leak was found"
    print(f"{len(key.cases)} cases, {len(key.images)} images, {len(key.trials)} trials, {lesions} lesions; {leaks}")
    print(f"the key is {study / KEY_NAME}: do not give it to readers")
