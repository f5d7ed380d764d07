"""``medusis study package``: what goes to one reader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute


def package(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    reader: Annotated[str, typer.Option("--reader", metavar="R1", help="A reader of the protocol.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.zip", help="The file for the reader.")],
) -> None:
    """Write the package of one reader: questions, order and blinded images, without the key."""
    from MedUSISLib.study.package import write_package

    written = write_package(absolute(study), reader, absolute(out))
    print(f"{len(written.trials)} trials, {len(written.files)} images for {written.reader}")
