"""JSON that means one thing: no key twice, no NaN, no infinity, nothing deeper than anybody writes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_DEEPEST = 200
_LONGEST_NUMBER = 300
"""Digits; what has more is larger than any number that a computer calculates with."""


def parse_json(content: bytes | str) -> Any:
    """What JSON in UTF-8 holds; for files that somebody handed in.

    Python's own parser takes the last of two equal keys without a word, and NaN and 1e999 as numbers.

    Raises
    ------
    ValueError
        With the reason in words; ``json.JSONDecodeError`` where the text is no JSON.

    Examples
    --------
    >>> parse_json('{"seed": 1, "seed": 2}')
    Traceback (most recent call last):
        ...
    ValueError: 'seed' is there twice
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite, parse_int=_whole
        )
        _require_shallow(value)
        if _SURROGATE.search(text):  # halves of characters, which no file can hold
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds a half of a character") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)[:40]!r} is there twice")
    return result


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number")
    return value


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"{text[:20]}... is too large a number")
    return int(text)


def _require_shallow(value: Any) -> None:
    """What is deeper ends in a stack that is too small wherever it is copied, compared or written."""
    layer, depth = [value], 0
    while layer := [
        inner
        for one in layer
        if isinstance(one, (dict, list))
        for inner in (one.values() if isinstance(one, dict) else one)
    ]:
        depth += 1
        if depth > _DEEPEST:
            raise RecursionError
