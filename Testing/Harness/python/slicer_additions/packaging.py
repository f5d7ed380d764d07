"""`slicer.packaging`: checks what is installed for real, records what would be installed, installs nothing.

What a test sees is `slicer_window.pip` (slicer_harness/pip_calls.py).
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import slicer
import slicer.util
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from slicer_harness.pip_calls import pip_calls

Requirements = str | Requirement | list[str | Requirement]


def load_requirements(path: str | Path) -> list[Requirement]:
    """The requirements of a requirements.txt; comments and pip's options are left out."""
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def load_pyproject_dependencies(path: str | Path) -> list[Requirement]:
    """`[project.dependencies]` of a pyproject.toml. Raises KeyError without a [project] table."""
    project = tomllib.loads(Path(path).read_text())["project"]
    return [Requirement(dependency) for dependency in project.get("dependencies", [])]


def pip_check(req: Requirements, _seen: Any = None) -> bool:
    """Whether all requirements are met. Extras are not looked into here."""
    return all(_is_met(requirement) for requirement in _parse(req))


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if canonicalize_name(requirement.name) in {canonicalize_name(name) for name in pip_calls.missing}:
        return False
    try:
        return version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        return False


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Install what is missing, after asking. In testing mode nothing happens, unless `skip_in_testing` is False.

    Raises
    ------
    RuntimeError
        The user declined.
    """
    missing = [requirement for requirement in _parse(requirements) if not _is_met(requirement)]
    names = [str(requirement) for requirement in missing]
    pip_calls.record("pip_ensure", [str(r) for r in _parse(requirements)], missing=names, requester=requester)
    if not missing:
        return None
    if skip_in_testing and slicer.app.testingEnabled():
        logging.info("Testing mode is enabled: skipping pip_ensure for %s", names)
        return None
    if prompt_install:
        question = f"{len(missing)} Python packages need to be installed.\n\nContinue?"
        title = f"{requester} - Install Python Packages" if requester else "Install Python Packages"
        if not slicer.util.confirmOkCancelDisplay(question, title, detailedText="\n".join(names)):
            raise RuntimeError("User declined package installation")
    return pip_install(names, constraints=constraints, skip_packages=skip_packages, requester=requester)


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    blocking: bool = True,
    show_progress: bool = True,
    requester: str | None = None,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> list[str] | None:
    """Recorded. Packages in `pip_calls.missing` are there afterwards; `pip_calls.error` is raised once."""
    if no_deps_requirements is not None and skip_packages is not None:
        raise ValueError("no_deps_requirements and skip_packages are mutually exclusive")
    pip_calls.record("pip_install", requirements, constraints=constraints, no_deps_requirements=no_deps_requirements)
    error, pip_calls.error = pip_calls.error, None
    if error is not None:
        raise error
    words = requirements.split() if isinstance(requirements, str) else requirements
    installed = {canonicalize_name(Requirement(w).name) for w in words if not w.startswith("-") and "/" not in w}
    pip_calls.missing = {name for name in pip_calls.missing if canonicalize_name(name) not in installed}
    if completedCallback is not None and not blocking:
        completedCallback(0)
    return None if skip_packages is None else list(skip_packages)


def pip_uninstall(
    requirements: str | list[str],
    blocking: bool = True,
    logCallback: Callable[[str], None] | None = None,
    completedCallback: Callable[[int], None] | None = None,
) -> None:
    pip_calls.record("pip_uninstall", requirements)


def _parse(requirements: Requirements) -> list[Requirement]:
    if isinstance(requirements, Requirement):
        return [requirements]
    words = requirements.split() if isinstance(requirements, str) else requirements
    return [word if isinstance(word, Requirement) else Requirement(word) for word in words]
