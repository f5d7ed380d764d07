"""Slicer's own ways to ask a question and to install packages, with what differs between 5.10 and 5.12."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from MedUSISLib.mrml.requirements import TORCH_REQUIREMENT

REQUESTER = "MedUSIS"


def testing() -> bool:
    """Whether Slicer runs its tests: nothing is asked or installed then."""
    application = getattr(_slicer(), "app", None)
    return bool(application is not None and application.testingEnabled())


def without_window() -> bool:
    """Whether Slicer was started without its main window (``--no-main-window``): there is nobody to ask."""
    application: Any = getattr(_slicer(), "app", None)
    try:
        return bool(application.commandOptions().noMainWindow)
    except AttributeError:
        return False


def confirmed(question: str) -> bool:
    """Ask the user."""
    return bool(_util().confirmOkCancelDisplay(question, f"{REQUESTER} - install Python packages"))


def another_installation_runs() -> bool:
    """Whether Slicer is installing packages already (Slicer 5.11 and later know)."""
    packaging = _packaging()
    return bool(packaging is not None and packaging.isPipInstallInProgress())


def ensure(requirements: Sequence[str], constraints: Path) -> None:
    """Install what is missing of the requirements from the Python Package Index; the user has been asked."""
    packaging = _packaging()
    if packaging is None:
        _util().pip_install([*requirements, "-c", str(constraints)])
        return
    packaging.pip_ensure(
        list(requirements),
        constraints=str(constraints),
        prompt_install=False,
        prompt_restart=False,
        requester=REQUESTER,
    )


def install_with(arguments: Sequence[str], constraints: Path) -> None:
    """``pip install`` with options, for what ``ensure`` cannot do."""
    packaging = _packaging()
    if packaging is None:
        _util().pip_install([*arguments, "-c", str(constraints)])
        return
    packaging.pip_install(list(arguments), constraints=str(constraints), requester=REQUESTER)


def torch_extension() -> Any | None:
    """The module PyTorchUtils of the extension PyTorch, None when that extension is not installed."""
    try:
        return importlib.import_module("PyTorchUtils")
    except ModuleNotFoundError:
        return None


def install_torch(extension: Any, constraints: Path) -> None:
    """Install the torch that fits this computer, by the extension PyTorch; the user has been asked."""
    # As a URL, because pip splits the value at spaces, and "C:/Users/Jane Doe/..." has one.
    with _environment_variable("PIP_CONSTRAINT", constraints.as_uri()):
        extension.PyTorchUtilsLogic().installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT)


def _slicer() -> Any:
    import slicer

    return slicer


def _util() -> Any:
    return importlib.import_module("slicer.util")


def _packaging() -> Any | None:
    """``slicer.packaging``, None before Slicer 5.11."""
    try:
        return importlib.import_module("slicer.packaging")
    except ModuleNotFoundError:
        return None


@contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    """Set for the child processes that are started in the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
