"""``medusis study``: reader studies, from planning to p-value; every command has its own file."""

from __future__ import annotations

import typer

from MedUSISLib.cli import (
    study_amend,
    study_analyse,
    study_check,
    study_export,
    study_merge,
    study_mrmc,
    study_new,
    study_package,
    study_plan,
    study_protocol,
)

app = typer.Typer(no_args_is_help=True, help="Reader studies: plan, run, analyse.")
app.command("protocol")(study_protocol.protocol)
app.command("new")(study_new.new)
app.command("check")(study_check.check)
app.command("package")(study_package.package)
app.command("merge")(study_merge.merge)
app.command("amend")(study_amend.amend)
app.command("analyse")(study_analyse.analyse)
app.command("export")(study_export.export)
app.command("mrmc")(study_mrmc.mrmc)
app.command("plan")(study_plan.plan)
