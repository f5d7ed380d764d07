"""A batch as the window plans it: what is asked for, and what stands against a start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.mrml.readiness import Finding
from MedUSISLib.mrml.settings import SynthesisSettings

if TYPE_CHECKING:
    from MedUSISLib.jobs.specification import JobSpecification
    from MedUSISLib.mrml.batch_found import Found

KIND = "batch"
"""Of the job (``jobs.kinds``)."""
MANIFEST = "manifest.sqlite"
"""Where it lies, a batch was written."""


@dataclass(frozen=True)
class BatchSettings:
    """What a person chooses for a batch.

    Attributes
    ----------
    source : Path or None
        Folder with CTs, or a table.
    out : Path or None
        Folder for all results.
    synthesis : SynthesisSettings
        For every case.
    segment : str
        What segments a CT that has no segmentation ("head-seg", "totalsegmentator"); empty: nothing does.
    labels : str
        What the label values mean: a mapping's name or a CSV file; empty: found out for each.
    workers : int
        Cases at a time; 0: as many as there is room for.
    """

    source: Path | None = None
    out: Path | None = None
    synthesis: SynthesisSettings = field(default_factory=SynthesisSettings)
    segment: str = ""
    labels: str = ""
    workers: int = 0


def parameters(settings: BatchSettings) -> dict[str, Any]:
    """Of the job, without the folder for the results."""
    chosen = settings.synthesis
    return {
        "input": str(settings.source),
        "segment": settings.segment or None,
        "labels": settings.labels or None,
        "workers": settings.workers or None,
        "generator": chosen.generator,
        "mode": chosen.mode,
        "passes": chosen.passes,
        "noise_samples": chosen.noise_samples,
        "truncation": chosen.truncation,
        "seed": chosen.seed,
        "device": chosen.device,
        "batch_size": chosen.batch_size,
        "allow_cpu": chosen.allow_cpu,
    }


def specification(settings: BatchSettings) -> JobSpecification:
    """The job that does the batch."""
    from MedUSISLib.jobs.specification import JobSpecification

    return JobSpecification(kind=KIND, parameters={**parameters(settings), "out": str(settings.out)})


def count(number: int, noun: str) -> str:
    """``"1 case"``, ``"3 cases"``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def settings_text(settings: SynthesisSettings, title: str) -> str:
    """Generator and settings that every case gets, in a sentence.

    Examples
    --------
    >>> settings_text(SynthesisSettings(), "Head T1w")
    "Every case: generator 'Head T1w', slices, 8 passes, seed 0, device automatic - as chosen above."
    """
    mode = {"slice": "slices", "three-view": "mean of three views", "window": "overlapping windows"}
    device = "automatic" if settings.device == "auto" else settings.device
    parts = [f"generator '{title}'", mode.get(settings.mode, settings.mode), _passes(settings.passes)]
    if settings.noise_samples:
        parts.append(count(settings.noise_samples, "noise sample"))
    parts += [f"seed {settings.seed}", f"device {device}"]
    return f"Every case: {', '.join(parts)} - as chosen above."


def check(settings: BatchSettings, generator_there: bool, found: Found | None) -> list[Finding]:
    """What stands against a start, and what to know before; quick.

    Parameters
    ----------
    settings : BatchSettings
    generator_there : bool
        Whether the chosen generator is installed.
    found : Found or None
        What a look at these data found; None before it.
    """
    findings = [*_source(settings.source, found), *_out(settings.out)]
    if not generator_there:
        findings.append(_blocking("GENERATOR", "no generator is chosen", "choose one above, under Generator"))
    if settings.segment == "" and found is not None and found.cases and found.without_segmentation:
        every = found.without_segmentation == found.cases
        findings.append(
            Finding(
                "NO_SEGMENTATION",
                "none of the CTs has a segmentation"
                if every
                else f"{count(found.without_segmentation, 'CT')} without segmentation will be left out",
                f"choose above what segments {'it' if found.without_segmentation == 1 else 'them'}",
                every,
            )
        )
    return findings


def _source(source: Path | None, found: Found | None) -> list[Finding]:
    if source is None:
        return [_blocking("SOURCE", "no CTs are chosen", "choose a folder, or a table")]
    if not source.exists():
        return [_blocking("SOURCE_GONE", "the folder or table with the CTs is not there", "choose it again")]
    if found is not None and not found.cases:
        return [_blocking("NO_CASES", "no CT was found there", "choose another folder, or a table")]
    return []


def _out(out: Path | None) -> list[Finding]:
    if out is None:
        return [_blocking("OUT", "no folder for the results is chosen", "choose a new one")]
    if holds_batch(out):
        hint = "go on with it below, or choose another folder"
        return [_blocking("OUT_IN_USE", "the folder for the results holds a batch already", hint)]
    if out.is_dir() and any(out.iterdir()):
        return [_blocking("OUT_NOT_EMPTY", "the folder for the results is not empty", "choose a new one")]
    return []


def holds_batch(folder: Path) -> bool:
    """Whether a batch was written there."""
    return (folder / MANIFEST).is_file()


def default_out(source: Path, taken: Collection[Path] = ()) -> Path:
    """A new folder beside the data, none of those taken."""
    stem = source.name.partition(".")[0] if source.is_file() else source.name
    wanted = source.parent / f"{stem or 'batch'} - synthetic MR"
    number, path = 1, wanted
    while path.exists() or path in taken:
        number += 1
        path = wanted.with_name(f"{wanted.name} {number}")
    return path


def _passes(number: int) -> str:
    return "1 pass" if number == 1 else f"{number} passes"


def _blocking(code: str, message: str, hint: str) -> Finding:
    return Finding(code, message, hint, True)
