"""``medusis study amend``: what may still change when readers have begun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import absolute


def amend(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    readers: Annotated[
        str, typer.Option("--add-readers", metavar="R3,R4,...", help="Pseudonyms of readers who join.")
    ] = "",
    title: Annotated[str | None, typer.Option("--title", help="New title.")] = None,
    introduction: Annotated[str | None, typer.Option("--introduction", help="New text before the first trial.")] = None,
    breaks_after: Annotated[
        int | None, typer.Option("--breaks-after", min=1, help="Trials between two offered breaks.")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option("--protocol", metavar="FILE.json", help="An edited protocol.json, instead.")
    ] = None,
) -> None:
    """Let readers join, or change title, introduction and breaks; packages and answers that are out remain valid.

    Everything else would make the answers before and after it answers to different questions, and is refused.
    """
    from pydantic import ValidationError

    from MedUSISLib.errors import ErrorCode, MedUSISError
    from MedUSISLib.study.key import load_study
    from MedUSISLib.study.protocol import Protocol, load_protocol
    from MedUSISLib.study.trial_plan import amend_study
    from MedUSISLib.study.versioned import first_reason

    folder = absolute(study)
    before, _ = load_study(folder)
    joining = tuple(name.strip() for name in readers.split(",") if name.strip())
    changes = {"title": title, "introduction": introduction, "breaks_after": breaks_after}
    given = {name: value for name, value in changes.items() if value is not None}
    if (protocol is not None) == bool(joining or given):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "there is nothing to change, or there is too much", "give --protocol, or the others"
        )
    if protocol is not None:
        after = load_protocol(absolute(protocol))
    else:
        try:
            after = Protocol.model_validate({**before.model_dump(), **given, "readers": (*before.readers, *joining)})
        except ValidationError as error:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"the study cannot be changed like this ({first_reason(error)})", "see --help"
            ) from None
    key = amend_study(folder, after)
    for reader in after.readers[len(before.readers) :]:
        print(f"{reader}: {len(key.trials_of(reader))} trials; make the package with `medusis study package`")
    changed = [name for name in ("title", "introduction", "breaks_after")
               if getattr(before, name) != getattr(after, name)]  # fmt: skip
    if changed:
        print(f"changed: {', '.join(changed)}")
