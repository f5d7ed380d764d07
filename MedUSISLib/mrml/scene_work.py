"""What a job does with the scene, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.signal import Signal

if TYPE_CHECKING:
    from MedUSISLib.jobs.specification import JobSpecification

Warn = Callable[[str, str], None]


@dataclass(frozen=True)
class SceneWork:
    """What a job does with the scene before and after the child process.

    Parameters
    ----------
    nodes : mapping of str to vtkMRMLNode
        What the job is about, by role ("the CT"); when one goes away the job is ended.
    prepare : callable
        ``prepare(folder, warn)`` writes the files of the job into its private folder and says what the job is.
    load : callable
        ``load(folder)`` brings the result into the scene, all of it or nothing.
    weights : mapping of str to float
        Relative time of the stages, see ``time_left``.
    about : str
        What was asked for, as the first line of the log.
    put : callable, optional
        ``put(folder, warn)`` puts a result that is known already where the job would write it; True when it did, and
        then no child process is started.
    keep : callable, optional
        ``keep(folder)``: the job has succeeded, and its files are there for a moment.
    """

    nodes: Mapping[str, Any]
    prepare: Callable[[Path, Warn], JobSpecification]
    load: Callable[[Path], Any]
    weights: Mapping[str, float] = field(default_factory=dict)
    about: str = ""
    put: Callable[[Path, Warn], bool] | None = None
    keep: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class JobSignals:
    """What a job on the scene says. All signals come in the thread that started it.

    ``stage(title)``; ``progressed(done, total, eta_s)`` within the stage; ``advanced(fraction, seconds_left)`` of the
    whole, the seconds None while nobody knows; ``previewed(path)``, the file may be gone soon; ``warned(code,
    message)``; ``logged(line)``. Then one outcome: ``finished(result)``, ``failed(Failure)`` or ``cancelled()``. A job
    that ended because the scene or an input went away warns with SCENE_CLOSED or INPUT_REMOVED, then is cancelled.
    """

    stage: Signal = field(default_factory=Signal)
    progressed: Signal = field(default_factory=Signal)
    advanced: Signal = field(default_factory=Signal)
    previewed: Signal = field(default_factory=Signal)
    warned: Signal = field(default_factory=Signal)
    logged: Signal = field(default_factory=Signal)
    finished: Signal = field(default_factory=Signal)
    failed: Signal = field(default_factory=Signal)
    cancelled: Signal = field(default_factory=Signal)
