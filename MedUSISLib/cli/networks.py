"""``medusis networks``: what the networks cost, counted live."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from MedUSISLib.errors import ErrorCode, MedUSISError


def networks(
    classes: Annotated[int, typer.Option("--classes", min=1, help="Number of label classes.")] = 31,
    spatial_dims: Annotated[int, typer.Option("--spatial-dims", min=2, max=3)] = 2,
    size: Annotated[int, typer.Option("--size", min=64, help="Side of the image, a multiple of 64.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Print parameters and multiply-accumulates (GMAC, one image) of every network."""
    from MedUSISLib.networks.complexity import network_table

    try:
        table = network_table(classes, spatial_dims, size)
    except ValueError as error:
        raise MedUSISError(ErrorCode.BAD_SETTING, str(error)) from error
    if as_json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'network':24}{'parameters':>14}{'GMAC':>10}")
    for name, row in table.items():
        print(f"{name:24}{row['parameters']:>14,}{row['gmac']:>10.2f}")
