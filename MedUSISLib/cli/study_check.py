"""``medusis study check``: the leak detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute


def check(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    as_json: Annotated[bool, typer.Option("--json", help="All findings as JSON.")] = False,
) -> None:
    """Look for everything but the picture that could tell real from synthetic; exit code 2 when a study leaks."""
    from MedUSISLib.study.leaks import check_study

    report = check_study(absolute(study))
    if as_json:
        import json

        print(json.dumps(report.summary(), indent=2))
    else:
        for finding in report.findings:
            print(f"{finding.severity}: {finding.title}: {finding.what}")
            print(f"  what to do: {finding.remedy}")
        counts = ", ".join(f"{count} {role}" for role, count in sorted(report.images.items()))
        print(f"{counts}: {len(report.leaks)} leak(s)")
    report.raise_if_leaking()
