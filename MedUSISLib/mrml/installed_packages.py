"""What is installed in Slicer's Python, read from records and never by an import; and what must stay as it is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from MedUSISLib.mrml.requirements import NEEDED, SHIPPED_WITH_SLICER, STAY_WHEN_PRESENT, NeededPackage


def packaging_module(name: str) -> Any:
    """A module of the library ``packaging``: Slicer's own, otherwise the one inside pip."""
    try:
        return importlib.import_module(f"packaging.{name}")
    except ImportError:
        return importlib.import_module(f"pip._vendor.packaging.{name}")


def installed_version(name: str, search_path: Sequence[str] | None = None) -> str | None:
    """The version of a package, None when it is not installed or its record is damaged.

    Examples
    --------
    >>> installed_version("no-such-package") is None
    True
    """
    folders = list(sys.path if search_path is None else search_path)
    for record in metadata.distributions(name=name, path=folders):
        try:
            return str(record.version)
        except (KeyError, AttributeError, TypeError):
            return None
    return None


def missing_packages(
    search_path: Sequence[str] | None = None, needed: Sequence[NeededPackage] = NEEDED
) -> tuple[NeededPackage, ...]:
    """Those of ``needed`` that are not installed, too old, or recorded without their files."""
    return tuple(package for package in needed if not _is_there(package, search_path))


def half_installed(packages: Sequence[NeededPackage], search_path: Sequence[str] | None = None) -> list[str]:
    """Names of those whose record says that they are there: pip would see nothing to do."""
    requirement = packaging_module("requirements").Requirement
    found = []
    for package in packages:
        version = installed_version(package.name, search_path)
        if version is not None and requirement(package.requirement).specifier.contains(version, prereleases=True):
            found.append(package.requirement)
    return found


def _is_there(package: NeededPackage, search_path: Sequence[str] | None) -> bool:
    version = installed_version(package.name, search_path)
    if version is None:
        return False
    if package.requirement != package.name:
        requirement = packaging_module("requirements").Requirement(package.requirement)
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    folders = list(sys.path if search_path is None else search_path)
    specification = PathFinder.find_spec(package.module, folders)
    return specification is not None and specification.origin is not None


def all_versions(search_path: Sequence[str] | None = None) -> dict[str, str]:
    """Every installed package, its name as pip compares it (``typing-extensions``), and its version."""
    canonical = packaging_module("utils").canonicalize_name
    found: dict[str, str] = {}
    for record in metadata.distributions(path=list(sys.path if search_path is None else search_path)):
        try:
            found.setdefault(str(canonical(record.metadata["Name"])), str(record.version))
        except (KeyError, AttributeError, TypeError):
            continue
    return found


def write_constraints(file: Path, versions: Mapping[str, str]) -> None:
    """Write a constraints file for pip that keeps Slicer's packages, and torch, at the installed version.

    Parameters
    ----------
    file : Path
    versions : mapping of str to str
        As ``all_versions`` gives them. A version that pip could not read is left out.
    """
    parse = packaging_module("version").Version
    invalid = packaging_module("version").InvalidVersion
    lines = []
    for name in (*SHIPPED_WITH_SLICER, *STAY_WHEN_PRESENT):
        if name not in versions:
            continue
        try:
            lines.append(f"{name}=={parse(versions[name])}")
        except invalid:
            continue
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def changed_while_loaded(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Packages whose old version is in memory: they were imported in this session and replaced since."""
    canonical = packaging_module("utils").canonicalize_name
    changed = {name for name, version in before.items() if name in after and after[name] != version}
    if not changed:
        return []
    loaded = set()
    for module, names in metadata.packages_distributions().items():
        if module in sys.modules:
            loaded |= {str(canonical(name)) for name in names}
    return sorted(changed & loaded)
