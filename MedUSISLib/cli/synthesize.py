"""``medusis synthesize``: from a CT and its segmentation to a synthetic MR."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from MedUSISLib.cli.options import CT_SERIES, DEVICE, JSON_EVENTS, OVERWRITE, VERBOSE, absolute, name_or_path


class Mode(StrEnum):
    """How the volume is cut for the network."""

    AUTO = "auto"
    SLICE = "slice"
    THREE_VIEW = "three-view"
    WINDOW = "window"


def synthesize(
    ct: Annotated[Path, typer.Option("--ct", help="The CT in HU: NIfTI, NRRD, MHA or a DICOM folder.")],
    seg: Annotated[
        Path, typer.Option("--seg", help="Its segmentation: a label map, a folder of masks, DICOM SEG or RTSTRUCT.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results; appears when everything is done.")],
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="head|torso|autopet|totalsegmentator|synthseg|headneck|FILE.csv",
            help="What the label values mean; guessed from the values when not given.",
        ),
    ] = None,
    generator: Annotated[
        str, typer.Option("--generator", metavar="ID|FOLDER", help="A generator; see `medusis generators list`.")
    ] = "head-t1w",
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            help="Slices along the generator's axis, mean of three views, or overlapping windows; auto: windows for a "
            "3D generator, slices for the others.",
        ),
    ] = Mode.AUTO,
    passes: Annotated[
        int, typer.Option("--passes", min=1, help="Dropout passes; their variance is the uncertainty.")
    ] = 8,
    noise_samples: Annotated[
        int, typer.Option("--noise-samples", min=0, help="Noise vectors for noise_spread.nii.gz; 0: no such map.")
    ] = 0,
    truncation: Annotated[
        float, typer.Option("--truncation", help="Noise is drawn from N(0, 1) within this bound.")
    ] = 2.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same voxels.")] = 0,
    unmapped: Annotated[
        str | None,
        typer.Option("--unmapped", metavar="CLASS", help="Class for label values that the mapping does not know."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", min=1, help="Slices or windows at once; chosen if not given.")
    ] = None,
    ct_series: str | None = CT_SERIES,
    device: str = DEVICE,
    allow_cpu: Annotated[
        bool,
        typer.Option("--allow-cpu", help="Go on with the CPU when the memory of the device given does not suffice."),
    ] = False,
    compile_passes: Annotated[
        bool,
        typer.Option(
            "--compile", help="Compile what each pass repeats: for long runs on a GPU; on a CPU it does not pay."
        ),
    ] = False,
    overwrite: bool = OVERWRITE,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Make a synthetic MR from a CT and its segmentation, with maps that say where not to trust it.

    Writes mr.nii.gz, uncertainty.nii.gz, mask_consistency.nii.gz, labels.nii.gz, quality.json, provenance.json and
    report.html into the output folder, all in the CT's own grid. SYNTHETIC - not for diagnosis.
    """
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "ct": absolute(ct),
        "ct_series": ct_series,
        "segmentation": absolute(seg),
        "out": absolute(out),
        "labels": name_or_path(labels) if labels is not None else None,
        "generator": name_or_path(generator),
        "mode": mode.value,
        "passes": passes,
        "noise_samples": noise_samples,
        "truncation": truncation,
        "seed": seed,
        "unmapped": unmapped,
        "batch_size": batch_size,
        "device": device,
        "allow_cpu": allow_cpu,
        "compile_passes": compile_passes,
        "overwrite": overwrite,
    }
    run_and_report("synthesize", parameters, json_events, verbose)
