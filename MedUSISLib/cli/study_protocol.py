"""``medusis study protocol``: a usual protocol as a file, to be edited before a study is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute
from MedUSISLib.cli.study_new import KINDS


def protocol(
    kind: Annotated[str, typer.Argument(metavar="|".join(KINDS), help="One of the usual protocols.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.json", help="The file to write.")],
    study_id: Annotated[str, typer.Option("--id", help="Name of the study.")] = "study",
    readers: Annotated[str, typer.Option("--readers", metavar="R1,R2,...", help="Pseudonyms.")] = "R1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order.")] = 0,
    repeats: Annotated[int, typer.Option("--repeats", min=0, help="Trials shown twice.")] = 0,
) -> None:
    """Write a usual protocol with everything that can be set in it, for ``medusis study new --protocol FILE.json``."""
    from MedUSISLib.errors import ErrorCode, MedUSISError
    from MedUSISLib.imaging.writing import atomic_path
    from MedUSISLib.study.usual_protocols import usual_protocol
    from MedUSISLib.study.versioned import to_json

    path = absolute(out)
    if kind not in KINDS:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"there is no usual protocol '{kind}'", f"use one of {', '.join(KINDS)}"
        )
    if path.exists():
        raise MedUSISError(ErrorCode.BAD_SETTING, "the file exists already", "choose another name", path)
    content = to_json(usual_protocol(kind, study_id, readers.split(","), seed, repeats))
    with atomic_path(path) as half:
        half.write_text(content, encoding="utf-8", newline="\n")
    print(f"{path}: change what should be different, then medusis study new CASES.csv --protocol {path.name}")
