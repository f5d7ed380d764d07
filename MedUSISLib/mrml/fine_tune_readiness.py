"""What stands against a fine-tuning, and what to know before it starts, in plain words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.mrml.fine_tune_data import DatasetView
from MedUSISLib.mrml.fine_tune_settings import FineTuneSettings
from MedUSISLib.mrml.readiness import Finding
from MedUSISLib.training.duration import duration_text

if TYPE_CHECKING:
    from MedUSISLib.generators.manifest import Manifest

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_CACHE_BYTES_PER_VOXEL = 4
"""An image (float16), labels, lesions; see ``training.cases.Case``. Compressed or not, this is the most."""
_CHECKPOINT_BYTES_PER_WEIGHT = 3 * 4 * 6
"""Three checkpoints (last, best, good) in float32: weights, their average, Adam's two moments, and the new networks."""
_SPARE_BYTES = 500_000_000
_FEW_MR = 3


@dataclass(frozen=True)
class TrainingNeeds:
    """What a training takes, as the estimate says it: bytes at the peak, bytes that are free, seconds of all steps."""

    memory_bytes: int
    free_bytes: int
    seconds: float
    device: str = ""


def needed_disk_bytes(view: DatasetView, weights_bytes: int) -> int:
    """The most that cache, checkpoints, pictures and the finished generator take on the disk.

    Parameters
    ----------
    view : DatasetView
    weights_bytes : int
        Of the weights of the generator to start from (float32).
    """
    return _CACHE_BYTES_PER_VOXEL * view.voxels + _CHECKPOINT_BYTES_PER_WEIGHT * weights_bytes // 4 + _SPARE_BYTES


def check(
    view: DatasetView | None,
    settings: FineTuneSettings,
    manifest: Manifest | None,
    taken: Collection[str] = (),
    disk: tuple[int, int] | None = None,
    needs: TrainingNeeds | None = None,
) -> list[Finding]:
    """What is missing (blocking) and what to know, in this order.

    Parameters
    ----------
    view : DatasetView, optional
        None before the first scan.
    settings : FineTuneSettings
    manifest : Manifest, optional
        Of the generator to start from; None when it is not there.
    taken : collection of str
        Names that generators or runs have already.
    disk : (needed, free), optional
        Bytes.
    needs : TrainingNeeds, optional
        The estimate, when there is one.
    """
    found = [*_generator(settings, manifest, taken)]
    if view is None:
        found.insert(0, Finding("NO_DATASET", "no data yet", "add folders above and scan them", True))
    else:
        found = [*_data(view, settings, manifest), *found]
    if disk is not None and disk[0] > disk[1]:
        needed, free = (count / 1e9 for count in disk)
        found.append(
            Finding(
                "DISK_FULL",
                f"up to {needed:.1f} GB of disk space are needed and {free:.1f} GB are free",
                "free some space, or choose another working folder",
                disk[1] < disk[0] / 2,
            )
        )
    if needs is not None and needs.memory_bytes >= needs.free_bytes:
        found.append(
            Finding(
                "MEMORY_TIGHT",
                f"about {needs.memory_bytes / 1e9:.1f} GB of memory are needed and"
                f" {needs.free_bytes / 1e9:.1f} GB are free",
                "close other programs, or take a smaller batch; when memory runs out, the training takes smaller steps"
                " by itself",
                False,
            )
        )
    return sorted(found, key=lambda finding: not finding.blocking)


def _data(view: DatasetView, settings: FineTuneSettings, manifest: Manifest | None) -> Iterator[Finding]:
    of = f" of the sequence {settings.sequence}" if settings.sequence else ""
    sides = view.sides_of(settings.sequence)
    if not sides.get("train"):
        yield Finding(
            "NO_MR_TRAINING",
            f"no MR{of} to learn from",
            "tick a case with an MR and put it under 'training', or scan more folders",
            True,
        )
    if not sides.get("validation"):
        yield Finding(
            "NO_MR_VALIDATION",
            f"nobody with an MR{of} is kept for validation, so nothing would tell whether it gets better",
            "put one person with an MR under 'validation'",
            True,
        )
    if view.schema != "head" and view.mr_without_labels:
        yield Finding(
            "LABELS_MISSING",
            f"{view.mr_without_labels} MR without a segmentation",
            "only heads can be labelled by the training itself: segment them, or leave them out",
            True,
        )
    if manifest is not None and manifest.schema_id != view.schema:
        yield Finding(
            "OTHER_SCHEMA",
            f"the data were scanned for the label schema '{view.schema}', the generator knows '{manifest.schema_id}'",
            "classes of the same name keep what was learned; otherwise scan again",
            False,
        )
    unknown = sum(any(line.code == "UNMAPPED_LABELS" for line in row.problems) for row in view.rows)
    if unknown:
        yield Finding(
            "UNMAPPED_LABELS",
            f"nobody said what the values of {unknown} segmentation{'s' if unknown > 1 else ''} mean;"
            " they are not used",
            "choose the row, then what its labels mean, and scan again",
            False,
        )
    sequences = sorted(name for name in view.sequences if name)
    if not settings.sequence and len(sequences) > 1:
        yield Finding(
            "MIXED_SEQUENCES",
            f"MRs of different sequences are mixed ({', '.join(sequences)})",
            "choose one: a generator learns the middle of them otherwise",
            False,
        )
    if 0 < sides.get("train", 0) < _FEW_MR:
        yield Finding(
            "FEW_MR",
            f"only {sides['train']} MR to learn from",
            "it may learn these by heart; freeze early blocks, and look at the figures of the held-out people",
            False,
        )
    if not (view.sides["train"].labels or view.sides["train"].ct_alone):
        yield Finding(
            "NO_LABELS_TRAINING",
            "no CT or segmentation to learn from",
            "the training then sees the labels of its MRs only",
            False,
        )


def _generator(settings: FineTuneSettings, manifest: Manifest | None, taken: Collection[str]) -> Iterator[Finding]:
    if manifest is None:
        yield Finding(
            "GENERATOR_NOT_FOUND", "no generator to start from is chosen", "choose one, or install one above", True
        )
    elif manifest.spatial_dims == 3:
        yield Finding(
            "GENERATOR_3D",
            "this generator is three-dimensional, and this page trains slices only",
            "choose a 2D generator; 3D trainings are started from the command line",
            True,
        )
    if not _NAME.fullmatch(settings.name):
        yield Finding(
            "NAME",
            "the new generator needs a name of small letters, digits, dots and dashes",
            "for example my-head-t1w",
            True,
        )
    elif settings.name == settings.generator:
        yield Finding("NAME", "the new generator has the name of the one it starts from", "give it another", True)
    elif settings.name in taken:
        yield Finding(
            "NAME_TAKEN", f"there is a generator or a run named '{settings.name}' already", "give it another name", True
        )
    if settings.folder == Path():
        yield Finding("NO_FOLDER", "no working folder", "choose a folder on this computer with enough space", True)
    elif settings.out.exists():
        yield Finding(
            "OUT_IN_USE",
            "the working folder holds an earlier training of this name",
            "give the new generator another name, or continue the earlier run below",
            True,
        )


def needs_text(needs: TrainingNeeds) -> str:
    """The estimate in words.

    Examples
    --------
    >>> needs_text(TrainingNeeds(2_100_000_000, 6_000_000_000, 5400, "cpu"))
    'About 1.5 hours for the steps (checks and preparing the data come on top) and 2.1 GB of memory, on cpu.'
    """
    place = f", on {needs.device}" if needs.device else ""
    return (
        f"About {duration_text(needs.seconds)} for the steps (checks and preparing the data come on top) and"
        f" {needs.memory_bytes / 1e9:.1f} GB of memory{place}."
    )
