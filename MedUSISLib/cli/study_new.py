"""``medusis study new``: from a table of cases to blinded trials and their key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from MedUSISLib.cli.options import OVERWRITE, absolute

if TYPE_CHECKING:
    from MedUSISLib.study.protocol import Protocol

KINDS = ("visual-turing", "forced-choice", "lesion-reading", "lesion-sequential", "lesion-crossover")


def new(
    table: Annotated[Path, typer.Argument(metavar="TABLE.csv", help="Cases: real, synthetic, ct, lesions, stratum.")],
    protocol: Annotated[
        str,
        typer.Option("--protocol", metavar=f"FILE.json|{'|'.join(KINDS)}", help="A file, or one of the usual ones."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the study; it holds the key and stays with you.")],
    study_id: Annotated[
        str, typer.Option("--id", help="Name of the study, with one of the usual protocols.")
    ] = "study",
    readers: Annotated[
        str, typer.Option("--readers", metavar="R1,R2,...", help="Pseudonyms, with one of the usual protocols.")
    ] = "R1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order, with one of the usual protocols.")] = 0,
    repeats: Annotated[
        int, typer.Option("--repeats", min=0, help="Trials shown twice, with one of the usual protocols.")
    ] = 0,
    overwrite: bool = OVERWRITE,
) -> None:
    """Make a reader study: blinded images in one common form, every reader's order, and the key."""
    from MedUSISLib.study.building import new_study
    from MedUSISLib.study.protocol import load_protocol

    if protocol in KINDS:
        made = usual_protocol(protocol, study_id, readers, seed, repeats)
    else:
        made = load_protocol(absolute(Path(protocol)))
    done = new_study(absolute(table), made, absolute(out), overwrite)
    for remark in done.remarks:
        print(f"remark: {remark}")
    print(f"{done.cases} cases, {done.images} images, {done.trials} trials, {done.lesions} lesions; no leak was found")
    print(f"the key is {absolute(out) / 'key.json'}: do not give it to readers")


def usual_protocol(kind: str, study_id: str, readers: str, seed: int, repeats: int) -> Protocol:
    """One of the usual protocols, from what was typed."""
    from pydantic import ValidationError

    from MedUSISLib.errors import ErrorCode, MedUSISError
    from MedUSISLib.study.protocol import Randomisation, lesion_reading, visual_turing
    from MedUSISLib.study.versioned import first_reason

    names = tuple(name.strip() for name in readers.split(",") if name.strip())
    try:
        if kind in ("visual-turing", "forced-choice"):
            plan = Randomisation(seed=seed, repeats=repeats)
            return visual_turing(study_id, names, kind == "forced-choice", plan)
        design = {"lesion-sequential": "sequential", "lesion-crossover": "crossover"}.get(kind, "crossed")
        crossover = {"sessions": 2, "washout_days": 28.0} if design == "crossover" else {}
        plan = Randomisation.model_validate({"seed": seed, "repeats": repeats, **crossover})
        return lesion_reading(study_id, names, design, randomisation=plan)  # type: ignore[arg-type]
    except ValidationError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"the study cannot be planned like this ({first_reason(error)})", "see --help"
        ) from None
