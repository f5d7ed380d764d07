"""The three stages of a synthesis as a worker of a batch does them, with its generator loaded once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.batch.manifest_file import sync
from MedUSISLib.batch.pool import CaseTask
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.leftovers import WORKSPACE_VARIABLE, remove
from MedUSISLib.private_folder import private_folder
from MedUSISLib.progress import Progress

if TYPE_CHECKING:
    from MedUSISLib.synthesis.engine import ReadCase
    from MedUSISLib.synthesis.result import SynthesisResult, SynthesisWarning


class SynthesisStages:
    """Reads, computes and writes cases; made once per worker, in which it imports torch.

    Parameters
    ----------
    request : BatchRequest
    device : str
        This worker's: "cpu", "cuda:1".
    """

    def __init__(self, request: BatchRequest, device: str) -> None:
        from MedUSISLib.synthesis.loaded_generators import LoadedGenerators

        # "auto" lets a run go on with the CPU; the device that was chosen for it must not take that away.
        allow_cpu = request.allow_cpu or request.device == "auto"
        self._request = request.model_copy(update={"device": device, "allow_cpu": allow_cpu})
        self._generators = LoadedGenerators()
        self._device = threading.Lock()
        """Held by whoever uses the device: two networks at once would take its memory twice and gain no time."""

    def prepare(self) -> None:
        """Load everything that all cases need, so that what is wrong with it is no fault of a case.

        Raises
        ------
        MedUSISError
            DEVICE_NOT_AVAILABLE, GENERATOR_NOT_FOUND, GENERATOR_CORRUPT, DEPENDENCY_MISSING (as ImportError).
        """
        import MedUSISLib.synthesis.engine  # noqa: F401
        from MedUSISLib.generators.devices import choose_device

        self._generators.get(self._request.generator, choose_device(self._request.device))

    def read(self, task: CaseTask, progress: Progress) -> ReadCase:
        """From files to a case; one that nobody segmented is segmented first."""
        from MedUSISLib.generators.loaded_bundles import give_memory_back
        from MedUSISLib.synthesis.engine import read_stage

        give_memory_back()
        with self._segmented(task, progress) as (segmentation, labels, warnings):
            request = self._request.synthesis(task.ct, segmentation, task.out, labels, task.ct_series)
            # A result that stands there without the manifest's word was looked at, and is to be replaced.
            read = read_stage(request.model_copy(update={"overwrite": True}), progress, self._generators)
        read.warnings[:0] = warnings
        return read

    def compute(self, read: ReadCase, progress: Progress) -> SynthesisResult:
        """The network."""
        from MedUSISLib.synthesis.engine import compute_stage

        try:
            with self._device:
                return compute_stage(read, progress)
        finally:
            _remove_previews()

    def write(self, computed: SynthesisResult, progress: Progress) -> dict[str, Any]:
        """Measures and writes; everything is on the disk when the manifest hears of it."""
        from MedUSISLib.synthesis.engine import write_stage

        write_stage(computed, progress)
        folder = computed.request.out
        for path in folder.iterdir():
            if path.is_file():
                sync(path)
        sync(folder)
        sync(folder.parent)
        return {"review": computed.quality.get("review"), "verdict": computed.quality.get("verdict")}

    @contextmanager
    def _segmented(
        self, task: CaseTask, progress: Progress
    ) -> Iterator[tuple[Path, str | None, list[SynthesisWarning]]]:
        """The case's segmentation, what its values mean and what its report has to say of it.

        One that is made here is gone after it was read: the result holds what the generator was given.
        """
        if task.segmentation is not None:
            yield task.segmentation, task.labels, []
            return
        tool = self._request.segment
        if tool is None:
            raise MedUSISError(ErrorCode.EMPTY_SEGMENTATION, "the CT has no segmentation", "give --segment head-seg")
        from MedUSISLib.segmentation.request import SegmentationRequest
        from MedUSISLib.segmentation.segment import segment
        from MedUSISLib.synthesis.bookkeeping import RecordingProgress

        with private_folder("segmentation") as folder:
            made = SegmentationRequest(
                ct=task.ct,
                ct_series=task.ct_series,
                tool=tool,
                device=self._request.device,
                out=folder / "segmentation.nii.gz",
            )
            recorder = RecordingProgress(progress)
            with self._device:
                segment(made, recorder, self._generators.bundles)
            yield made.out, "head" if tool == "head-seg" else "totalsegmentator", recorder.warnings


def _remove_previews() -> None:
    """Pictures of slices are for somebody who watches one case; in a batch they would pile up."""
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    if workspace:
        for folder in Path(workspace).glob("previews-*"):
            remove(folder)
