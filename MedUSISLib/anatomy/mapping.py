"""Mappings: from the label values of another tool, or of a user's table, to the class indices of a schema.

Order is meaning: rows are written from the least to the most important, and **a later row wins** wherever two of them
claim the same thing - the same label value, or the same voxel when several label maps are combined (`combine`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from MedUSISLib.anatomy.mapping_table import MappingRow, read_mapping_table
from MedUSISLib.anatomy.schema import LabelSchema, canonical_name, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.resources import resource_path

UNDECIDED = 255
"""Marks a voxel without a class while a map is being made; never an index of a schema (see MAXIMUM_CLASSES)."""

_CHUNK = 1 << 21
"""Voxels handled at once: indexing a table makes numpy copy the index as 8-byte integers, 16 MB for a chunk."""

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
    def rank_of_value(self) -> dict[int, int]:
        """Precedence of each known label value: its row, counted from 1; 0 is for the background class."""
        ranks = {0: 0} | {entry.value: row for row, entry in enumerate(self.entries, start=1)}
        return {value: rank if self.index_of_value[value] else 0 for value, rank in ranks.items()}

    def unmapped_values(self, values: NDArray[Any]) -> list[int]:
        """Label values of an array that the mapping does not know, sorted."""
        found: set[int] = set()
        for _, chunk in _chunks(_as_integers(values)):
            found.update(np.unique(chunk).tolist())
        return sorted(found - self.index_of_value.keys())

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
        integers = _as_integers(values)
        other = UNDECIDED if unmapped is None else self.schema.index_of(unmapped)
        table = _LookupTable(self.index_of_value, other)
        result = np.empty(integers.shape, dtype=np.uint8)
        flat = result.reshape(-1)
        unknown: set[int] = set()
        for part, chunk in _chunks(integers):
            classes = table.look_up(chunk)
            flat[part] = classes
            if unmapped is None and (missed := classes == UNDECIDED).any():
                unknown.update(np.unique(chunk[missed]).tolist())
        if unknown:
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


class _LookupTable:
    """Class index by label value, as one array over the range of known values with a guard at either end."""

    def __init__(self, classes: Mapping[int, int], other: int) -> None:
        self._lowest, self._highest = min(classes), max(classes)
        if self._highest - self._lowest > 1 << 24:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"the label values of the table run from {self._lowest} to {self._highest}",
                "a table may span at most 16 million values",
            )
        self._table = np.full(self._highest - self._lowest + 3, other, dtype=np.uint8)
        for value, index in classes.items():
            self._table[value - self._lowest + 1] = index

    def look_up(self, values: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Classes of a chunk; values outside the range fall on the guards."""
        wide = values.astype(np.int64) if values.dtype != np.uint64 else values.clip(max=1 << 62).astype(np.int64)
        return self._table[wide.clip(self._lowest - 1, self._highest + 1) - (self._lowest - 1)]


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
    shipped = resource_path("Schemas", "mappings", f"{text}.{target.id}.csv")
    if text == target.id:
        return identity_mapping(target)
    if canonical_name(text).isidentifier() and shipped.is_file():
        return mapping_from_rows(text, target, read_mapping_table(shipped), shipped)
    path = Path(text).expanduser()
    if path.suffix.lower() in (".csv", ".tsv", ".txt") or path.is_file():
        return mapping_from_rows("user table", target, read_mapping_table(path), path)
    known = available_mappings(target.id)
    near = difflib.get_close_matches(text, known, n=1)
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
    """For segmentations that already hold the class indices of the schema."""
    return LabelMapping(schema.id, schema, tuple(MappingEntry(c.index, c.name, c.name) for c in schema.classes))


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
            class_name = schema.names[schema.index_of(row.class_name)]
        except MedUSISError as error:
            message = f"line {row.line} of the label table: {error.message}"
            raise MedUSISError(error.code, message, error.hint, path) from error
        single = row.first == row.last
        for value in range(row.first, row.last + 1):
            source = (row.name or class_name) if single else f"{row.name or class_name}_{value}"
            entries.append(MappingEntry(value, source, class_name))
    return LabelMapping(name, schema, tuple(entries))


def _as_integers(values: NDArray[Any]) -> NDArray[np.integer]:
    array = np.asarray(values)
    if array.dtype == bool:
        return array.view(np.uint8)
    if np.issubdtype(array.dtype, np.integer):
        return array
    if np.issubdtype(array.dtype, np.floating):
        whole = np.empty(array.shape, dtype=np.int32)
        flat = whole.reshape(-1)
        limits = np.iinfo(np.int32)
        for part, chunk in _chunks(array):
            if not np.isfinite(chunk).all() or (chunk != np.rint(chunk)).any():
                break
            if chunk.min() < limits.min or chunk.max() > limits.max:
                break
            flat[part] = chunk
        else:
            return whole
    raise MedUSISError(
        ErrorCode.INPUT_NOT_READABLE,
        "the segmentation is not a label map: its values are not whole numbers",
        "give a label map (one whole number per voxel), not an image or a probability map",
    )


def _chunks(array: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    flat = array.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, flat.size))
        yield part, flat[part]
