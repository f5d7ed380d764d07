"""JSON files of a study: validated models with a version, older versions brought up to date, stable hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
ReaderId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RandomName = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""From the content of one version to that of the next; ``version`` itself is raised by the caller."""

_MAXIMUM_BYTES = 64 * 1024 * 1024


class Part(BaseModel):
    """A part of a file of a study: nothing unknown in it, not changed after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=BaseModel)


def parse_versioned(
    content: bytes, model: type[M], migrations: Mapping[int, Migration], role: str, path: Path | None = None
) -> M:
    """A model from JSON of its own or an earlier version.

    Parameters
    ----------
    content : bytes
        A JSON object with a whole number ``version``.
    model : type
        Its ``version`` field has the current version as default.
    migrations : mapping
        ``migrations[n]`` brings version n to n + 1.
    role : str
        How messages call the file: "the protocol".

    Raises
    ------
    MedUSISError
        BAD_SETTING when it is no JSON, of a later version, or not valid. Values are not repeated: they may be names.
    """
    current = int(model.model_fields["version"].default)
    try:
        data = parse_json(content)
        version = data.get("version") if isinstance(data, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ValueError("it has no version")
        if version > current:
            raise ValueError(f"it has version {version}, this MedUSIS knows up to {current}; install a newer MedUSIS")
        while version < current:
            data = {**migrations[version](data), "version": version + 1}
            version += 1
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        reason = first_reason(error)
    except json.JSONDecodeError:
        reason = "it is no JSON"
    except ValueError as error:
        reason = str(error)
    raise MedUSISError(ErrorCode.BAD_SETTING, f"{role} is not valid ({reason})", "repair or replace it", path=path)


def read_versioned(path: str | Path, model: type[M], migrations: Mapping[int, Migration], role: str) -> M:
    """As ``parse_versioned``, from a file; INPUT_NOT_READABLE when it is not there or too large."""
    path = Path(path)
    try:
        content = read_small_file(path, _MAXIMUM_BYTES)
    except OSError:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, f"{role} cannot be read", "check the path", path=path
        ) from None
    return parse_versioned(content, model, migrations, role, path)


def first_reason(error: ValidationError) -> str:
    """The place and the rule of the first thing that is wrong, without the value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def to_json(model: BaseModel) -> str:
    """Readable JSON, ending in a newline; the same model gives the same text."""
    return json.dumps(model.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def fingerprint(model: BaseModel) -> str:
    """SHA-256 of a model's content, whatever the layout of the file it came from.

    Examples
    --------
    >>> class Small(Part):
    ...     version: int = 1
    >>> fingerprint(Small()) == fingerprint(Small(version=1))
    True
    """
    return sha256_of_json(model.model_dump(mode="json"))


def sha256_of_json(value: Any) -> str:
    """SHA-256 of a value as JSON with sorted names and without spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
