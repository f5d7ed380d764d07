"""BIDS: what the entities in a file's name say, and whether a derivative belongs to a CT.

CT has no place in BIDS yet; what people write is ``sub-01[/ses-1]/ct/sub-01_ct.nii.gz`` or the same below ``anat``.
Segmentations are derivatives with the suffix ``dseg``: ``derivatives/NAME/sub-01/anat/sub-01_space-ct_dseg.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_PAIR = re.compile(r"([a-z]+)-([A-Za-z0-9+]+)")
_FOLDER = re.compile(r"(sub|ses)-([A-Za-z0-9+]+)")
# Entities that tell acquisitions apart; the others say how a derivative was made.
_ACQUISITION = ("sub", "ses", "sample", "task", "acq", "ce", "trc", "rec", "dir", "run", "echo", "part")
_SPACES_OF_THE_CT = {"", "ct", "orig", "individual", "native", "scanner"}
#: Suffixes of derivatives that are no segmentation with one number for each class.
_NO_LABELS = {"probseg", "xfm", "warp", "events", "timeseries"}

Entities = Mapping[str, str]


def entities_of(name: str) -> dict[str, str]:
    """Entities of a path, and its suffix as "suffix"; empty when it names no subject.

    Examples
    --------
    >>> entities_of("derivatives/seg/sub-01/anat/sub-01_run-2_space-ct_dseg.nii.gz")
    {'sub': '01', 'run': '2', 'space': 'ct', 'suffix': 'dseg'}
    >>> entities_of("P01/ct.nii.gz")
    {}
    """
    pure = PurePosixPath(name)
    found = {match[1]: match[2] for part in pure.parts[:-1] if (match := _FOLDER.fullmatch(part))}
    *pairs, suffix = pure.name.partition(".")[0].split("_")
    for pair in pairs:
        if match := _PAIR.fullmatch(pair):
            found[match[1]] = match[2]
    if match := _FOLDER.fullmatch(suffix):  # a folder, or a file called by its subject alone
        found[match[1]] = match[2]
        suffix = ""
    return {**found, "suffix": suffix} if "sub" in found else {}


def belongs(derivative: Entities, ct: Entities) -> int:
    """How well a segmentation goes with a CT of the same dataset.

    Returns
    -------
    int
        0: not at all (another subject, session, run, ..., or the space of another image). 1: its name leaves out
        what tells two CTs apart, so the grids must say it. 2: plainly.

    Examples
    --------
    >>> ct = entities_of("sub-01/ct/sub-01_run-1_ct.nii.gz")
    >>> names = ("sub-01_run-1_dseg", "sub-01_dseg", "sub-01_run-2_dseg")
    >>> [belongs(entities_of(f"sub-01/{name}"), ct) for name in names]
    [2, 1, 0]
    """
    if derivative.get("space", "").lower() not in _SPACES_OF_THE_CT or derivative.get("suffix") in _NO_LABELS:
        return 0
    both = [name for name in _ACQUISITION if name in derivative and name in ct]
    if "sub" not in both or any(_value(derivative[name]) != _value(ct[name]) for name in both):
        return 0
    if any(name in derivative and name not in ct for name in _ACQUISITION):
        return 1
    return 2 if all(name in derivative for name in _ACQUISITION if name in ct) else 1


def _value(text: str) -> str:
    """Run 01 is run 1, and subject 01 is not subject 1 - but nobody has both."""
    return text.lstrip("0") or "0"
