"""``medusis segment``: a label map for a CT or a T1 that has none."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import CT_SERIES, DEVICE, JSON_EVENTS, OVERWRITE, VERBOSE, absolute


class Tool(StrEnum):
    """What segments."""

    HEAD_SEG = "head-seg"
    TOTALSEGMENTATOR = "totalsegmentator"


def segment(
    out: Annotated[Path, typer.Option("--out", help="File for the label map (.nii.gz, .nrrd, .mha).")],
    ct: Annotated[Path | None, typer.Option("--ct", help="A CT in HU: NIfTI, NRRD, MHA or a DICOM folder.")] = None,
    mr: Annotated[Path | None, typer.Option("--mr", help="A T1-weighted MR, instead of a CT.")] = None,
    tool: Annotated[
        Tool, typer.Option("--tool", help="The bundled head network, or TotalSegmentator when it is installed.")
    ] = Tool.HEAD_SEG,
    ct_series: str | None = CT_SERIES,
    device: str = DEVICE,
    overwrite: bool = OVERWRITE,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Segment a head CT (or a T1) into the classes of the `head` schema.

    On CT, grey and white matter are a prior of shape, not anatomy that was seen.
    """
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "ct": absolute(ct) if ct is not None else None,
        "ct_series": ct_series,
        "mr": absolute(mr) if mr is not None else None,
        "out": absolute(out),
        "tool": tool.value,
        "device": device,
        "overwrite": overwrite,
    }
    run_and_report("segment", parameters, json_events, verbose)
