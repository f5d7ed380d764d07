"""Telling from the values of a label map which tool wrote it - only where that is not open to doubt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MedUSISLib.anatomy.lookup import as_integers, unique_values
from MedUSISLib.anatomy.mapping import available_mappings, load_mapping
from MedUSISLib.anatomy.schema import load_schema

_CEREBRAL_PAIRS = ((2, 41), (3, 42))
"""Left and right cerebral white matter and cortex: in every FreeSurfer or SynthSeg map of a brain."""

_HEADNECK_LARGEST = 8
_HEAD_LARGEST = 15
_TORSO_RANGE = (27, 30)
_AUTOPET_COMMON = {33, 34}
_AUTOPET_LARGEST = 36
_TOTAL_MR_LARGEST = 50
_TOTAL_LARGEST = 117


def guess_mapping(values: NDArray[Any] | Iterable[int], schema_id: str | None = None) -> str | None:
    """Name of the mapping that a label map most likely needs, or None when more than one would do.

    The ids of different tools overlap (5 is the liver in one and marrow in another), so a guess is made only from
    what one tool practically always writes and the others do not. Numbers alone prove nothing (an abdominal map with
    13 organs looks like ``head``): whoever uses the guess must say so.

    * ``synthseg``: all values are known there, and both cerebral hemispheres or a value of 500 and more are present;
    * ``totalsegmentator``: nothing above 117, something above 50 (heart, vessels, bones; ``total_mr`` ends there);
    * ``autopet``: nothing above 36, and 33 or 34 (12 % of all its pixels) is present;
    * ``torso``: the largest value is 27 to 30 (skin, spleen, fat, muscle);
    * ``head``: the largest value is 9 to 15 (every head has a brain, and those are its classes);
    * ``headneck``: nothing above 8, with the body, the brainstem or cord, and one of the organs 4 to 8.

    Parameters
    ----------
    values : integer array, or the different values themselves
    schema_id : str, optional
        Consider only mappings into this schema (the generator's).

    Examples
    --------
    >>> guess_mapping([0, 2, 3, 41, 42]), guess_mapping([0, 1, 52, 90]), guess_mapping([0, 1])
    ('synthseg', 'totalsegmentator', None)
    """
    guess = _guess(values)
    if schema_id is not None and guess not in available_mappings(schema_id):
        return None
    return guess


def _guess(values: NDArray[Any] | Iterable[int]) -> str | None:
    array = values if isinstance(values, np.ndarray) else np.array(sorted(values), dtype=np.int64)
    found = set(unique_values(as_integers(array))) - {0}
    if not found or min(found) < 0:
        return None
    largest = max(found)
    if largest >= 500 or any(found.issuperset(pair) for pair in _CEREBRAL_PAIRS):
        if found <= load_mapping("synthseg", load_schema("head")).index_of_value.keys():
            return "synthseg"
    if _TOTAL_MR_LARGEST < largest <= _TOTAL_LARGEST:
        return "totalsegmentator"
    if largest > _AUTOPET_LARGEST:
        return None
    if found & _AUTOPET_COMMON:
        return "autopet"
    if _TORSO_RANGE[0] <= largest <= _TORSO_RANGE[1]:
        return "torso"
    if _HEADNECK_LARGEST < largest <= _HEAD_LARGEST:
        return "head"
    if largest <= _HEADNECK_LARGEST and 1 in found and found & {2, 3} and found & {4, 5, 6, 7, 8}:
        return "headneck"
    return None
