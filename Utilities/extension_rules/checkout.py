"""What is checked, and what a check says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

PLACEHOLDER = "OWNER"
"""Stands for the account that the repository will be published under."""

Level = Literal["ok", "release", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One rule: kept (``ok``), to be done at the release (``release``), or broken (``wrong``)."""

    level: Level
    rule: str
    text: str = ""


def judge(rule: str, offenders: Iterable[object], release: bool = False) -> Finding:
    """``ok`` when there is no offender.

    Examples
    --------
    >>> judge("even numbers", [n for n in (2, 3) if n % 2])
    Finding(level='wrong', rule='even numbers', text='3')
    """
    said = "; ".join(str(offender) for offender in offenders)
    if not said:
        return Finding("ok", rule)
    return Finding("release" if release else "wrong", rule, said)


@dataclass(frozen=True)
class Checkout:
    """A clone of the repository.

    Parameters
    ----------
    root : Path
    """

    root: Path

    @property
    def entry_path(self) -> Path:
        """The file that goes into the Extensions Index; its name is the name of the extension."""
        return self.root / "Resources" / "ExtensionsIndex" / "MedUSIS.json"

    @cached_property
    def entry(self) -> dict[str, Any]:
        """Its content."""
        return json.loads(self.entry_path.read_text(encoding="utf-8"))

    @cached_property
    def cmake(self) -> str:
        """The top CMakeLists.txt without its comments."""
        return re.sub(r"(?m)^\s*#.*$", "", self.text("CMakeLists.txt"))

    @cached_property
    def variables(self) -> dict[str, str]:
        """``EXTENSION_*`` as the Index's bot finds them."""
        return dict(re.findall(r'set\s*\(EXTENSION_(\w+)\s*"([^"]*)"\s*\)', self.cmake))

    @cached_property
    def modules(self) -> list[str]:
        """Names of the scripted modules: folders that the build enters and whose own build makes a module."""
        names = re.findall(r"add_subdirectory\(\s*(\w+)\s*\)", self.cmake)
        return [name for name in names if "slicerMacroBuildScriptedModule(" in self.text(f"{name}/CMakeLists.txt")]

    @cached_property
    def tracked(self) -> list[str]:
        """What git knows and what still exists, as paths from the root."""
        done = subprocess.run(["git", "ls-files", "-z"], cwd=self.root, capture_output=True, check=True)
        return [name for name in done.stdout.decode().split("\0") if name and (self.root / name).is_file()]

    def text(self, name: str) -> str:
        """A text file of the checkout."""
        return (self.root / name).read_text(encoding="utf-8")

    def file_of_url(self, url: str) -> Path | None:
        """The file that a raw URL of this repository and branch will show; None for any other URL."""
        parts = re.fullmatch(r"https://raw\.githubusercontent\.com/([^/]+)/([^/]+)/([^/]+)/(.+)", url)
        if parts is None or f"{parts[1]}/{parts[2]}" != self.slug or parts[3] != self.entry.get("scm_revision"):
            return None
        return self.root / parts[4]

    @property
    def slug(self) -> str:
        """owner/repository."""
        return re.sub(r"^https://github\.com/|\.git$", "", str(self.entry.get("scm_url", "")))
