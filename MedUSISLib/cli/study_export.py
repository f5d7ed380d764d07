"""``medusis study export``: answers for iMRMC, MRMCaov, RJafroc, or as CSV tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import StudyAnswers, absolute, answer_place


class FormatName(StrEnum):
    """As in ``study.export.export``, which loads too slowly for the help text."""

    IMRMC = "imrmc"
    MRMCAOV = "mrmcaov"
    RJAFROC = "rjafroc"
    CSV = "csv"


def export(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    format: Annotated[FormatName, typer.Option("--format", help="Whose format.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE|DIR", help="The file; a folder for csv.")],
    answers: StudyAnswers = None,
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace the file, or write between other files."),
) -> None:
    """Write the answers beside the truth for another program.

    csv holds everything; the others hold first readings of readers who read everything, as they need it.
    """
    from MedUSISLib.study.export.export import ExportFormat, export_study

    sources = [answer_place(source) for source in answers or ()]
    done = export_study(absolute(study), sources, ExportFormat(format.value), absolute(out), overwrite)
    for remark in done.remarks:
        print(f"remark: {remark}")
    print(f"{done.rows} rows")
