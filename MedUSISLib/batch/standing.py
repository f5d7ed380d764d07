"""Whether a case's result stands: what the manifest believes is looked at, and what it does not know is checked."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from MedUSISLib.batch.request import SAME_FOR_ALL, BatchRequest
from MedUSISLib.output_directory import written_files
from MedUSISLib.small_files import read_small_text
from MedUSISLib.strict_json import parse_json
from MedUSISLib.synthesis.writing import FILES

_NEEDED = ("quality.json", "provenance.json", "report.html", FILES["mr"])
_BLOCK = 1 << 20


def stands(folder: Path) -> bool:
    """Whether everything that a run wrote into the folder is still there; nothing is read."""
    written = written_files(folder)
    if not set(_NEEDED) <= written:
        return False
    try:
        return all((folder / name).stat().st_size > 0 for name in written)
    except OSError:
        return False


def stands_complete(folder: Path, request: BatchRequest, labels: str | None, generator_sha256: str) -> bool:
    """Whether the folder holds a whole result of this generator with these settings, every file readable to its end.

    For a folder without the manifest's word: its worker was killed after the last step, or the power failed - then
    names may be on the disk whose content is not.

    Parameters
    ----------
    folder : Path
    request : BatchRequest
    labels : str or None
        The case's own.
    generator_sha256 : str
    """
    if not stands(folder):
        return False
    try:
        provenance = parse_json(read_small_text(folder / "provenance.json"))
        parse_json(read_small_text(folder / "quality.json"))
        wanted = request.synthesis(Path(), Path(), Path(), labels).settings()
        same = provenance["generator"]["sha256"] == generator_sha256 and all(
            provenance["settings"][name] == wanted[name] for name in SAME_FOR_ALL
        )
        return same and all(_whole(folder / name) for name in written_files(folder) if name.endswith(".gz"))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error):
        return False


def review_of(folder: Path) -> bool | None:
    """Whether the result in the folder should be looked at."""
    try:
        found = parse_json(read_small_text(folder / "quality.json")).get("review")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, bool) else None


def _whole(path: Path) -> bool:
    """Whether it can be unpacked to its end; the checksum is there. Raises what the library raises."""
    with gzip.open(path, "rb") as stream:
        while stream.read(_BLOCK):
            pass
    return True
