"""A private folder for one job: its job file and every temporary file, gone when the job is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from MedUSISLib.leftovers import WORKSPACE_VARIABLE, remove_leftovers
from MedUSISLib.private_folder import PREFIX, in_use, private_folder

PRIVATE_VARIABLE = "MEDUSIS_PRIVATE"
"""Names a folder of the launcher's own, with the inputs of the job, that must not outlive the launcher."""

_TEMPORARY_VARIABLES = ("TMPDIR", "TEMP", "TMP")
JOB_VARIABLES = (WORKSPACE_VARIABLE, PRIVATE_VARIABLE, *_TEMPORARY_VARIABLES)
"""By these a launcher tells a job where its temporary files and its inputs are."""


@contextmanager
def private_workspace() -> Iterator[Path]:
    """A new folder that only this user can open (0700); removed with everything that its job left elsewhere."""
    with private_folder() as workspace:
        yield workspace


def workspace_variables(workspace: Path) -> dict[str, str]:
    """Environment that makes a child process keep its temporary files in ``workspace``."""
    return {WORKSPACE_VARIABLE: str(workspace), **dict.fromkeys(_TEMPORARY_VARIABLES, str(workspace))}


def remove_what_the_launcher_left() -> None:
    """Remove the workspace and the launcher's private folder: for a job whose launcher can do it no more."""
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    if workspace:
        remove_leftovers(Path(workspace))
    for folder in filter(None, (workspace, os.environ.get(PRIVATE_VARIABLE))):
        if Path(folder).name.startswith(PREFIX):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def job_workspace() -> Iterator[Path]:
    """The workspace of this process: the one its launcher made, otherwise an own one (``run`` called by hand)."""
    given = os.environ.get(WORKSPACE_VARIABLE)
    if given and Path(given).is_dir():
        with in_use(Path(given)):
            yield Path(given)
        return
    before = {name: os.environ.get(name) for name in (WORKSPACE_VARIABLE, *_TEMPORARY_VARIABLES)}
    with private_workspace() as workspace:
        os.environ.update(workspace_variables(workspace))
        tempfile.tempdir = str(workspace)
        try:
            yield workspace
        finally:
            tempfile.tempdir = None
            _set_back(before)


@contextmanager
def job_variables(variables: Mapping[str, str], names: Collection[str]) -> Iterator[None]:
    """In this block the environment variables called ``names`` are those of a job.

    For a process that does several jobs, each with a workspace of its own. What ``variables`` does not hold is not
    set; only the place for temporary files stays as it is.
    """
    before = {name: os.environ.get(name) for name in names}
    for name in names:
        if name in variables:
            os.environ[name] = variables[name]
        elif name not in _TEMPORARY_VARIABLES:
            os.environ.pop(name, None)
    tempfile.tempdir = None  # found anew from the variables
    try:
        yield
    finally:
        tempfile.tempdir = None
        _set_back(before)


def _set_back(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
