"""What `head-seg` answers, which is the head schema, in the classes of another schema."""

from __future__ import annotations

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema, load_schema

_NOT_ANSWERED = ("brain",)
"""Undivided brain is what coarse segmentations have; no network answers it."""


def head_classes_in(schema: LabelSchema) -> tuple[np.ndarray, tuple[str, ...]]:
    """Lookup from class indices of the head schema to those of the same classes in another schema.

    A class goes by its name, or becomes its coarser class where that is what the other schema has.

    Parameters
    ----------
    schema : LabelSchema

    Returns
    -------
    ndarray of uint8, one per class of the head schema
        0 for classes that the schema has nothing for.
    tuple of str
        Those classes.

    Examples
    --------
    >>> table, missing = head_classes_in(load_schema("head"))
    >>> table.tolist() == list(range(len(table))), missing
    (True, ())
    """
    head = load_schema("head")
    table = np.zeros(head.number_of_classes, np.uint8)
    missing = []
    for label in head.classes:
        name: str | None = label.name
        while name is not None and name not in schema:
            name = head.class_named(name).merges_into
        if name is not None:
            table[label.index] = schema.index_of(name)
        elif label.name not in _NOT_ANSWERED:
            missing.append(label.name)
    return table, tuple(missing)
