"""A label schema: what each class index of a segmentation means, how it looks, and what it may be merged into."""

from __future__ import annotations

import difflib
import json
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.resources import resource_path
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

Tissue = Literal["air", "fat", "soft", "bone", "fluid", "brain", "other"]

MAXIMUM_CLASSES = 255
"""Class maps are uint8 and 255 stays free as "not decided yet"."""


class LabelClass(BaseModel):
    """One class of a schema.

    Parameters
    ----------
    index : int
        Value in class maps and channel of the one-hot tensor; 0 is the background.
    name : str
        Identifier in lower_snake_case: used in files, in mappings and on the command line.
    title : str
        What a person reads.
    color : tuple of int
        Red, green, blue, 0-255.
    merges_into : str, optional
        Name of the coarser class of the same schema that this one may be replaced by.
    tissue : str
        What the class mostly consists of; rules on HU and plausibility checks use it.
    snomed_code, snomed_meaning : str, optional
        SNOMED CT concept, for DICOM segmentations and Slicer's terminology.
    note : str
        What is known or unsure about the class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    index: int = Field(ge=0, lt=MAXIMUM_CLASSES)
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    color: tuple[int, int, int]
    tissue: Tissue
    merges_into: str | None = None
    snomed_code: str | None = Field(default=None, pattern=r"^[0-9]+$")
    snomed_meaning: str | None = None
    note: str = ""

    @field_validator("color")
    @classmethod
    def _bytes(cls, color: tuple[int, int, int]) -> tuple[int, int, int]:
        if any(not 0 <= channel <= 255 for channel in color):
            raise ValueError("a color has three numbers from 0 to 255")
        return color


class LabelSchema(BaseModel):
    """An ordered set of classes: indices 0, 1, 2, ... without gaps, names unique, index 0 the background.

    Examples
    --------
    >>> head = load_schema("head")
    >>> head.number_of_classes, head.index_of("white_matter"), head.names[0]
    (16, 9, 'background')
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    body_region: str
    source: str = ""
    note: str = ""
    classes: tuple[LabelClass, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _consistent(self) -> LabelSchema:
        for position, label in enumerate(self.classes):
            if label.index != position:
                raise ValueError(f"class number {position} has index {label.index}: indices run 0, 1, 2, ... in order")
        names = [label.name for label in self.classes]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"class names are used twice: {', '.join(repeated)}")
        if names[0] != "background":
            raise ValueError(f"class 0 is {names[0]!r}, but it must be 'background'")
        coarser = {label.name: label.merges_into for label in self.classes}
        for name in names:
            seen = [name]
            while (target := coarser[seen[-1]]) is not None:
                if target not in coarser:
                    raise ValueError(f"{seen[-1]!r} merges into {target!r}, which is not a class")
                if target in seen:
                    raise ValueError(f"merging runs in a circle: {' -> '.join([*seen, target])}")
                seen.append(target)
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return tuple(label.name for label in self.classes)

    @property
    def number_of_classes(self) -> int:
        """Background included."""
        return len(self.classes)

    @cached_property
    def _indices(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def index_of(self, name: str) -> int:
        """Index of a class by its name; upper case, blanks and hyphens do not matter.

        Raises
        ------
        MedUSISError
            UNKNOWN_LABELS, with the nearest names, when there is no such class.
        """
        index = self._indices.get(canonical_name(name))
        if index is None:
            near = difflib.get_close_matches(canonical_name(name), self.names, n=3, cutoff=0.4)
            raise MedUSISError(
                ErrorCode.UNKNOWN_LABELS,
                f"the label schema '{self.id}' has no class '{name}'",
                f"the nearest names are: {', '.join(near)}" if near else f"its classes are: {', '.join(self.names)}",
            )
        return index

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical_name(name) in self._indices

    def class_named(self, name: str) -> LabelClass:
        """The class with this name; UNKNOWN_LABELS like `index_of`."""
        return self.classes[self.index_of(name)]

    def indices_of_tissue(self, *tissues: Tissue) -> tuple[int, ...]:
        """Indices of all classes that consist of one of the tissues, for example every bone."""
        return tuple(label.index for label in self.classes if label.tissue in tissues)


def canonical_name(name: str) -> str:
    """A name as schemas write it: ``" White Matter "`` and ``"white-matter"`` become ``"white_matter"``."""
    return "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())


def available_schemas() -> list[str]:
    """Ids of the schemas that come with MedUSIS, sorted."""
    return sorted(path.stem for path in resource_path("Schemas").glob("*.json"))


def load_schema(id_or_path: str | Path) -> LabelSchema:
    """Read and check a schema: the id of one that comes with MedUSIS, or the path of a JSON file.

    Raises
    ------
    MedUSISError
        BAD_SETTING when there is no such schema or when the file breaks the rules of `LabelSchema`.
    """
    text = str(id_or_path)
    path = Path(text) if text.endswith(".json") else resource_path("Schemas", f"{text}.json")
    if not path.is_file():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "there is no such label schema",
            f"known schemas: {', '.join(available_schemas())}; or give the path of a .json file",
            path,
        )
    try:
        return LabelSchema.model_validate(parse_json(read_small_file(path)))
    except (ValueError, OSError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            reason = f"{where}: {first['msg']}" if where else str(first["msg"])
        else:
            own = isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError)
            reason = str(error) if own else "it cannot be read as JSON in UTF-8"
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the label schema is not valid: {reason}",
            "docs/how-to/add-a-label-schema.md says what a schema file holds",
            path,
        ) from error
