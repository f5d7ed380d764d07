"""Jobs that have nothing to do with the scene: devices, a generator to install, data to look through, DICOM files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.events import Failure, Result
from MedUSISLib.mrml.batch_found import Found, read_found
from MedUSISLib.mrml.hints import for_the_window
from MedUSISLib.mrml.job_run import JobRun
from MedUSISLib.mrml.run_folder import RunFolder
from MedUSISLib.mrml.scene_job import as_named, require_packages
from MedUSISLib.mrml.stage_titles import stage_title
from MedUSISLib.mrml.worker import Worker

OnDone = Callable[[Any], object]
OnError = Callable[[Failure], object]
OnProgress = Callable[[int, int, float | None], object]
OnStage = Callable[[str], object]
Cancel = Callable[[], object]


class BackgroundJobs:
    """Small jobs in child processes, each with a function for its result and one for its failure.

    Both are called in the thread that started the job: by the event loop, or by ``wait`` where there is none. An
    error at the start goes to ``on_error`` too, so a caller needs no second way. Several may run at a time.

    Parameters
    ----------
    worker : Worker, optional
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker = worker or Worker()
        self._runs: list[JobRun] = []

    @property
    def running(self) -> bool:
        """Whether any job runs."""
        return bool(self._runs)

    def find_devices(self, on_done: OnDone, on_error: OnError | None = None) -> None:
        """List what a network can run on: ``on_done({"torch": version, "devices": [...]})``."""
        self._start("devices", {}, on_done, on_error)

    def install_generator(
        self,
        source: str | Path,
        on_done: OnDone,
        on_error: OnError | None = None,
        sha256: str | None = None,
        replace: bool = False,
        on_progress: OnProgress | None = None,
        accept: str | None = None,
    ) -> None:
        """Install a generator from a folder, a zip file or an https address.

        ``on_done({"id": ..., "version": ..., "directory": ...})``. Without ``accept`` nothing new is installed, but
        ``on_done({"terms": ..., "licence_text": ..., "sha256": ..., "id": ...})`` tells what is to be accepted: the
        second call then gives that sha256, or "yes" for a generator of the user's own.
        """
        parameters = {"source": str(source), "sha256": sha256, "replace": replace, "accept": accept}
        self._start("install-generator", parameters, on_done, on_error, on_progress)

    def scan_dataset(
        self,
        parameters: Mapping[str, Any],
        on_done: OnDone,
        on_error: OnError,
        on_progress: OnProgress | None = None,
        on_stage: OnStage | None = None,
    ) -> Cancel:
        """Scan folders for training data; parameters as ``dataset.request.ScanRequest``. Returns how to cancel it.

        ``on_done({"people": ..., "files": ..., "cases": ...})``; ``on_stage`` hears titles for a person.
        """

        def tell(name: str) -> None:
            if on_stage is not None:
                on_stage(stage_title(name, "scan-dataset"))

        return self._start("scan-dataset", parameters, on_done, on_error, on_progress, tell)

    def estimate_training(self, parameters: Mapping[str, Any], on_done: OnDone, on_error: OnError) -> Cancel:
        """Check the data of a training and estimate it; parameters as of the job "train". Returns how to cancel it.

        ``on_done({"memory_bytes": ..., "free_bytes": ..., "seconds": ..., "device": ...})``.
        """
        return self._start("estimate-training", parameters, on_done, on_error)

    def look_for_cases(
        self,
        parameters: Mapping[str, Any],
        on_done: Callable[[Found], object],
        on_error: OnError,
        on_progress: OnProgress | None = None,
        on_stage: OnStage | None = None,
    ) -> Cancel:
        """See which cases a batch would have; parameters as ``batch_logic.parameters``. Returns how to cancel it.

        ``on_done(Found)``. What was found names patients, perhaps, and goes through the private folder of the run.
        """

        def tell(name: str) -> None:
            if on_stage is not None:
                on_stage(stage_title(name, "batch"))

        try:
            folder = RunFolder()
        except OSError as error:
            on_error(Failure.of(as_named(error)))
            return lambda: None
        file = folder.path / "found.json"
        asked = {**parameters, "out": str(folder.path / "none"), "dry_run": True, "found": str(file)}
        result = partial(read_found, file)
        return self._start("batch", asked, on_done, on_error, on_progress, tell, folder, result)

    def export_dicom(self, parameters: Mapping[str, Any], on_done: OnDone, on_error: OnError) -> Cancel:
        """Write a result as DICOM; parameters as ``dicom.request.ExportDicomRequest``. Returns how to cancel it.

        ``on_done({"files": ..., "objects": [...], "error_bound": ...})``.
        """
        return self._start("export-dicom", parameters, on_done, on_error)

    def forget_download(self, source: str) -> None:
        """The terms of what was downloaded from this address were not accepted: remove it. Others are no concern."""
        if "://" in source:
            from MedUSISLib.generators.install import forget_download

            forget_download(source)

    def remove_generator(self, identifier: str) -> None:
        """Remove a generator that the user installed; at once, it is a folder only.

        Raises
        ------
        MedUSISError
            GENERATOR_NOT_FOUND when the user has installed none of this id; DEPENDENCY_MISSING.
        """
        require_packages()
        from MedUSISLib.generators.install import remove_generator

        remove_generator(identifier)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the jobs that run now; False when one still runs after ``timeout_s``."""
        return all([run.wait(timeout_s) for run in list(self._runs)])

    def cancel(self) -> None:
        """Ask every job to stop; each ends with a failure of code CANCELLED."""
        for run in list(self._runs):
            run.cancel()

    def close(self) -> None:
        """End everything now, and call nobody any more; again does nothing."""
        runs, self._runs = self._runs, []
        for run in runs:
            run.close()

    def _start(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        on_done: OnDone,
        on_error: OnError | None,
        on_progress: OnProgress | None = None,
        on_stage: OnStage | None = None,
        folder: RunFolder | None = None,
        result: Callable[[dict[str, Any]], Any] = dict,
    ) -> Cancel:
        """Start a job; ``result`` makes of its summary what ``on_done`` hears, while ``folder`` is still there."""

        def tell_error(failure: Failure) -> None:
            if on_error is not None:
                on_error(for_the_window(failure))

        run: JobRun | None = None
        try:
            require_packages()
            from MedUSISLib.jobs.specification import JobSpecification

            worker = self._worker
            specification = JobSpecification(kind=kind, parameters=dict(parameters))
            run = JobRun(
                specification, worker.new_process(), worker.command(), worker.single_shot, folder, worker.kinds
            )
            self._listen(run, on_done, tell_error, result)
            if on_progress is not None:
                run.progressed.connect(on_progress)
            if on_stage is not None:
                run.stage.connect(on_stage)
            self._runs.append(run)
            run.start()
            return run.cancel
        except Exception as error:
            if run is not None:
                self._forget(run)
            elif folder is not None:
                folder.close()
            tell_error(Failure.of(error if isinstance(error, MedUSISError) else as_named(error)))
        return lambda: None

    def _listen(self, run: JobRun, on_done: OnDone, on_error: OnError, result: Callable[[dict[str, Any]], Any]) -> None:
        def succeeded(event: Result) -> None:
            told = result(event.summary)
            self._forget(run)
            on_done(told)

        def failed(failure: Failure) -> None:
            self._forget(run)
            on_error(failure)

        run.succeeded.connect(succeeded)
        run.failed.connect(failed)

    def _forget(self, run: JobRun) -> None:
        if run in self._runs:
            self._runs.remove(run)
        run.close()
