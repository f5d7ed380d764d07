"""Slicer color tables (.ctbl), generated from the schemas so that colors live in one place only.

``python -m MedUSISLib.anatomy.color_table`` rewrites the ones in ``Resources/Schemas/colors``; a test compares them.
"""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.anatomy.schema import LabelSchema, available_schemas, load_schema
from MedUSISLib.resources import resource_path


def color_table(schema: LabelSchema) -> str:
    """The text of a Slicer color table: index, name, red, green, blue, alpha on each line; background transparent.

    Examples
    --------
    >>> color_table(load_schema("head")).splitlines()[4]
    '1 skin 240 200 170 255'
    """
    lines = [
        f"# Color table of the MedUSIS label schema {schema.id} {schema.version}",
        f"# {schema.number_of_classes} values; generated from {schema.id}.json, do not edit",
        "# index name red green blue alpha",
    ]
    for label in schema.classes:
        red, green, blue = label.color
        lines.append(f"{label.index} {label.name} {red} {green} {blue} {0 if label.index == 0 else 255}")
    return "\n".join(lines) + "\n"


def color_table_path(schema_id: str) -> Path:
    """Where the generated table of a schema that comes with MedUSIS lies."""
    return resource_path("Schemas", "colors", f"{schema_id}.ctbl")


def write_color_tables() -> list[Path]:
    """Write the color tables of all schemas that come with MedUSIS."""
    written = []
    for schema_id in available_schemas():
        path = color_table_path(schema_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(color_table(load_schema(schema_id)), encoding="utf-8", newline="\n")
        written.append(path)
    return written


if __name__ == "__main__":
    for table in write_color_tables():
        print(table.name)
