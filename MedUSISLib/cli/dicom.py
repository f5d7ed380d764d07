"""``medusis dicom``: results as derived DICOM objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import JSON_EVENTS, OVERWRITE, VERBOSE, absolute

app = typer.Typer(no_args_is_help=True, help="DICOM: write a result as derived objects in the study of its CT.")


@app.callback()
def _verbs() -> None:
    pass


@app.command("export")
def export(
    result: Annotated[Path, typer.Argument(metavar="RESULT_DIR", help="What medusis synthesize wrote.")],
    source: Annotated[
        Path, typer.Option("--source", metavar="CT_DICOM_DIR", help="The DICOM series that the CT was.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the DICOM files.")],
    series: Annotated[
        str | None, typer.Option("--series", metavar="UID", help="Which series, when the folder holds several.")
    ] = None,
    enhanced: Annotated[
        bool, typer.Option("--enhanced", help="One multi-frame file (Enhanced MR) instead of one file per slice.")
    ] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Leave out who the patient is (PS3.15 Basic profile).")
    ] = False,
    overwrite: bool = OVERWRITE,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Write MR, uncertainty, mask consistency and labels as DICOM: marked as synthetic, in the study of the CT.

    The series must be the one that was synthesized: its grid and its values are compared.
    """
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "result": absolute(result),
        "source": absolute(source),
        "series_uid": series,
        "out": absolute(out),
        "enhanced": enhanced,
        "deidentify": deidentify,
        "overwrite": overwrite,
    }
    run_and_report("export-dicom", parameters, json_events, verbose)
