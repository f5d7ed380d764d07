"""Mappings by name: for segmentations whose segments have names but no fixed values (Slicer, .seg.nrrd)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from MedUSISLib.anatomy.common_names import COMMON_NAMES, PREFIXES
from MedUSISLib.anatomy.mapping import LabelMapping, MappingEntry, available_mappings, load_mapping
from MedUSISLib.anatomy.schema import LabelSchema, canonical_name
from MedUSISLib.errors import ErrorCode, MedUSISError

_SIDES = {"left", "right", "l", "r", "lh", "rh"}


def mapping_from_names(
    names: Mapping[int, str], schema: LabelSchema, unmapped: str | None = None, name: str = "segment names"
) -> LabelMapping:
    """A mapping made from what the segments are called.

    A segment is looked up among the classes of the schema (by name, then by title), then among the source names of
    every mapping into the schema; ``"Left Kidney"``, ``"kidney_left"`` and ``"kidney"`` all find the kidney.

    Parameters
    ----------
    names : mapping from label value to segment name
        In the order of precedence: a later segment wins where segments overlap.
    unmapped : str, optional
        Name of the class for segments whose name is not known; without it they are an error.

    Raises
    ------
    MedUSISError
        UNKNOWN_LABELS with the nearest known names.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> mapping_from_names({1: "Left Kidney", 2: "Liver"}, load_schema("torso")).index_of_value
    {0: 0, 1: 1, 2: 4}
    """
    known = _classes_by_name(schema)
    other = None if unmapped is None else schema.names[schema.index_of(unmapped)]
    entries: list[MappingEntry] = []
    strangers: list[str] = []
    for value, segment in names.items():
        class_name = next((known[key] for key in _spellings(segment) if key in known), other)
        if class_name is None:
            near = difflib.get_close_matches(canonical_name(segment), [key for key in known if key], n=3, cutoff=0.5)
            strangers.append(f"{value} '{segment}'" + (f" (nearest known: {', '.join(near)})" if near else ""))
        else:
            entries.append(MappingEntry(value, segment, class_name))
    if strangers:
        raise MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            f"no class of the schema '{schema.id}' is known for the segments: {'; '.join(strangers)}",
            "rename the segments, write a table with the columns value,name,class, or say which class unmapped "
            "segments become",
        )
    return LabelMapping(name, schema, tuple(entries))


def suggest_class(name: str, schema: LabelSchema) -> str | None:
    """The class that a segment of this name probably is, for a person to confirm; None when nobody knows.

    Looks further than `mapping_from_names`: everyday names ("Muscle", "Ventricles"), singular and plural, American
    spelling, words written together or apart, words in another order.

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> head = load_schema("head")
    >>> suggest_class("Brain stem", head), suggest_class("Gray Matter", head), suggest_class("Segment_1", head)
    ('brainstem', 'cortex', None)
    """
    known, joined = _suggestions(schema)
    for spelling in _spellings(name):
        if spelling in known:
            return known[spelling]
    canonical = canonical_name(name)
    for beginning, classes in PREFIXES.items():
        if canonical.startswith(beginning):
            return next((c for c in classes if c in schema), None)
    for spelling in _spellings(_plain(canonical)):
        if (key := _joined(spelling)) in joined:
            return joined[key]
    return None


@lru_cache(maxsize=8)
def _suggestions(schema: LabelSchema) -> tuple[dict[str, str], dict[str, str]]:
    """Classes by spelling, and by spelling without blanks, plurals and the like."""
    known = _classes_by_name(schema)
    for name, classes in COMMON_NAMES.items():
        class_name = next((c for c in classes if c in schema), None)
        if class_name is not None:
            for spelling in _spellings(name):
                known.setdefault(spelling, class_name)
    joined: dict[str, str] = {}
    for spelling, class_name in known.items():
        joined.setdefault(_joined(_plain(spelling)), class_name)
    return known, joined


def _plain(name: str) -> str:
    """Every word in the singular and in British spelling."""
    words = name.replace("_", " ").split()
    return "_".join("grey" if word == "gray" else _singular(word) for word in words)


def _singular(word: str) -> str:
    if word in ("teeth", "vertebrae"):
        return {"teeth": "tooth", "vertebrae": "vertebra"}[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def _joined(name: str) -> str:
    return name.replace("_", "").replace(" ", "")


def _classes_by_name(schema: LabelSchema) -> dict[str, str]:
    known: dict[str, str] = {}
    for label in schema.classes:
        known.setdefault(label.name, label.name)
    for label in schema.classes:
        known.setdefault(canonical_name(label.title), label.name)
    for source in available_mappings(schema.id)[1:]:
        for entry in load_mapping(source, schema).entries:
            for spelling in _spellings(entry.source_name):
                known.setdefault(spelling, entry.class_name)
    return known


def _spellings(name: str) -> Iterator[str]:
    """Ways to look a name up, best first: as it is, words in order of the alphabet, and without its side."""
    words = canonical_name(name).split("_")
    yield "_".join(words)
    yield " ".join(sorted(words))
    middle = [word for word in words if word not in _SIDES]
    if middle and middle != words:
        yield "_".join(middle)
        yield " ".join(sorted(middle))
