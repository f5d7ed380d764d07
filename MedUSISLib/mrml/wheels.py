"""Whether a folder of wheels holds everything that is missing, found out before anything is installed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from MedUSISLib.mrml.installed_packages import packaging_module


@dataclass(frozen=True)
class Wheel:
    """A wheel file; ``fits`` says whether this Python on this system can take it."""

    file: Path
    name: str
    version: Any
    fits: bool


def wheels_in(folder: Path) -> list[Wheel]:
    """The wheels of a folder, newest version first; files that are no wheels are ignored."""
    utils = packaging_module("utils")
    supported = frozenset(packaging_module("tags").sys_tags())
    found = []
    for file in folder.glob("*.whl"):
        try:
            name, version, _, tags = utils.parse_wheel_filename(file.name)
        except (utils.InvalidWheelFilename, ValueError):
            continue
        found.append(Wheel(file, str(name), version, not supported.isdisjoint(tags)))
    return sorted(found, key=lambda wheel: wheel.version, reverse=True)


def missing_wheels(
    folder: Path,
    requirements: Iterable[str],
    installed: Callable[[str], str | None],
    pinned: Iterable[str] = (),
) -> list[str]:
    """What cannot be installed from the folder, with everything that the wheels need in their turn.

    Parameters
    ----------
    folder : Path
    requirements : iterable of str
        What is to be installed.
    installed : callable
        Version of an installed package, or None.
    pinned : iterable of str
        Names of packages that stay at their installed version.

    Returns
    -------
    list of str
        Requirements that no wheel fulfils, each with the reason in brackets where it is not plain absence.
    """
    requirement_type = packaging_module("requirements").Requirement
    canonical = packaging_module("utils").canonicalize_name
    wheels = wheels_in(folder)
    fixed = {str(canonical(name)) for name in pinned}
    queue: list[tuple[Any, bool]] = [(requirement_type(text), True) for text in requirements]
    seen: set[tuple[str, str, frozenset[str]]] = set()
    missing: dict[str, str] = {}

    def conflicts(requirement: Any) -> bool:
        """Whether Slicer's own package, which stays, does not do."""
        version = installed(requirement.name)
        stays = version is not None and str(canonical(requirement.name)) in fixed
        return stays and not requirement.specifier.contains(version, prereleases=True)

    while queue:
        requirement, asked_for = queue.pop(0)
        name = str(canonical(requirement.name))
        key = (name, str(requirement.specifier), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        version = installed(requirement.name)
        if version is not None and not asked_for:
            if requirement.specifier.contains(version, prereleases=True):
                continue
            if conflicts(requirement):
                missing[name] = f"{_plain(requirement)} (Slicer has {version})"
                continue
        candidates = [w for w in wheels if w.name == name and requirement.specifier.contains(w.version, True)]
        fitting = [wheel for wheel in candidates if wheel.fits]
        if not fitting:
            missing[name] = _plain(requirement) + _reason(candidates, wheels, name)
            continue
        try:
            choices = [_needs_of(wheel.file, requirement.extras) for wheel in fitting]
        except (OSError, zipfile.BadZipFile, StopIteration):
            missing[name] = f"{_plain(requirement)} (its wheel is damaged)"
            continue
        # The newest that Slicer's own packages allow, as pip would choose
        needs = next((needs for needs in choices if not any(conflicts(need) for need in needs)), choices[0])
        queue.extend((need, False) for need in needs)
    return [missing[name] for name in sorted(missing)]


def _reason(candidates: list[Wheel], wheels: list[Wheel], name: str) -> str:
    if candidates:
        return " (its wheel is for another Python or system)"
    return " (its wheel has another version)" if any(wheel.name == name for wheel in wheels) else ""


def _plain(requirement: Any) -> str:
    """The requirement without its marker."""
    return f"{requirement.name}{requirement.specifier}"


def _needs_of(file: Path, extras: Iterable[str]) -> list[Any]:
    """What a wheel needs on this system."""
    requirement_type = packaging_module("requirements").Requirement
    with zipfile.ZipFile(file) as archive:
        inside = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(inside).decode("utf-8", errors="replace"))
    found = []
    for text in headers.get_all("Requires-Dist") or []:
        try:
            need = requirement_type(text)
        except ValueError:
            continue
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            found.append(need)
    return found
