"""``medusis study check``: the leak detector, and leaks that somebody takes responsibility for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute


def check(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    as_json: Annotated[bool, typer.Option("--json", help="All findings as JSON.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="CODE", help="Accept the leaks of this code; may be repeated."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why they do no harm; goes into the report.")] = "",
) -> None:
    """Look for everything but the picture that could tell real from synthetic; exit code 2 when a study leaks.

    An acceptance holds for the finding as it is now, and stays in the study's record.json.
    """
    from MedUSISLib.study.leaks import check_study
    from MedUSISLib.study.record import load_record, with_acceptances, write_record

    folder = absolute(study)
    report = check_study(folder)
    if accept:
        write_record(folder, with_acceptances(load_record(folder), report.findings, accept, reason))
        report = check_study(folder)
    if as_json:
        import json

        print(json.dumps(report.summary(), indent=2))
    else:
        for finding in report.findings:
            accepted = report.accepted.get(finding)
            print(f"{'accepted' if accepted else finding.severity}: {finding.code}, {finding.title}: {finding.what}")
            print(f"  because: {accepted}" if accepted else f"  what to do: {finding.remedy}")
        counts = ", ".join(f"{count} {role}" for role, count in sorted(report.images.items()))
        told = f", {len(report.accepted)} accepted" if report.accepted else ""
        print(f"{counts}: {len(report.leaks)} leak(s){told}")
    report.raise_if_leaking()
