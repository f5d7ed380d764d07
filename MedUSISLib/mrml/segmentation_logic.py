"""From a CT in the scene to a segmentation of it in the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.scene_job import SceneJob, SceneJobProtocol, require_packages
from MedUSISLib.mrml.scene_work import SceneWork, Warn
from MedUSISLib.mrml.segmentation_nodes import TOOLS, labels_file, load_segmentation_of
from MedUSISLib.mrml.synthesis_logic import current_scene, place_of
from MedUSISLib.mrml.time_left import SEGMENTATION_WEIGHTS
from MedUSISLib.mrml.worker import Worker

if TYPE_CHECKING:
    from MedUSISLib.jobs.specification import JobSpecification


class SegmentationLogicProtocol(SceneJobProtocol, Protocol):
    """What a window needs to derive a segmentation; see ``SegmentationLogic``."""

    def start(self, ct: Any, tool: str = "head-seg", device: str = "auto") -> None:
        """Start a segmentation; MedUSISError when that is not possible."""


class SegmentationLogic:
    """Segments a CT in a child process, one at a time; signals and rules as in ``SynthesisLogic``.

    ``finished`` comes with the new segmentation node: its segments bear the names, colours and SNOMED terms of the
    label schema, their classes are stored, so that nothing has to be guessed, and it has the CT's transform. With
    ``head-seg`` a warning PRIOR_ONLY comes before: on a CT grey and white matter are a prior of shape.

    Parameters
    ----------
    worker : Worker, optional
    prepare : callable, optional
        ``ct_input.prepare_ct``.
    scene : callable, optional
        Gives the scene; ``slicer.mrmlScene`` by default.
    """

    def __init__(
        self,
        worker: Worker | None = None,
        prepare: Callable[[Any, Path], tuple[Path, tuple[tuple[str, str], ...]]] | None = None,
        scene: Callable[[], Any] | None = None,
    ) -> None:
        self._job = SceneJob(worker or Worker(), scene or current_scene)
        self._prepare = prepare or _prepare_ct
        signals = self._job.signals
        self.stage, self.progressed, self.advanced = signals.stage, signals.progressed, signals.advanced
        self.previewed, self.warned, self.logged = signals.previewed, signals.warned, signals.logged
        self.finished, self.failed, self.cancelled = signals.finished, signals.failed, signals.cancelled

    @property
    def running(self) -> bool:
        """True from ``start`` until the outcome is told."""
        return self._job.running

    def start(self, ct: Any, tool: str = "head-seg", device: str = "auto") -> None:
        """Start a segmentation and return when its child process runs.

        Parameters
        ----------
        ct : vtkMRMLScalarVolumeNode
        tool : {"head-seg", "totalsegmentator"}
        device : str
            auto, cpu, cuda or cuda:N.

        Raises
        ------
        MedUSISError
            BAD_SETTING (nothing selected, an unknown tool, a run is going on), DEPENDENCY_MISSING. No signal has been
            given then.
        """
        if ct is None:
            raise MedUSISError(ErrorCode.BAD_SETTING, "no CT is selected", "select a CT")
        if tool not in TOOLS:
            raise MedUSISError(ErrorCode.BAD_SETTING, "there is no such tool", f"tools are: {', '.join(TOOLS)}")
        require_packages()
        made_on = place_of(ct)

        def prepare(folder: Path, warn: Warn) -> JobSpecification:
            from MedUSISLib.jobs.specification import JobSpecification

            path, warnings = self._prepare(ct, folder)
            for code, message in warnings:
                warn(code, message)
            parameters = {"ct": str(path), "out": str(labels_file(folder)), "tool": tool, "device": device}
            return JobSpecification(kind="segment", parameters=parameters)

        work = SceneWork(
            nodes={"the CT": ct},
            prepare=prepare,
            load=lambda folder: load_segmentation_of(ct, folder, tool, made_on),
            weights=SEGMENTATION_WEIGHTS,
            about=f"settings: tool {tool}, device {device}",
        )
        self._job.start(work, "segment")

    def cancel(self) -> None:
        """End the run; ``cancelled`` follows within 2 s."""
        self._job.cancel()

    def pump(self) -> None:
        """Give out signals that wait for this thread; for callers without ``wait`` and without an event loop."""
        self._job.pump()

    def wait(self, timeout_s: float | None = None, idle: Callable[[], object] | None = None) -> bool:
        """Give out signals until the run has ended, calling ``idle`` (``slicer.app.processEvents``) meanwhile."""
        return self._job.wait(timeout_s, idle)

    def close(self) -> None:
        """End everything, without further signals; again does nothing."""
        self._job.close()

    def log_text(self) -> str:
        """What the last run said, free of the patient's names and paths."""
        return self._job.log.text()


def _prepare_ct(ct: Any, folder: Path) -> tuple[Path, tuple[tuple[str, str], ...]]:
    from MedUSISLib.mrml.ct_input import prepare_ct

    return prepare_ct(ct, folder)
