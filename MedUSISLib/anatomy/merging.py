"""Coarsening: from fine classes to the coarser ones that a schema names in ``merges_into``."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError


def merge_classes(indices: NDArray[np.integer], schema: LabelSchema, names: Collection[str]) -> NDArray[np.uint8]:
    """Replace the named classes by what they merge into.

    Parameters
    ----------
    indices : integer array of any shape
        Class indices of the schema.
    names : collection of str
        Classes to give up. A class whose coarser class is given up too goes on to that one's coarser class.

    Returns
    -------
    uint8 array of the same shape

    Raises
    ------
    MedUSISError
        UNKNOWN_LABELS for a name that the schema lacks or an index beyond its classes; BAD_SETTING for a class
        that merges into nothing.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> head = load_schema("head")
    >>> merge_classes(np.array([7, 8, 9, 10]), head, ["cortex", "white_matter"]).tolist()
    [7, 15, 15, 10]
    """
    table = merge_table(schema, names)
    array = np.asarray(indices)
    if array.size and (array.min() < 0 or array.max() >= schema.number_of_classes):
        raise MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            f"the class map holds indices from {array.min()} to {array.max()}, but the schema '{schema.id}' has the "
            f"classes 0 to {schema.number_of_classes - 1}",
            "map the segmentation into the schema first",
        )
    return table[array]


def merge_table(schema: LabelSchema, names: Collection[str]) -> NDArray[np.uint8]:
    """New index for every index of the schema, as `merge_classes` uses it (length: number of classes)."""
    given_up = {schema.index_of(name) for name in names}
    table = np.arange(schema.number_of_classes, dtype=np.uint8)
    for start in given_up:
        index = start
        while index in given_up:
            coarser = schema.classes[index].merges_into
            if coarser is None:
                fine = [label.name for label in schema.classes if label.merges_into is not None]
                raise MedUSISError(
                    ErrorCode.BAD_SETTING,
                    f"class '{schema.names[index]}' of the schema '{schema.id}' merges into nothing",
                    f"classes that merge: {', '.join(fine)}",
                )
            index = schema.index_of(coarser)
        table[start] = index
    return table


def merge_groups(schema: LabelSchema) -> dict[str, tuple[str, ...]]:
    """Coarse class and the fine classes that merge straight into it, for random merging while training.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> merge_groups(load_schema("head"))["brain"]
    ('cortex', 'white_matter', 'deep_grey', 'cerebellum', 'brainstem')
    """
    groups: dict[str, tuple[str, ...]] = {}
    for label in schema.classes:
        if label.merges_into is not None:
            groups[label.merges_into] = (*groups.get(label.merges_into, ()), label.name)
    return groups
