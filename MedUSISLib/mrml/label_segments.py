"""Which segments the label map of a result becomes: the classes of its schema, with their names and colours."""

from __future__ import annotations

from collections.abc import Sequence

from MedUSISLib.errors import MedUSISError
from MedUSISLib.mrml.result_maps import NamedSegment
from MedUSISLib.mrml.schema_segments import class_looks

_UNKNOWN_COLOR = (0.5, 0.5, 0.5)


def label_segments(schema_id: str, values: Sequence[int]) -> list[NamedSegment]:
    """A segment for each class index; where the schema or the index is not known, a number is the name."""
    try:
        looks = class_looks(schema_id)
    except (OSError, ValueError, KeyError, MedUSISError):
        looks = {}
    segments = []
    for value in values:
        look = looks.get(value)
        if look is None:
            segments.append(NamedSegment(value, f"class_{value}", f"Class {value}", _UNKNOWN_COLOR))
        else:
            segments.append(NamedSegment(value, look.name, look.title, look.color, terminology=look.terminology))
    return segments
