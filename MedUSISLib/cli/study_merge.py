"""``medusis study merge``: the answers of all readers in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute, answer_place


def merge(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    answers: Annotated[list[str], typer.Argument(metavar="ANSWERS...", help="Files from readers, or database URLs.")],
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE|URL", help="Where to put them; answers.sqlite in the study if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="How far each reader is, as JSON.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE.csv", help="Also write the answers beside the truth.")
    ] = None,
) -> None:
    """Put answers together, check that they are whole and belong to the study, and say how far each reader is."""
    from MedUSISLib.study.answers import ANSWERS_NAME
    from MedUSISLib.study.merging import merge_answers

    folder = absolute(study)
    target = answer_place(out) if out is not None else folder / ANSWERS_NAME
    merged = merge_answers(folder, [answer_place(source) for source in answers], target)
    if csv is not None:
        from MedUSISLib.imaging.writing import atomic_path
        from MedUSISLib.study.readings import readings, readings_csv

        with atomic_path(absolute(csv)) as half:
            half.write_text(readings_csv(readings(folder, target)), encoding="utf-8", newline="\n")
    if as_json:
        import json

        print(json.dumps(merged.summary(), indent=2))
        return
    for state in merged.readers:
        corrections = f", {state.corrections} corrected" if state.corrections else ""
        form = "closing form filled in" if state.closed else "no closing form"
        print(f"{state.reader}: {state.answered} of {state.expected} answered{corrections}, {form}")
