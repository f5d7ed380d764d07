"""Whether torch is there and whole, found out from its files alone: it is never imported in Slicer's process.

An import can crash the application, and on Windows it locks the files that an uninstallation must remove.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

OLDEST = (2, 6)
REMOVE_HINT = (
    "Open the module PyTorch Utils (extension PyTorch), choose Uninstall PyTorch, restart Slicer, and try again. "
    "If it cannot be uninstalled there: close Slicer and delete the folders that begin with 'torch' or '~orch' "
    "from the folder site-packages of Slicer's Python."
)

_LEFTOVER = re.compile(r"^~[-~.=%0-9]*(orch|rch|ch)(-.*)?$")
"""How pip renames what it is about to remove; it stays when a file was in use."""


@dataclass(frozen=True)
class TorchState:
    """What was found.

    Parameters
    ----------
    state : str
        ``present``, ``absent``, ``broken`` or ``too old``.
    detail : str
        Why, in words; empty when there is nothing to say.
    version : str, optional
        As its installation record says.
    """

    state: str
    detail: str = ""
    version: str | None = None

    @property
    def hint(self) -> str:
        """What to do about a torch that is in the way."""
        return REMOVE_HINT if self.state in ("broken", "too old") else ""


def torch_state(search_path: Sequence[str] | None = None) -> TorchState:
    """Look at the installed torch without importing it.

    Parameters
    ----------
    search_path : sequence of str, optional
        ``sys.path`` by default.

    Returns
    -------
    TorchState
        ``present`` means that its files are complete as far as that can be seen quickly; the job kind "devices"
        imports it in a child process.

    Examples
    --------
    >>> torch_state(["/no/such/folder"]).state
    'absent'
    """
    folders = [str(entry) for entry in (sys.path if search_path is None else search_path)]
    records = _records(folders)
    package = _package(folders)
    leftovers = sorted(set(_leftovers(folders)))
    trouble = _trouble(records, package)
    if trouble:
        return TorchState("broken", _with_leftovers(trouble, leftovers))
    if package is None:
        remains = "parts of an earlier PyTorch that was not removed completely are still there" if leftovers else ""
        return TorchState("absent", remains)
    version = str(records[0].version)
    if _numbers(version) < OLDEST:
        wanted = ".".join(str(number) for number in OLDEST)
        return TorchState("too old", f"PyTorch {version} is installed; MedUSIS needs {wanted} or newer", version)
    return TorchState("present", "", version)


def _trouble(records: list[metadata.Distribution], package: Path | None) -> str:
    """What is wrong with the files; empty when nothing is, or when there is no torch at all."""
    if len(records) > 1:
        versions = ", ".join(sorted(_version(record) or "unknown" for record in records))
        return f"several versions of PyTorch are mixed ({versions})"
    if package is None:
        return "PyTorch is listed as installed, but its files are missing" if records else ""
    missing = _missing_part(package)
    if missing:
        return f"PyTorch is installed only in part ({missing})"
    if not records:
        return "files of PyTorch are there, but its installation record is missing"
    recorded = _version(records[0])
    if recorded is None:
        return "the installation record of PyTorch has no version"
    if records[0].read_text("RECORD") is None:
        return "the installation record of PyTorch is incomplete, so that it cannot be updated or removed"
    written = _written_version(package)
    if written is None:
        return "PyTorch is installed only in part (its version is missing)"
    if _numbers(written) != _numbers(recorded):
        return f"files of PyTorch {written} are mixed with those of {recorded}"
    return ""


def _records(folders: list[str]) -> list[metadata.Distribution]:
    """The installation records of torch, each folder once."""
    found: dict[str, metadata.Distribution] = {}
    for record in metadata.distributions(name="torch", path=folders):
        place = str(getattr(record, "_path", record.locate_file("")))
        found.setdefault(place, record)
    return list(found.values())


def _version(record: metadata.Distribution) -> str | None:
    """The version in the record, None where there is none (a METADATA file that is missing or empty)."""
    try:
        version = record.version
    except (KeyError, AttributeError, TypeError):
        return None
    return str(version) if version else None


def _package(folders: list[str]) -> Path | None:
    """The folder ``torch`` that an import would take; a folder without ``__init__.py`` counts, to be reported."""
    specification = PathFinder.find_spec("torch", folders)
    if specification is None:
        return None
    places = list(specification.submodule_search_locations or ())
    return Path(places[0]) if places else None


def _missing_part(package: Path) -> str:
    """The first part that every torch has and this one has not."""
    if not (package / "__init__.py").is_file():
        return "its beginning is missing"
    if not any(package.glob("_C*.so")) and not any(package.glob("_C*.pyd")):
        return "its core is missing"
    if not any(package.glob("lib/*torch_cpu.*")):
        return "its libraries are missing"
    return ""


def _written_version(package: Path) -> str | None:
    """The version that torch's own file says."""
    try:
        text = (package / "version.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", text, re.MULTILINE)
    return found.group(1) if found else None


def _leftovers(folders: list[str]) -> Iterator[str]:
    for folder in folders:
        try:
            names = [entry.name for entry in Path(folder).iterdir()] if folder else []
        except OSError:
            continue
        yield from (name for name in names if _LEFTOVER.match(name))


def _with_leftovers(trouble: str, leftovers: list[str]) -> str:
    if not leftovers:
        return trouble
    return f"{trouble}; an earlier one was not removed completely ({', '.join(leftovers[:3])})"


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])
