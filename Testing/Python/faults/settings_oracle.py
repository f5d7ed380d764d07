"""Whether settings that were taken are those in the file: strictly read JSON beside the validated model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def strict(content: bytes) -> Any:
    """JSON in UTF-8 without keys that are there twice, NaN and numbers beyond a double; AssertionError otherwise."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys), f"a key is there twice: {max(keys, key=keys.count)[:40]!r}"
        return dict(pairs)

    def finite(text: str) -> float:
        value = float(text)
        assert math.isfinite(value), f"the number {text[:20]} is none"
        return value

    try:
        return json.loads(
            content.decode("utf-8-sig"), object_pairs_hook=once, parse_float=finite, parse_constant=finite
        )
    except (ValueError, RecursionError) as error:
        raise AssertionError(f"no JSON: {type(error).__name__}") from None


def require_taken(raw: Any, taken: Any, where: str = "") -> None:
    """Every value of the file is in the model, as it is or as the same number or path; every number is finite."""
    if isinstance(raw, Mapping) and isinstance(taken, Mapping):
        own = {str(key).strip(): value for key, value in taken.items()}
        for key, value in raw.items():
            assert key.strip() in own, f"{where}.{key[:40]} was not taken"
            require_taken(value, own[key.strip()], f"{where}.{key[:40]}")
    elif isinstance(raw, list) and isinstance(taken, Sequence) and not isinstance(taken, str):
        assert len(raw) == len(taken), f"{where}: {len(raw)} entries, taken {len(taken)}"
        for number, (one, other) in enumerate(zip(raw, taken, strict=True)):
            require_taken(one, other, f"{where}.{number}")
    else:
        assert _same(raw, taken), f"{where}: {str(raw)[:60]!r} was taken as {str(taken)[:60]!r}"


def require_finite(value: Any, where: str = "") -> None:
    """No NaN and no infinity anywhere."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            require_finite(inner, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            require_finite(inner, where)
    elif isinstance(value, float):
        assert math.isfinite(value), f"{where} is {value}"


def _same(raw: Any, taken: Any) -> bool:
    if raw == taken or str(raw) == str(taken) or (isinstance(raw, str) and Path(raw) == Path(str(taken))):
        return True
    if isinstance(taken, bool):
        return str(raw).strip().lower() in (("1", "true", "yes", "on", "t", "y", "1.0") if taken else
                                            ("0", "false", "no", "off", "f", "n", "0.0"))  # fmt: skip
    if isinstance(taken, (int, float)) and isinstance(raw, (int, float, str)):
        try:
            return float(raw) == float(taken)
        except (ValueError, OverflowError):
            return False
    return isinstance(raw, str) and isinstance(taken, str) and raw.strip().lower() == taken.lower()
