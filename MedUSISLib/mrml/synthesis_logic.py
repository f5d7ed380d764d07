"""From a CT and its segmentation in the scene to a synthetic MR in the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.last_result import TAKEN, TAKEN_TEXT, LastResult, fingerprint
from MedUSISLib.mrml.scene_job import SceneJob, SceneJobProtocol, require_packages
from MedUSISLib.mrml.scene_observer import SceneObserver
from MedUSISLib.mrml.scene_work import SceneWork, Warn
from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs, SynthesisSettings
from MedUSISLib.mrml.slice_in_view import Voxel, voxel_in_view
from MedUSISLib.mrml.time_left import synthesis_weights
from MedUSISLib.mrml.worker import Worker

if TYPE_CHECKING:
    import numpy as np

    from MedUSISLib.anatomy.schema import LabelSchema
    from MedUSISLib.jobs.specification import JobSpecification
    from MedUSISLib.mrml.preparation import PreparedInputs
    from MedUSISLib.mrml.result_nodes import SynthesisNodes
    from MedUSISLib.synthesis.request import SynthesisRequest

RESULT_NAME = "result"


class SynthesisLogicProtocol(SceneJobProtocol, Protocol):
    """What a window needs to run a synthesis; see ``SynthesisLogic``."""

    def start(self, inputs: SynthesisInputs, settings: SynthesisSettings, outputs: OutputChoice | None = None) -> None:
        """Start a synthesis; MedUSISError when that is not possible."""


class SynthesisLogic:
    """Runs one synthesis at a time in a child process.

    ``start`` checks what can be checked at once and raises a named error; from the first signal on, everything is
    told by signals (``scene_job.JobSignals`` says which and when), ``finished`` with the ``SynthesisNodes``. Writing
    the inputs takes a moment in this thread (seconds at 512 x 512 x 400); the stage is told before, so that a window
    can show it. When the CT, the segmentation or the scene goes away, the run is ended and nothing is loaded.

    The last result is kept in memory: where a run would give exactly the same, because only the choice of maps is
    another one, it is taken instead, and a warning RESULT_TAKEN says so.

    Parameters
    ----------
    worker : Worker, optional
        How child processes are made. The default is heard by threads: without an event loop call ``wait``.
    prepare : callable, optional
        ``preparation.prepare_inputs``.
    load : callable, optional
        ``results.load_results``.
    scene : callable, optional
        Gives the scene; ``slicer.mrmlScene`` by default.

    Examples
    --------
    In a script::

        logic = SynthesisLogic()
        logic.finished.connect(lambda nodes: print(nodes.mr.GetName()))
        logic.failed.connect(lambda failure: print(failure.message, failure.hint))
        logic.start(SynthesisInputs(ct, segmentation, classes), SynthesisSettings(passes=1))
        logic.wait()
    """

    def __init__(
        self,
        worker: Worker | None = None,
        prepare: Callable[[SynthesisInputs, LabelSchema, Path], PreparedInputs] | None = None,
        load: Callable[[Path, Any, OutputChoice, np.ndarray | None], SynthesisNodes] | None = None,
        scene: Callable[[], Any] | None = None,
    ) -> None:
        self._job = SceneJob(worker or Worker(), scene or current_scene)
        self._prepare = prepare or _prepare_inputs
        self._load = load or _load_results
        self._scene = scene or current_scene
        self._last = LastResult()
        self._last_ct: SceneObserver | None = None
        signals = self._job.signals
        self.stage, self.progressed, self.advanced = signals.stage, signals.progressed, signals.advanced
        self.previewed, self.warned, self.logged = signals.previewed, signals.warned, signals.logged
        self.finished, self.failed, self.cancelled = signals.finished, signals.failed, signals.cancelled

    @property
    def running(self) -> bool:
        """True from ``start`` until the outcome is told."""
        return self._job.running

    def start(self, inputs: SynthesisInputs, settings: SynthesisSettings, outputs: OutputChoice | None = None) -> None:
        """Start a synthesis and return when its child process runs.

        Raises
        ------
        MedUSISError
            BAD_SETTING (nothing selected, wrong settings, a run is going on), GENERATOR_NOT_FOUND,
            GENERATOR_CORRUPT, DEPENDENCY_MISSING. No signal has been given then.
        """
        if inputs.ct is None or inputs.segmentation is None:
            missing = "CT" if inputs.ct is None else "segmentation"
            raise MedUSISError(ErrorCode.BAD_SETTING, f"no {missing} is selected", f"select a {missing}")
        require_packages()
        synthesis_request(settings, Path("checked-only"))
        schema = schema_of(settings.generator)
        settings = in_a_mode_of_the_generator(settings)
        choice = outputs or OutputChoice()
        made_on = place_of(inputs.ct)
        first_voxel = voxel_in_view(inputs.ct)
        key = ""

        def prepare(folder: Path, warn: Warn) -> JobSpecification:
            from MedUSISLib.jobs.specification import JobSpecification

            nonlocal key
            prepared = self._prepare(inputs, schema, folder)
            for code, message in prepared.warnings:
                warn(code, message)
            key = fingerprint(settings, prepared)
            return JobSpecification.of("synthesize", synthesis_request(settings, folder, prepared, first_voxel))

        def put(folder: Path, warn: Warn) -> bool:
            taken = self._last.write(key, folder / RESULT_NAME)
            if taken:
                warn(TAKEN, TAKEN_TEXT)
            return taken

        work = SceneWork(
            nodes={"the CT": inputs.ct, "the segmentation": inputs.segmentation},
            prepare=prepare,
            load=lambda folder: self._load(folder / RESULT_NAME, inputs.ct, choice, made_on),
            weights=synthesis_weights(settings),
            about="settings: " + ", ".join(f"{name} {value}" for name, value in vars(settings).items()),
            put=put,
            keep=lambda folder: self._keep(key, folder / RESULT_NAME, inputs.ct),
        )
        self._job.start(work, "synthesize")

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
        self.forget()

    def forget(self) -> None:
        """Keep the result of the last run no longer: the next one computes in any case."""
        self._last.forget()
        if self._last_ct is not None:
            self._last_ct.close()
        self._last_ct = None

    def _keep(self, key: str, folder: Path, ct: Any) -> None:
        """Until the scene is closed or the CT is removed."""
        self.forget()
        try:
            self._last.keep(key, folder)
        except OSError:
            return  # it is a convenience, and no reason to lose the result
        self._last_ct = SceneObserver(self._scene(), {"the CT": ct}, lambda _code, _message: self.forget())

    def log_text(self) -> str:
        """What the last run said, free of the patient's names and paths."""
        return self._job.log.text()


def current_scene() -> Any:
    """The scene of the application."""
    import slicer

    return slicer.mrmlScene


def place_of(ct: Any) -> np.ndarray | None:
    """Where a CT lies now (4x4, index to world RAS), to know it again when it has been moved; None: it has no grid."""
    from MedUSISLib.mrml.world_grid import world_grid

    try:
        return world_grid(ct).matrix
    except MedUSISError:
        return None


def synthesis_request(
    settings: SynthesisSettings,
    folder: Path,
    prepared: PreparedInputs | None = None,
    first_voxel: Voxel | None = None,
) -> SynthesisRequest:
    """The engine's request for these settings; BAD_SETTING names what is wrong."""
    from pydantic import ValidationError

    from MedUSISLib.jobs.specification import bad_setting
    from MedUSISLib.synthesis.request import SynthesisRequest

    known: dict[str, Any] = {
        "ct": folder / "ct.nii.gz",
        "segmentation": folder / "segmentation.nii.gz",
        "out": folder / RESULT_NAME,
        "first_voxel": first_voxel,
    }
    if prepared is not None:
        known.update(ct=prepared.ct_file, segmentation=prepared.segmentation_file, labels=str(prepared.labels_file))
        known.update(segmentation_was_resampled=prepared.segmentation_was_resampled)
    try:
        return SynthesisRequest.model_validate({**known, **vars(settings)})
    except ValidationError as error:
        raise bad_setting(error, "the settings are not valid") from error


def schema_of(generator: str) -> LabelSchema:
    """The label schema that a generator was trained with.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND, GENERATOR_CORRUPT.
    """
    from MedUSISLib.anatomy.schema import load_schema
    from MedUSISLib.generators.catalogue import find_bundle
    from MedUSISLib.generators.manifest import read_manifest

    manifest = read_manifest(find_bundle(generator))
    if manifest.kind != "generator":
        raise MedUSISError(
            ErrorCode.GENERATOR_NOT_FOUND, f"'{manifest.id}' is no generator", "choose a generator from the list"
        )
    return load_schema(manifest.schema_id)


def in_a_mode_of_the_generator(settings: SynthesisSettings) -> SynthesisSettings:
    """The settings with windows for a 3D generator, whatever mode the panel still holds from another generator."""
    from MedUSISLib.generators.catalogue import find_bundle
    from MedUSISLib.generators.manifest import read_manifest

    volumes = read_manifest(find_bundle(settings.generator)).spatial_dims == 3
    return replace(settings, mode="window") if volumes else settings


def _prepare_inputs(inputs: SynthesisInputs, schema: LabelSchema, folder: Path) -> PreparedInputs:
    from MedUSISLib.mrml.preparation import prepare_inputs

    return prepare_inputs(inputs, schema, folder)


def _load_results(folder: Path, ct: Any, outputs: OutputChoice, made_on: np.ndarray | None) -> SynthesisNodes:
    from MedUSISLib.mrml.results import load_results

    return load_results(folder, ct, outputs, made_on)
