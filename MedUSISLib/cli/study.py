"""``medusis study``: reader studies, from planning to p-value; every command has its own file."""

from __future__ import annotations

import typer

from MedUSISLib.cli import study_mrmc, study_plan

app = typer.Typer(no_args_is_help=True, help="Reader studies: plan, run, analyse.")
app.command("mrmc")(study_mrmc.mrmc)
app.command("plan")(study_plan.plan)
