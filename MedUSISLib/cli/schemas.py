"""``medusis schemas``: the label classes that generators are conditioned on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Label schemas: list, show, write as a Slicer color table.")
Schema = Annotated[str, typer.Argument(metavar="ID|FILE.json")]


@app.command("list")
def list_schemas() -> None:
    """List the label schemas."""
    from MedUSISLib.anatomy.schema import available_schemas, load_schema

    for name in available_schemas():
        schema = load_schema(name)
        print(f"{name:12} {schema.version:8} {schema.number_of_classes:3} classes  {schema.title}")


@app.command("show")
def show(
    schema: Schema,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Print the classes of a schema: index, name, what it merges into, title."""
    from MedUSISLib.anatomy.schema import load_schema

    loaded = load_schema(schema)
    if as_json:
        print(loaded.model_dump_json(indent=2))
        return
    print(f"{loaded.id} {loaded.version}: {loaded.title}")
    for label in loaded.classes:
        coarser = f"-> {label.merges_into}" if label.merges_into else ""
        print(f"{label.index:4} {label.name:28} {coarser:26} {label.title}")


@app.command("ctbl")
def ctbl(
    schema: Schema,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output if not given.")] = None,
) -> None:
    """Print a schema as a Slicer color table."""
    from MedUSISLib.anatomy.color_table import color_table
    from MedUSISLib.anatomy.schema import load_schema

    text = color_table(load_schema(schema))
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8", newline="\n")
