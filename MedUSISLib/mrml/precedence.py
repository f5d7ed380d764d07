"""Which segment wins where segments overlap, and which value each gets in the file for the engine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.segment_parts import Layer, is_segmentation, parts

if TYPE_CHECKING:
    from MedUSISLib.anatomy.mapping_table import MappingRow
    from MedUSISLib.anatomy.schema import LabelSchema

BACKGROUND = "background"
_SHOWN = 6


def ranking(
    classes: Mapping[str, str], names: Mapping[str, str], schema: LabelSchema
) -> tuple[dict[str, int], list[MappingRow]]:
    """Which value each segment gets, and the table that says what the values mean.

    Parameters
    ----------
    classes : mapping of str to str
        Class of each segment's key; "background" leaves it out.
    names : mapping of str to str
        Name of every segment that exists, in the node's order.
    schema : LabelSchema

    Returns
    -------
    dict of str to int
        1 for the least important segment; where two overlap the higher one wins.
    list of MappingRow
    """
    from MedUSISLib.anatomy.mapping_table import MappingRow

    missing = [name for key, name in names.items() if not classes.get(key)]
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (" ..." if len(missing) > _SHOWN else "")
        raise MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            f"{len(missing)} segment{'s have' if len(missing) > 1 else ' has'} no class: {shown}",
            "choose a class for each, or background to leave it out",
        )
    named = [(key, schema.class_named(classes[key]).name) for key in names]
    used = _coarse_first([(key, class_name) for key, class_name in named if class_name != BACKGROUND], schema)
    ranks = {key: rank for rank, (key, _) in enumerate(used, start=1)}
    rows = [MappingRow(0, ranks[key], ranks[key], _one_line(names[key]), class_name) for key, class_name in used]
    return ranks, rows


def _coarse_first(segments: list[tuple[str, str]], schema: LabelSchema) -> list[tuple[str, str]]:
    """The given order of (key, class), but no segment before one of a class that its own class is part of."""
    ordered = []
    waiting = list(segments)
    classes = Counter(class_name for _, class_name in waiting)
    coarser = {class_name: coarser_classes(class_name, schema) for class_name in classes}
    while waiting:
        # there is always one, because merging does not run in circles
        first = next(segment for segment in waiting if not any(classes[name] for name in coarser[segment[1]]))
        waiting.remove(first)
        classes[first[1]] -= 1
        ordered.append(first)
    return ordered


def coarser_classes(class_name: str, schema: LabelSchema) -> set[str]:
    """The classes that a class is part of: "cortex" is part of "brain"."""
    found: set[str] = set()
    while (coarser := schema.class_named(class_name).merges_into) is not None:
        found.add(coarser)
        class_name = coarser
    return found


def segment_names(node: Any) -> dict[str, str]:
    """Names by key, in the node's order: segment ids, or the label values that a label map holds."""
    if is_segmentation(node):
        segmentation = node.GetSegmentation()
        return {key: segmentation.GetSegment(key).GetName() or key for key in segmentation.GetSegmentIDs()}
    layers = [part for part in parts(node) if isinstance(part, Layer)]
    return {key: f"label {key}" for layer in layers for key in layer.values.values()}


def _one_line(name: str) -> str:
    return re.sub(r"\s+", " ", name).strip()
