"""A result on the disk: its maps and its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE
from MedUSISLib.synthesis.writing import FILES

_LARGEST_JSON = 4 * 1024 * 1024
LABEL_MAPS = ("mask_consistency", "labels")


def read_provenance(folder: Path) -> dict[str, Any]:
    """provenance.json of a result.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when the folder holds no result of MedUSIS.
    """
    path = folder / "provenance.json"
    try:
        value = parse_json(read_small_file(path, _LARGEST_JSON))
    except (OSError, ValueError):
        value = None
    if not isinstance(value, dict) or value.get("notice") != SYNTHETIC_NOTICE:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the result has no provenance.json that can be read",
            "give the folder that medusis synthesize wrote",
            path,
        )
    for part in ("generator", "inputs"):
        if not isinstance(value.get(part), dict):
            value[part] = {}
    return value


def has_map(folder: Path, name: str) -> bool:
    """Whether a result holds a map; some are optional."""
    return (folder / FILES[name]).is_file()


def read_map(folder: Path, name: str) -> Volume:
    """A map of a result, a key of ``synthesis.writing.FILES``.

    Raises
    ------
    MedUSISError
        As ``read_volume`` and ``read_label_map``; INPUT_NOT_READABLE for label values beyond 0..255.
    """
    role = f"the part '{name}' of the result"
    if name not in LABEL_MAPS:
        return read_volume(folder / FILES[name], role)
    labels = read_label_map(folder / FILES[name], role)
    if labels.array_kji.min() < 0 or labels.array_kji.max() > 255:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE, f"{role} holds values beyond 0..255", "make the result again", folder
        )
    return labels
