"""Which class of the generator's schema each segment is: remembered choices first, then the best guesses.

A choice is kept with the scene: as a tag of the segment, or as an attribute of the label map's node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.mrml.segment_parts import Layer, is_segmentation, parts

if TYPE_CHECKING:
    from MedUSISLib.anatomy.mapping import LabelMapping
    from MedUSISLib.anatomy.schema import LabelSchema

STORED, NAME, TERMINOLOGY, VALUES, MAPPING = "stored", "name", "terminology", "values", "mapping"
"""How a class became known (``SegmentRow.known_by``)."""

_TERMINOLOGY_TAG = "TerminologyEntry"
# Slicer's default for a new segment: it says nothing.
_GENERIC_CODES = {"85756007", "T-D0050", "91723000", "T-D000A", "49755003"}
_NUMBERED = re.compile(r"(?:segment|label|value|class)?[\s_-]*([0-9]{1,6})", re.IGNORECASE)
# What numbers give away beyond doubt; the others could just as well be a person's first nine segments.
_DISTINCTIVE = {"totalsegmentator", "synthseg"}


@dataclass(frozen=True)
class SegmentRow:
    """One row of the table in which a user says what the segments are.

    Attributes
    ----------
    key : str
        Segment id, or label value as text; the key of ``SynthesisInputs.classes``.
    name : str
    color : tuple of float
        Red, green, blue, 0 to 1.
    class_name : str or None
        None when nobody knows.
    value : int or None
        Label value; None for segments of a segmentation node.
    known_by : str
        "stored", "name", "terminology", "values" (guessed from the label values: worth a look), "mapping" or "".
    """

    key: str
    name: str
    color: tuple[float, float, float]
    class_name: str | None
    value: int | None = None
    known_by: str = ""


def segment_rows(node: Any, schema: LabelSchema) -> list[SegmentRow]:
    """Segments in their order, or the label values of a label map without 0, each with its class.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
    schema : LabelSchema
        Of the generator.
    """
    rows = _rows_of_segmentation(node, schema) if is_segmentation(node) else _rows_of_label_map(node, schema)
    return _guessed_by_values(rows, schema)


def store_class(node: Any, key: str, class_name: str | None, schema_id: str) -> None:
    """Remember a choice with the scene; an empty one forgets it.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
    key : str
        Of the row.
    class_name : str or None
    schema_id : str
        Choices for other schemas stay.
    """
    if is_segmentation(node):
        segment = node.GetSegmentation().GetSegment(key)
        if segment is None:
            return
        if class_name:
            segment.SetTag(_tag(schema_id), class_name)
        else:
            segment.RemoveTag(_tag(schema_id))
        return
    choices = _stored_of_label_map(node, schema_id)
    choices.pop(key, None)
    if class_name:
        choices[key] = class_name
    node.SetAttribute(_tag(schema_id), json.dumps(choices, sort_keys=True) if choices else None)


def rows_from_mapping(
    rows: Sequence[SegmentRow], mapping_name_or_csv: str | Path, schema: LabelSchema
) -> list[SegmentRow]:
    """The rows with the classes of a mapping that the user picked, instead of guesses.

    Label values are looked up as values; segments by name, and "Segment_5" or "5" as value 5. What the mapping does
    not know has no class.

    Raises
    ------
    MedUSISError
        What ``anatomy.mapping.load_mapping`` raises.
    """
    from MedUSISLib.anatomy.mapping import load_mapping
    from MedUSISLib.anatomy.schema import canonical_name

    mapping = load_mapping(mapping_name_or_csv, schema)
    by_name = {canonical_name(entry.source_name): entry.class_name for entry in mapping.entries}
    result = []
    for row in rows:
        class_name = _class_of_value(row.value, mapping) if row.value is not None else None
        if row.value is None:
            class_name = by_name.get(canonical_name(row.name)) or _class_of_value(_number_in(row.name), mapping)
        result.append(replace(row, class_name=class_name, known_by=MAPPING if class_name else ""))
    return result


def suggest(name: str, schema: LabelSchema) -> str | None:
    """The class for a name that a person or a program gave a segment."""
    from MedUSISLib.anatomy.segment_names import suggest_class

    return suggest_class(name, schema)


def terminology_class(entry: str, schema: LabelSchema) -> str | None:
    """The class for Slicer's terminology of a segment.

    Parameters
    ----------
    entry : str
        As Slicer keeps it: context, category, type, type modifier, anatomic context, region and region modifier,
        with "~" between them and each code as "scheme^value^meaning".
    schema : LabelSchema
        Its SNOMED CT codes decide first, then the meanings as names; the type before the anatomic region.
    """
    fields = [field.split("^") for field in entry.split("~")]
    by_code = {label.snomed_code: label.name for label in schema.classes if label.snomed_code}
    for place in (2, 5):
        if place >= len(fields) or len(fields[place]) < 3:
            continue
        _, code, meaning = fields[place][:3]
        if not code or code in _GENERIC_CODES:
            continue
        modifier = fields[place + 1][2] if place + 1 < len(fields) and len(fields[place + 1]) > 2 else ""
        found = by_code.get(code) or suggest(f"{meaning} {modifier}", schema) or suggest(meaning, schema)
        if found:
            return found
    return None


def _rows_of_segmentation(node: Any, schema: LabelSchema) -> list[SegmentRow]:
    segmentation = node.GetSegmentation()
    rows = []
    for key in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(key)
        name = segment.GetName() or key
        color = segment.GetColor()
        class_name, known_by = _known_class(
            schema, _tag_of(segment, _tag(schema.id)), name, _tag_of(segment, _TERMINOLOGY_TAG)
        )
        rows.append(SegmentRow(key, name, (color[0], color[1], color[2]), class_name, None, known_by))
    return rows


def _rows_of_label_map(node: Any, schema: LabelSchema) -> list[SegmentRow]:
    stored = _stored_of_label_map(node, schema.id)
    display = node.GetDisplayNode()
    colors = display.GetColorNode() if display is not None else None
    rows = []
    for value in label_values(node):
        color = [0.5, 0.5, 0.5, 1.0]
        name = f"Label {value}"
        if colors is not None and 0 <= value < colors.GetNumberOfColors():
            colors.GetColor(value, color)
            # Slicer's own tables call 1 "tissue" and 2 "bone" whatever the values mean
            if colors.GetSingletonTag() is None and (own := colors.GetColorName(value)) and own != "(none)":
                name = own
        class_name, known_by = _known_class(schema, stored.get(str(value), ""), name, "")
        rows.append(SegmentRow(str(value), name, (color[0], color[1], color[2]), class_name, value, known_by))
    return rows


def label_values(node: Any) -> list[int]:
    """The label values of a label map, sorted, without 0."""
    return sorted(value for part in parts(node) if isinstance(part, Layer) for value in part.values)


def _known_class(schema: LabelSchema, stored: str, name: str, terminology: str) -> tuple[str | None, str]:
    if stored and stored in schema:
        return stored, STORED
    if (found := suggest(name, schema)) is not None:
        return found, NAME
    if terminology and (found := terminology_class(terminology, schema)) is not None:
        return found, TERMINOLOGY
    return None, ""


def _guessed_by_values(rows: list[SegmentRow], schema: LabelSchema) -> list[SegmentRow]:
    """Classes for rows that have numbers only, where the numbers give away the tool that wrote them."""
    from MedUSISLib.anatomy.guessing import guess_mapping
    from MedUSISLib.anatomy.mapping import load_mapping

    values = [_number_in(row.name) if row.value is None else row.value for row in rows]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(rows) or all(row.class_name for row in rows):
        return rows
    guess = guess_mapping(known, schema.id)
    if guess is None or (rows[0].value is None and guess not in _DISTINCTIVE):
        return rows
    mapping = load_mapping(guess, schema)
    result = []
    for row, value in zip(rows, values, strict=True):
        if not row.class_name and (class_name := _class_of_value(value, mapping)):
            row = replace(row, class_name=class_name, known_by=VALUES)
        result.append(row)
    return result


def _class_of_value(value: int | None, mapping: LabelMapping) -> str | None:
    index = mapping.index_of_value.get(value) if value is not None else None
    return None if index is None else mapping.schema.names[index]


def _number_in(name: str) -> int | None:
    match = _NUMBERED.fullmatch(name.strip())
    return int(match[1]) if match else None


def _tag(schema_id: str) -> str:
    return f"MedUSIS.Class.{schema_id}"


def _tag_of(segment: Any, tag: str) -> str:
    import vtk

    value = vtk.reference("")
    return str(value) if segment.GetTag(tag, value) else ""


def _stored_of_label_map(node: Any, schema_id: str) -> dict[str, str]:
    try:
        choices = json.loads(node.GetAttribute(_tag(schema_id)) or "{}")
    except ValueError:
        return {}
    return {str(key): str(name) for key, name in choices.items()} if isinstance(choices, dict) else {}
