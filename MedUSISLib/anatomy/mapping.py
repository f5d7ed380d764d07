"""Mappings: from the label values of another tool, or of a user's table, to the class indices of a schema.

Order is meaning: rows are written from the least to the most important, and **a later row wins** wherever two of them
claim the same thing - the same label value, or the same voxel when several label maps are combined (`combine`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from MedUSISLib.anatomy.lookup import LookupTable, as_integers, chunks, unique_values
from MedUSISLib.anatomy.mapping_table import MappingRow, read_mapping_table
from MedUSISLib.anatomy.schema import LabelClass, LabelSchema, canonical_name, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.resources import resource_path

UNDECIDED = 255
"""Marks a voxel without a class while a map is being made; never an index of a schema (see MAXIMUM_CLASSES)."""

_SHOWN = 12
"""How many unmapped values an error lists by name before it only counts them."""


class MappingEntry(NamedTuple):
    """One row: this label value, so called by its source, becomes that class."""

    value: int
    source_name: str
    class_name: str


@dataclass(frozen=True)
class LabelMapping:
    """An ordered table from label values to the classes of one schema.

    Parameters
    ----------
    name : str
        Of the source, for example ``"totalsegmentator"``; goes into the provenance.
    schema : LabelSchema
        Whose class indices `apply` returns.
    entries : tuple of MappingEntry
        From the least to the most important. Value 0 is the background unless an entry says otherwise.

    Examples
    --------
    >>> mapping = load_mapping("synthseg", load_schema("head"))
    >>> mapping.apply(np.array([0, 2, 42, 515])).tolist()
    [0, 9, 8, 4]
    """

    name: str
    schema: LabelSchema
    entries: tuple[MappingEntry, ...]

    def __post_init__(self) -> None:
        for entry in self.entries:
            self.schema.index_of(entry.class_name)

    @property
    def schema_id(self) -> str:
        """Id of the schema that `apply` maps into."""
        return self.schema.id

    @cached_property
    def index_of_value(self) -> dict[int, int]:
        """Class index of each known label value (later entries have won)."""
        return {0: 0} | {entry.value: self.schema.index_of(entry.class_name) for entry in self.entries}

    @cached_property
    def name_of_value(self) -> dict[int, str]:
        """What the source calls each known label value."""
        return {0: "background"} | {entry.value: entry.source_name for entry in self.entries}

    @cached_property
    def row_of_value(self) -> dict[int, int]:
        """Row of each known label value, counted from 0: its precedence in `combining.combine`. -1 where none is."""
        return {0: -1} | {entry.value: row for row, entry in enumerate(self.entries)}

    @cached_property
    def _class_table(self) -> LookupTable:
        return LookupTable(self.index_of_value, other=UNDECIDED)

    def unmapped_values(self, values: NDArray[Any]) -> list[int]:
        """Label values of an array that the mapping does not know, sorted."""
        unknown: set[int] = set()
        for _, chunk in chunks(as_integers(values)):
            missed = self._class_table.look_up(chunk) == UNDECIDED
            if missed.any():
                unknown.update(unique_values(chunk[missed]))
        return sorted(unknown)

    def require_known(self, values: NDArray[Any], source_names: Mapping[int, str] | None = None) -> None:
        """Raise UNKNOWN_LABELS, with advice, when an array holds values that the mapping does not know."""
        unknown = self.unmapped_values(values)
        if unknown:
            raise self._unknown_labels(unknown, source_names or {})

    def apply(
        self,
        values: NDArray[Any],
        unmapped: str | None = None,
        source_names: Mapping[int, str] | None = None,
    ) -> NDArray[np.uint8]:
        """Class indices of a label map.

        Parameters
        ----------
        values : integer array of any shape
            A float array is accepted when all its values are whole numbers.
        unmapped : str, optional
            Name of the class for label values that the mapping does not know. Without it they are an error.
        source_names : mapping from value to name, optional
            What the file itself calls its values (segment names), for better advice in the error.

        Returns
        -------
        uint8 array of the same shape

        Raises
        ------
        MedUSISError
            UNKNOWN_LABELS with the unknown values and the nearest known names; INPUT_NOT_READABLE when the values
            are not whole numbers.
        """
        integers = as_integers(values)
        other = UNDECIDED if unmapped is None else self.schema.index_of(unmapped)
        result = np.empty(integers.shape, dtype=np.uint8)
        flat = result.reshape(-1)
        unknown: set[int] = set()
        for part, chunk in chunks(integers):
            classes = self._class_table.look_up(chunk)
            missed = classes == UNDECIDED
            if missed.any():
                unknown.update(unique_values(chunk[missed]))
                classes[missed] = other
            flat[part] = classes
        if unknown and unmapped is None:
            raise self._unknown_labels(sorted(unknown), source_names or {})
        return result

    def _unknown_labels(self, unknown: list[int], source_names: Mapping[int, str]) -> MedUSISError:
        shown = []
        for value in unknown[:_SHOWN]:
            own = source_names.get(value)
            near = self.nearest_names(value, own)
            label = f"{value} '{own}'" if own else str(value)
            shown.append(f"{label} (nearest known: {', '.join(near)})" if near else label)
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        return MedUSISError(
            ErrorCode.UNKNOWN_LABELS,
            f"the segmentation has {len(unknown)} label value{'s' * (len(unknown) > 1)} that the mapping "
            f"'{self.name}' into the schema '{self.schema.id}' does not know: {'; '.join(shown)}{more}",
            "choose the mapping that fits the segmentation, write a table with the columns value,name,class, "
            "or say which class unmapped values become",
        )

    def nearest_names(self, value: int, own_name: str | None = None, count: int = 3) -> list[str]:
        """Known names that resemble an unknown label: by its own name if it has one, else by the number."""
        if own_name:
            known = dict.fromkeys([*map(canonical_name, self.name_of_value.values()), *self.schema.names])
            return difflib.get_close_matches(canonical_name(own_name), list(known), n=count, cutoff=0.5)
        by_text = difflib.get_close_matches(
            str(value), [str(known) for known in self.name_of_value], n=count, cutoff=0.6
        )
        candidates = {int(text) for text in by_text} or set(self.name_of_value)
        nearest = sorted(candidates, key=lambda known: (abs(known - value), known))[:count]
        return [f"{known} {self.name_of_value[known]}" for known in nearest]


def load_mapping(name_or_csv_path: str | Path, schema: LabelSchema | str) -> LabelMapping:
    """A mapping into a schema, by name or from a user's table.

    Parameters
    ----------
    name_or_csv_path : str or Path
        The id of the schema itself (the segmentation already holds its class indices), the name of a mapping that
        comes with MedUSIS (`available_mappings`), or the path of a table (see `mapping_table`).
    schema : LabelSchema or str
        What to map into.

    Raises
    ------
    MedUSISError
        BAD_SETTING when there is no such mapping into this schema or a row of the table is wrong (with its line
        number), UNKNOWN_LABELS when a row names a class that the schema lacks, INPUT_NOT_READABLE when the table
        cannot be read.
    """
    target = load_schema(schema) if isinstance(schema, str) else schema
    text = str(name_or_csv_path)
    name = canonical_name(text)
    if name == canonical_name(target.id):
        return identity_mapping(target)
    shipped = resource_path("Schemas", "mappings", f"{name}.{target.id}.csv")
    if name.isidentifier() and shipped.is_file():
        return mapping_from_rows(name, target, read_mapping_table(shipped), shipped)
    path = Path(text).expanduser()
    if path.suffix.lower() in (".csv", ".tsv", ".txt") or path.is_file():
        return mapping_from_rows("user table", target, read_mapping_table(path), path)
    known = available_mappings(target.id)
    near = difflib.get_close_matches(name, known, n=1)
    raise MedUSISError(
        ErrorCode.BAD_SETTING,
        f"there is no label mapping of that name into the schema '{target.id}'",
        (f"did you mean '{near[0]}'? " if near else "") + f"known: {', '.join(known)}; or give a .csv table",
        path,
    )


def available_mappings(schema_id: str) -> list[str]:
    """Names that `load_mapping` knows for a schema, its own id first."""
    files = resource_path("Schemas", "mappings").glob(f"*.{schema_id}.csv")
    return [schema_id, *sorted(path.name.removesuffix(f".{schema_id}.csv") for path in files)]


def identity_mapping(schema: LabelSchema) -> LabelMapping:
    """For segmentations that already hold the class indices of the schema.

    Rows are in the order of the indices, but a coarse class comes before the classes that merge into it: where layers
    overlap, the finer one wins.
    """
    ordered: list[LabelClass] = []
    for label in schema.classes:
        chain = [label]
        while (coarser := chain[-1].merges_into) is not None:
            chain.append(schema.class_named(coarser))
        ordered.extend(member for member in reversed(chain) if member not in ordered)
    return LabelMapping(schema.id, schema, tuple(MappingEntry(c.index, c.name, c.name) for c in ordered))


def mask_mapping(class_name: str, schema: LabelSchema, value: int = 1) -> LabelMapping:
    """For a binary mask whose voxels of ``value`` become one class; made for `combine`."""
    name = schema.names[schema.index_of(class_name)]
    return LabelMapping(f"mask of {name}", schema, (MappingEntry(value, name, name),))


def mapping_from_rows(
    name: str, schema: LabelSchema, rows: Sequence[MappingRow], path: Path | None = None
) -> LabelMapping:
    """Check the classes of a table's rows, and spread its ranges of values into single entries."""
    entries: list[MappingEntry] = []
    for row in rows:
        try:
            class_name = _class_of_cell(row.class_name, schema)
        except MedUSISError as error:
            message = f"line {row.line} of the label table: {error.message}"
            raise MedUSISError(error.code, message, error.hint, path) from error
        single = row.first == row.last
        for value in range(row.first, row.last + 1):
            source = (row.name or class_name) if single else f"{row.name or class_name}_{value}"
            entries.append(MappingEntry(value, source, class_name))
    return LabelMapping(name, schema, tuple(entries))


def _class_of_cell(cell: str, schema: LabelSchema) -> str:
    """A class written by its name or by its index."""
    if cell.isascii() and cell.isdigit() and int(cell) < schema.number_of_classes:
        return schema.names[int(cell)]
    return schema.names[schema.index_of(cell)]
