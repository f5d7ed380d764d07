"""The environment of a child process: our package first, threads that sleep, a private place for its files."""

from __future__ import annotations

import os
from pathlib import Path

from MedUSISLib.jobs.workspace import workspace_variables


def child_environment(workspace: Path) -> dict[str, str]:
    """That of this process, made fit for a child whose temporary files lie in ``workspace``."""
    package_parent = str(Path(__file__).resolve().parents[2])
    search = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    # Plugins of the ITK inside Slicer, which another ITK (SimpleITK's) would try to load.
    inherited = {name: value for name, value in os.environ.items() if name != "ITK_AUTOLOAD_PATH"}
    return {
        # OpenMP's threads wait by spinning unless they are told to sleep. Where something else uses a core (Slicer that
        # draws, say) they then keep each other from working: the sample head took 545 s instead of 23 s on two cores
        # of which one was busy. Asleep it takes 34 s, and 27 s on two free ones (Testing/Benchmarks/README.md).
        "OMP_WAIT_POLICY": "PASSIVE",
        **inherited,
        **workspace_variables(workspace),
        "PYTHONPATH": os.pathsep.join(search),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONSAFEPATH": "1",  # a file numpy.py in the user's folder must not become our numpy
    }
