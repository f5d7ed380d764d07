"""Installing what Slicer does not bring: the user is asked once, with what, why and how large."""

from __future__ import annotations

import importlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml import slicer_pip
from MedUSISLib.mrml.installation_status import DependencyStatus, dependency_status
from MedUSISLib.mrml.installed_packages import (
    all_versions,
    changed_while_loaded,
    half_installed,
    installed_version,
    missing_packages,
    write_constraints,
)
from MedUSISLib.mrml.requirements import (
    NEEDED,
    SHIPPED_WITH_SLICER,
    STAY_WHEN_PRESENT,
    TORCH_REQUIREMENT,
    NeededPackage,
)
from MedUSISLib.mrml.torch_state import torch_state
from MedUSISLib.mrml.wheels import missing_wheels

__all__ = ["DependencyStatus", "Installation", "InstallationDeclined", "InstallationProtocol"]

_logger = logging.getLogger(__name__)

GET_EXTENSION = (
    "Open View > Extensions Manager, install the extension PyTorch, restart Slicer, and try again. "
    "Without internet: choose a folder with wheels that holds torch, too."
)
NO_NETWORK = (
    "Check the internet connection and proxy; details are in Slicer's Python console. "
    "Without internet: choose a folder with wheels (see docs/installation.md)."
)


class InstallationDeclined(MedUSISError):
    """The user said no; nothing was changed."""

    def __init__(self, *details: object) -> None:
        super().__init__(
            ErrorCode.DEPENDENCY_MISSING,
            "nothing was installed, because you declined",
            "MedUSIS can install the packages whenever you start a synthesis again.",
        )


class InstallationProtocol(Protocol):
    """What the module's window needs."""

    def status(self) -> DependencyStatus:
        """What is there and what is missing; quick, imports nothing."""

    def install(self, wheels: Path | None = None) -> DependencyStatus:
        """Ask once and install what is missing; see ``Installation.install``."""


class Installation:
    """The packages in Slicer's Python.

    ``status`` reads the installation records and can be called at any time. ``install`` first finds every reason why
    it could not succeed - a torch that is broken, the extension PyTorch that is not there, wheels that are missing -
    and says it before anything is changed. Then it asks one question for everything. torch comes from the extension
    PyTorch, which knows the build for this computer's card; the rest from ``slicer.packaging`` (Slicer 5.12) or
    ``slicer.util.pip_install`` (5.10). A constraints file keeps every package that Slicer brings at its version.

    Parameters
    ----------
    search_path : sequence of str, optional
        Where packages are looked for; ``sys.path`` by default.
    needed : sequence of NeededPackage
        What is needed beside torch; for trainings ``(*NEEDED, *TRAINING)``.
    with_torch : bool
        False where no torch is needed (reader studies).

    Examples
    --------
    At the moment of use, never at import::

        installation = Installation()
        if not installation.status().complete:
            installation.install()
    """

    def __init__(
        self,
        search_path: Sequence[str] | None = None,
        needed: Sequence[NeededPackage] = NEEDED,
        with_torch: bool = True,
    ) -> None:
        self._search_path = search_path
        self._needed = tuple(needed)
        self._with_torch = with_torch
        self._restart_needed = False

    def status(self) -> DependencyStatus:
        """What is there and what is missing."""
        return dependency_status(self._search_path, self._restart_needed, self._needed, self._with_torch)

    def install(self, wheels: Path | None = None) -> DependencyStatus:
        """Ask the user once and install what is missing.

        Parameters
        ----------
        wheels : Path, optional
            A folder of wheels, torch among them: nothing is downloaded then.

        Returns
        -------
        DependencyStatus
            Complete; ``restart_needed`` when packages that are in memory were replaced.

        Raises
        ------
        InstallationDeclined
            When the user says no.
        MedUSISError
            DEPENDENCY_MISSING, with what stands in the way and what to do.
        """
        status = self.status()
        if status.complete:
            return status
        self._check(status, wheels)
        if not slicer_pip.confirmed(_question(status, wheels)):
            raise InstallationDeclined
        before = all_versions(self._search_path)
        try:
            with tempfile.TemporaryDirectory(prefix="medusis-") as folder:
                constraints = Path(folder) / "constraints.txt"
                if wheels is not None:
                    self._install_from_folder(wheels, status, constraints)
                else:
                    self._install_online(status, constraints)
        finally:
            importlib.invalidate_caches()
            changed = changed_while_loaded(before, all_versions(self._search_path))
            if changed:
                _logger.info("updated while loaded, a restart is needed: %s", ", ".join(changed))
                self._restart_needed = True
        return self._complete_or_error()

    def _check(self, status: DependencyStatus, wheels: Path | None) -> None:
        """Raise for every reason that can be known before anything is changed."""
        if status.torch in ("broken", "too old"):
            raise _error(f"PyTorch cannot be used: {status.torch_detail}", status.torch_hint)
        if slicer_pip.testing():
            raise _error("packages are missing, and nothing is installed while Slicer runs tests")
        if slicer_pip.without_window():
            raise _error(
                f"packages are missing, and there is no window to ask in. {status.sentence}",
                "Start Slicer with its window once and install them in the module MedUSIS.",
            )
        if slicer_pip.another_installation_runs():
            raise _error("Slicer is installing other packages", "Wait until that is done and try again.")
        if wheels is not None:
            self._check_wheels(wheels, status)
        elif status.torch == "absent" and slicer_pip.torch_extension() is None:
            raise _error("PyTorch is missing, and so is the extension that installs it", GET_EXTENSION)

    def _check_wheels(self, folder: Path, status: DependencyStatus) -> None:
        if not folder.is_dir():
            raise _error("the folder with wheels is not there", "Choose another folder.", folder)
        lacking = missing_wheels(
            folder,
            _wanted(status),
            lambda name: installed_version(name, self._search_path),
            (*SHIPPED_WITH_SLICER, *STAY_WHEN_PRESENT),
        )
        if lacking:
            raise _error(
                f"the folder lacks these wheels: {', '.join(lacking)}",
                "Fill the folder as docs/installation.md says, for this system and this Python. Nothing was changed.",
                folder,
            )

    def _install_from_folder(self, folder: Path, status: DependencyStatus, constraints: Path) -> None:
        write_constraints(constraints, all_versions(self._search_path))
        arguments = ["--no-index", "--find-links", str(folder.resolve())]
        self._repair(arguments, constraints)
        try:
            slicer_pip.install_with([*arguments, *_wanted(status)], constraints)
        except Exception as error:
            _logger.exception("installing from the folder failed")
            raise _error(
                "the packages could not be installed from the folder", "Details are in Slicer's Python console."
            ) from error

    def _install_online(self, status: DependencyStatus, constraints: Path) -> None:
        if status.torch == "absent":
            write_constraints(constraints, all_versions(self._search_path))
            self._install_torch(constraints)
        if not status.missing:
            return
        importlib.invalidate_caches()
        write_constraints(constraints, all_versions(self._search_path))  # keeps the new torch, too
        self._repair([], constraints)
        try:
            slicer_pip.ensure(status.missing, constraints)
        except Exception as error:  # CalledProcessError from pip, RuntimeError when PythonSlicer is not found
            _logger.exception("installing packages failed")
            raise _error("the Python packages could not be installed", NO_NETWORK) from error

    def _install_torch(self, constraints: Path) -> None:
        """By the extension, which imports torch when it is done: a failure of that import alone is not the end."""
        extension = slicer_pip.torch_extension()
        problem: Exception | None = None
        try:
            slicer_pip.install_torch(extension, constraints)
        except Exception as error:
            _logger.exception("the extension PyTorch reports an error")
            problem = error
        importlib.invalidate_caches()
        state = torch_state(self._search_path)
        if state.state == "present":
            return
        if state.state == "absent":
            raise _error("PyTorch could not be installed", NO_NETWORK) from problem
        raise _error(f"PyTorch could not be installed: {state.detail}", state.hint) from problem

    def _repair(self, options: Sequence[str], constraints: Path) -> None:
        """Packages that have a record but no files: pip sees nothing to do unless it is told to install anyway."""
        broken = half_installed(missing_packages(self._search_path, self._needed), self._search_path)
        if broken:
            try:
                slicer_pip.install_with([*options, "--ignore-installed", "--no-deps", *broken], constraints)
            except Exception as error:
                _logger.exception("repairing packages failed")
                raise _error("damaged Python packages could not be repaired", NO_NETWORK) from error

    def _complete_or_error(self) -> DependencyStatus:
        importlib.invalidate_caches()
        status = self.status()
        if not status.complete:
            lacking = [*status.missing, *(["torch"] if status.torch != "present" else [])]
            reason = f" ({status.torch_detail})" if status.torch_detail else ""
            raise _error(
                f"after the installation these are still missing: {', '.join(lacking)}{reason}",
                status.torch_hint or "Restart Slicer and try again; details are in Slicer's Python console.",
            )
        return status


def _wanted(status: DependencyStatus) -> list[str]:
    """Everything that is missing, torch first."""
    torch = [f"torch{TORCH_REQUIREMENT}"] if status.torch == "absent" else []
    return [*torch, *status.missing]


def _question(status: DependencyStatus, wheels: Path | None) -> str:
    source = "They are downloaded" if wheels is None else "Nothing is downloaded: they are taken from your folder"
    return (
        f"{status.sentence}\n\n{source} and installed into Slicer's own Python; this takes some minutes. "
        "What Slicer brings stays as it is, and nothing about you or your data is sent.\n\nInstall them now?"
    )


def _error(message: str, hint: str = "", path: Path | None = None) -> MedUSISError:
    return MedUSISError(ErrorCode.DEPENDENCY_MISSING, message, hint, path)
