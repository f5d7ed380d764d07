"""Where the data files of MedUSIS lie: ``Resources`` beside the package, or inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_path(*parts: str) -> Path:
    """Path of a file or folder under ``Resources``.

    Examples
    --------
    >>> resource_path("Schemas", "head.json").name
    'head.json'
    """
    inside = _PACKAGE / "_resources"
    root = inside if inside.is_dir() else _PACKAGE.parent / "Resources"
    return root.joinpath(*parts)
