"""What was found, as a file for the window of the person who looks: it names files and stays on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from MedUSISLib.batch.case import BatchCase, CaseProblem, FoundCases, Kind
from MedUSISLib.runs.files import write_whole


def write_found(path: Path, found: FoundCases) -> None:
    """Write cases and problems, for this user alone.

    Raises
    ------
    MedUSISError
        When it cannot be written.
    """
    cases = [{name: str(value) for name, value in asdict(case).items() if value is not None} for case in found.cases]
    problems = [asdict(problem) for problem in found.problems]
    write_whole(path, json.dumps({"kind": found.kind, "cases": cases, "problems": problems}))


def read_found(path: Path) -> FoundCases:
    """What ``write_found`` wrote.

    Raises
    ------
    OSError
        When there is none.
    ValueError
        When it holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["kind"] not in get_args(Kind):
            raise ValueError("kind")
        cases = tuple(_case(given) for given in content["cases"])
        return FoundCases(cases, tuple(CaseProblem(**given) for given in content["problems"]), content["kind"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("this file does not say what was found") from error


def _case(given: Mapping[str, Any]) -> BatchCase:
    segmentation = given.get("segmentation")
    return BatchCase(
        str(given["key"]),
        Path(given["ct"]),
        None if segmentation is None else Path(segmentation),
        given.get("labels"),
        given.get("ct_series"),
    )
