"""The job "install-generator": ``install_generator`` with a request, and an answer that fits into an event."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.generators.requests import InstallRequest
from MedUSISLib.progress import Progress


@dataclass(frozen=True)
class Installed:
    """What was installed, and where."""

    id: str
    version: str
    directory: Path

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {"id": self.id, "version": self.version, "directory": str(self.directory)}


def install(request: InstallRequest, progress: Progress) -> Installed:
    """Install a generator into the user's generator folder: verified first, put in place in one step.

    Raises
    ------
    MedUSISError
        As ``install_generator``.
    """
    from MedUSISLib.generators.install import install_generator

    bundle = install_generator(request.source, replace=request.replace, sha256=request.sha256, progress=progress)
    return Installed(bundle.manifest.id, bundle.manifest.version, Path(bundle.directory))
