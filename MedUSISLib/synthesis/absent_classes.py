"""Classes that a generator knows and a segmentation does not hold: such tissue is not painted, wherever it may be."""

from __future__ import annotations

from collections.abc import Collection

from MedUSISLib.anatomy.schema import LabelClass, LabelSchema
from MedUSISLib.synthesis.filling import FillingClasses

CLASSES_ABSENT = "CLASSES_ABSENT"
_SHOWN = 8


def absent_classes(used: Collection[str], schema: LabelSchema) -> list[LabelClass]:
    """The classes of a schema that nothing in a segmentation stands for.

    A coarser class stands for those that merge into it, and the other way round ("brain" for cortex and white matter).
    Classes that are filled in by HU where the segmentation says nothing are not absent.

    Parameters
    ----------
    used : collection of str
        Names of the classes that the segmentation holds.
    schema : LabelSchema
        Of the generator.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> [label.name for label in absent_classes({"brain", "vessels"}, load_schema("head"))]
    ['eyes']
    """
    held = [schema.class_named(name) for name in used]
    filled = FillingClasses.of(schema)
    by_rule = [filled.air, filled.fat, filled.soft, filled.bone, filled.marrow, filled.skin]
    if any(label.tissue == "brain" for label in held):
        by_rule.append(filled.csf)
    there = [*held, *(schema.classes[index] for index in by_rule)]
    names = {label.name for label in there}
    stood_for = names | {name for label in there for name in _coarser(label, schema)}
    absent = [
        label
        for label in schema.classes
        if label.index and label.name not in stood_for and not names & set(_coarser(label, schema))
    ]
    undivided = {name for label in absent for name in _coarser(label, schema)}
    return [label for label in absent if label.name not in undivided]


def absent_in_words(absent: Collection[LabelClass]) -> str:
    """Their titles, as a list for a person; many are only counted."""
    titles = [label.title.split(" (")[0] for label in absent]
    more = f" and {len(titles) - _SHOWN} more" if len(titles) > _SHOWN else ""
    return ", ".join(titles[:_SHOWN]) + more


def _coarser(label: LabelClass, schema: LabelSchema) -> list[str]:
    """The classes that a class may be replaced by, step by step."""
    chain = []
    while label.merges_into is not None:
        chain.append(label.merges_into)
        label = schema.class_named(label.merges_into)
    return chain
