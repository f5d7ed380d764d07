"""One class map from several label maps: several tasks of a tool, binary masks, layers of a segmentation.

Who wins where two of them claim a voxel:

1. Sources are given from the least to the most important: **a later source wins**.
2. Neighbouring sources with the same mapping are layers of one segmentation (overlapping segments, one mask for each
   structure); among them the order of the layers says nothing and **the later row of the mapping wins**.
3. Background never wins: a voxel that a source leaves empty, or maps to background, keeps what earlier ones gave.
4. A value that the mapping does not know, given a class by ``unmapped``, loses against every known value of its layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MedUSISLib.anatomy.lookup import LookupTable, as_integers, chunks
from MedUSISLib.anatomy.mapping import LabelMapping
from MedUSISLib.errors import ErrorCode, MedUSISError

Source = tuple[NDArray[Any], LabelMapping]


def combine(sources: Sequence[Source], unmapped: str | None = None) -> NDArray[np.uint8]:
    """Class indices of several label maps on the same grid, put together by the rules above.

    Parameters
    ----------
    sources : sequence of (integer array, LabelMapping)
        From the least to the most important; all of one shape, all mapped into the same schema.
    unmapped : str, optional
        Name of the class for values that a mapping does not know; without it they are an error.

    Returns
    -------
    uint8 array of the common shape

    Raises
    ------
    MedUSISError
        UNKNOWN_LABELS as in `LabelMapping.apply`; GEOMETRY_MISMATCH when the shapes differ; BAD_SETTING when there is
        no source or the schemas differ.

    Examples
    --------
    >>> from MedUSISLib.anatomy.mapping import load_mapping
    >>> tissue = load_mapping("totalsegmentator_tissue_types", "torso")
    >>> organs = load_mapping("totalsegmentator", "torso")
    >>> combine([(np.array([1, 3, 3]), tissue), (np.array([0, 0, 5]), organs)]).tolist()
    [29, 30, 4]
    """
    if not sources:
        raise MedUSISError(ErrorCode.BAD_SETTING, "there is no segmentation to combine", "give at least one")
    _require_one_schema_and_shape(sources)
    schema = sources[0][1].schema
    other = None if unmapped is None else schema.index_of(unmapped)
    result = np.zeros(np.shape(sources[0][0]), dtype=np.uint8)
    flat = result.reshape(-1)
    for _, group in groupby(enumerate(sources), key=_run_of_equal_mappings(sources)):
        layers = [source for _, source in group]
        mapping = layers[0][1]
        arrays = [as_integers(array) for array, _ in layers]
        if other is None:
            for array in arrays:
                mapping.require_known(array)
        ranks, class_of_rank = _ranks(mapping, other)
        for parts in zip(*(chunks(array) for array in arrays), strict=True):
            best = ranks.look_up(parts[0][1])
            for _, chunk in parts[1:]:
                np.maximum(best, ranks.look_up(chunk), out=best)
            classes = class_of_rank[best]
            np.copyto(flat[parts[0][0]], classes, where=classes != 0)
    return result


def _ranks(mapping: LabelMapping, other: int | None) -> tuple[LookupTable, NDArray[np.uint8]]:
    """Rank of each value (0 background, 1 unmapped, 2 and more: rows) and the class that each rank stands for."""
    rows = mapping.row_of_value
    rank_of_value = {value: 0 if mapping.index_of_value[value] == 0 else row + 2 for value, row in rows.items()}
    class_of_rank = np.zeros(len(mapping.entries) + 2, dtype=np.uint8)
    class_of_rank[1] = other or 0
    for value, rank in rank_of_value.items():
        if rank:
            class_of_rank[rank] = mapping.index_of_value[value]
    return LookupTable(rank_of_value, other=1, dtype=np.int32), class_of_rank


def _run_of_equal_mappings(sources: Sequence[Source]) -> Any:
    runs = [0]
    for (_, before), (_, now) in zip(sources, sources[1:], strict=False):
        runs.append(runs[-1] + (now is not before and now != before))
    return lambda numbered: runs[numbered[0]]


def _require_one_schema_and_shape(sources: Sequence[Source]) -> None:
    shapes = [np.shape(array) for array, _ in sources]
    if len(set(shapes)) > 1:
        raise MedUSISError(
            ErrorCode.GEOMETRY_MISMATCH,
            f"the segmentations to combine differ in size: {', '.join(str(shape) for shape in shapes)}",
            "bring them onto one grid first",
        )
    schema = sources[0][1].schema
    if any(mapping.schema != schema for _, mapping in sources):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the segmentations to combine are mapped into different schemas",
            "load all mappings for the schema of the generator",
        )
