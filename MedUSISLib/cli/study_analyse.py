"""``medusis study analyse``: from answers to results and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import JSON_EVENTS, OVERWRITE, VERBOSE, StudyAnswers, absolute, answer_place


def analyse(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for results.json and report.html.")],
    answers: StudyAnswers = None,
    overwrite: bool = OVERWRITE,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Analyse the answers as the protocol says, and write tables, figures and a report that needs nothing else.

    The report names what is real and what is not: it must not reach a reader who is not done.
    """
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "study": absolute(study),
        "answers": [str(answer_place(source)) for source in answers or ()],
        "out": absolute(out),
        "overwrite": overwrite,
    }
    try:
        run_and_report("analyse-study", parameters, json_events, verbose)
    except typer.Exit as ending:
        if ending.exit_code == 0 and not json_events:
            from MedUSISLib.study.analysis.results import headline, load_results

            results = load_results(absolute(out))
            print(headline(results))
            for note in results.notes:
                print(f"{note.code}: {note.message}")
        raise
