"""Trees of small images in the layouts that people have, for the tests of what a batch finds in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume

SCANNER = Geometry((6, 5, 4), (1.5, 1.5, 3.0), (-12.37, 4.11, 80.2))
"""A grid as a scanner makes it: nobody else has it."""


TEMPLATE = Geometry((6, 5, 4), (2.0, 2.0, 2.0))
"""A grid as a tool makes it: it proves nothing."""


def grid(number: int) -> Geometry:
    """A grid that only this number has."""
    return Geometry(SCANNER.size_ijk, SCANNER.spacing_mm, (-12.37 + 31.713 * number, 4.11, 80.2))


def write(root: Path, *names: str, geometry: Geometry = SCANNER, seed: int = 0, value: int | None = None) -> None:
    """Small volumes with these names, of noise; what they are says their names alone."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed + number)
        array = rng.integers(-900, 900, geometry.shape_kji).astype(np.int16)
        write_volume(Volume(array if value is None else np.full_like(array, value), geometry), path)


def pairs(found: FoundCases, root: Path) -> dict[str, str | None]:
    """Segmentation by key, as paths below the root."""
    root = root.resolve()
    return {
        case.key: None if case.segmentation is None else case.segmentation.relative_to(root).as_posix()
        for case in found.cases
    }


def found_in(root: Path) -> dict[str, str | None]:
    """Pairs of a tree in which everything must be matched: any problem is shown."""
    found = find_cases(root)
    assert not found.problems, found.problems
    return pairs(found, root)


def codes(found: FoundCases) -> dict[str, str]:
    """Code of the problem of each place."""
    return {problem.where: problem.code for problem in found.problems}
