"""CTs that are there twice: copies of a file, and the same voxels in another format (a DICOM series and its NIfTI)."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedUSISLib.batch.candidates import Ct, Segmentation
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.grids import Grids, is_copy, sample_of, size_of
from MedUSISLib.batch.name_words import Words
from MedUSISLib.batch.problems import problem
from MedUSISLib.dataset.workers import default_jobs, for_each
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.voxel_match import carried_over
from MedUSISLib.progress import Progress

Chosen = dict[str, Segmentation | None]

# Less than this is read sooner than processes have started.
_WORTH_PROCESSES = 100_000_000
# HU that went through a format of whole numbers.
_ROUNDING_HU = 0.51


class _Pair(NamedTuple):
    first: Path
    first_series: str
    second: Path
    second_series: str


def without_copies(
    cts: Sequence[Ct], chosen: Chosen, grids: Grids, problems: list[CaseProblem], progress: Progress
) -> list[Ct]:
    """CTs without those that are there already, unless they have a segmentation of their own.

    Files of the same size are compared byte by byte; images in other formats, where name and grid are the same, by
    their voxels.
    """
    found = _without_copied_files(list(cts), chosen, problems)
    return _without_other_formats(found, chosen, grids, problems, progress)


def _without_copied_files(cts: list[Ct], chosen: Chosen, problems: list[CaseProblem]) -> list[Ct]:
    # A series is a folder, and has none: its files are told apart by their UIDs.
    sizes = Counter(size_of(ct.path) for ct in cts)
    seen: dict[str, list[Ct]] = defaultdict(list)
    kept = []
    for ct in cts:
        size = size_of(ct.path)
        if not size or sizes[size] < 2:
            kept.append(ct)
            continue
        earlier = seen[sample_of(ct.path)]
        if any(_brings_nothing_new(chosen[one.key], chosen[ct.key]) and is_copy(one.path, ct.path) for one in earlier):
            problems.append(problem("DUPLICATE", ct.name, "its file is a copy of one that is a case already"))
            continue
        earlier.append(ct)
        kept.append(ct)
    return kept


def _without_other_formats(
    cts: list[Ct], chosen: Chosen, grids: Grids, problems: list[CaseProblem], progress: Progress
) -> list[Ct]:
    by_words: dict[Words, list[Ct]] = defaultdict(list)
    for ct in sorted(cts, key=lambda ct: (chosen[ct.key] is None, not ct.series)):
        by_words[ct.words].append(ct)
    pairs = [
        (first, second)
        for alike in by_words.values()
        for first, second in combinations(alike, 2)
        # Two series of one place are two reconstructions.
        if not (first.series and second.series)
        and _brings_nothing_new(chosen[first.key], chosen[second.key])
        and grids.same(first.files, second.files)
    ]
    if not pairs:
        return cts
    progress.stage("comparing images")
    tasks = [_Pair(first.path, first.series, second.path, second.series) for first, second in pairs]
    size = sum(size_of(file) for pair in pairs for ct in pair for file in ct.files)
    jobs = default_jobs() if size > _WORTH_PROCESSES else 1
    again: set[str] = set()
    for number, same in for_each(_same_values, tasks, jobs, progress, _not_compared):
        first, second = pairs[number]
        if same and first.key not in again and second.key not in again:
            again.add(second.key)
            what = "it is the same image as one that is a case already, in another format"
            problems.append(problem("DUPLICATE", second.name, what))
    return [ct for ct in cts if ct.key not in again]


def _brings_nothing_new(first: Segmentation | None, copy: Segmentation | None) -> bool:
    """Whether a copy has no segmentation, or that of the first."""
    if copy is None or first is None or first.path == copy.path:
        return copy is None or (first is not None and first.path == copy.path)
    return is_copy(first.path, copy.path)


def _same_values(pair: _Pair) -> bool:
    """Whether two images hold the same values in the same places, whatever the order of their axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            first = read_volume(pair.first, series_uid=pair.first_series)
            second = read_volume(pair.second, series_uid=pair.second_series)
            moved = carried_over(second, first.geometry)
        except Exception:  # what cannot be read is no copy; reading the case will say what is wrong
            return False
    if moved is None:
        return False
    return all(
        np.abs(a - b.astype(np.float32)).max() < _ROUNDING_HU for a, b in zip(first.array_kji, moved, strict=True)
    )


def _not_compared(_: _Pair) -> bool:
    return False
