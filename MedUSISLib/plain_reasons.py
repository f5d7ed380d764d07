"""What pydantic found wrong with somebody's file, in plain words, with the setting that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_WORDS = {
    "extra_forbidden": "there is no such setting",
    "missing": "is missing",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "{discriminator} must be {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have no more than {max_length} entries",
    "string_pattern_mismatch": "must be written like {pattern}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be the path of a file or folder",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be settings with names, as in `name: value`",
    "model_type": "must be settings with names, as in `name: value`",
    "model_attributes_type": "must be settings with names, as in `name: value`",
}
_PATTERNS = {r"^[a-z0-9][a-z0-9._-]*$": "must be of small letters (a-z), digits, '.', '_' and '-', as in my-head-t1w"}
_NEAR = 0.6
_FEW = 12


def plain_reasons(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """One line for each place that is wrong: where, and what to write instead; without the values, which may be paths.

    Parameters
    ----------
    error : ValidationError
    model : type of BaseModel, optional
        What was validated: with it, the line of an unknown setting names the one that was meant, or those that exist.

    Examples
    --------
    >>> class Phase(BaseModel, extra="forbid"):
    ...     iterations: int
    >>> try:
    ...     Phase.model_validate({"iteratons": 3})
    ... except ValidationError as error:
    ...     plain_reasons(error, Phase)
    ['iterations: is missing', "iteratons: there is no such setting; is 'iterations' meant?"]
    """
    reasons: dict[str, list[str]] = {}
    for finding in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in finding["loc"] if not _is_type(part))
        words = _WORDS.get(finding["type"])
        known = finding.get("ctx", {})
        text = words.format(**known) if words else finding["msg"].removeprefix("Value error, ")
        text = _PATTERNS.get(known.get("pattern", ""), text)
        if finding["type"] == "extra_forbidden" and model is not None:
            text += _meant(str(finding["loc"][-1]), _fields_at(model, finding["loc"][:-1]))
        texts = reasons.setdefault(where, [])  # one for each of the forms that a value may have
        if text not in texts:
            texts.append(text)
    return [f"{where}: {' or '.join(texts)}" if where else " or ".join(texts) for where, texts in reasons.items()]


def _is_type(part: int | str) -> bool:
    """Pydantic names the form that a value was tried as, and a key, like a part of the place."""
    return isinstance(part, str) and "[" in part


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    if near:
        return f"; is '{near[0]}' meant?"
    return f"; there are: {', '.join(known)}" if 0 < len(known) <= _FEW else ""


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Names that the settings at a place may have."""
    models = [model]
    for part in place:
        inner = [one for m in models if part in m.model_fields for one in _models(m.model_fields[str(part)].annotation)]
        tagged = [m for m in models if any(field.default == part for field in m.model_fields.values())]
        models = inner or tagged or models
    return list(dict.fromkeys(name for one in models for name in one.model_fields))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models within an annotation such as ``tuple[Phase, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
