"""The job "install-generator": ``install_generator`` with a request, and an answer that fits into an event."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.requests import InstallRequest
from MedUSISLib.progress import Progress

if TYPE_CHECKING:
    from MedUSISLib.generators.terms import Terms


@dataclass(frozen=True)
class Installed:
    """What was installed, and where."""

    id: str
    version: str
    directory: Path

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {"id": self.id, "version": self.version, "directory": str(self.directory)}


@dataclass(frozen=True)
class Asked:
    """Nothing was installed: these terms are to be accepted first."""

    terms: Terms

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return self.terms.summary()


def install(request: InstallRequest, progress: Progress) -> Installed | Asked:
    """Install a generator into the user's generator folder: verified first, put in place in one step.

    A generator that is not installed yet, and whose terms are not in the request, is only looked at: the answer is its
    terms. What was downloaded is kept for an hour, so that the second job, with ``accept``, need not do it again.

    Raises
    ------
    MedUSISError
        As ``install_generator``.
    """
    from MedUSISLib.generators.install import install_generator
    from MedUSISLib.generators.terms import TermsNotAccepted

    try:
        bundle = install_generator(
            request.source,
            replace=request.replace,
            sha256=request.sha256,
            progress=progress,
            accept=lambda terms: request.accept in ("yes", terms.sha256),
        )
    except TermsNotAccepted as error:
        if request.accept is None:
            return Asked(error.terms)
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            "this is not the generator whose licence was accepted: it has changed since",
            "begin again, and read its licence again",
        ) from None
    return Installed(bundle.manifest.id, bundle.manifest.version, Path(bundle.directory))
