"""The job "export-generator": a checkpoint of a training, measured and written as a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.private_folder import private_folder
from MedUSISLib.progress import Progress
from MedUSISLib.training.export_request import ExportRequest
from MedUSISLib.training.kept_configuration import kept_configuration


@dataclass(frozen=True)
class Exported:
    """What was exported, and where to."""

    id: str
    version: str
    iteration: int
    out: Path

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {"id": self.id, "version": self.version, "iteration": self.iteration, "out": str(self.out)}


def export_training(request: ExportRequest, progress: Progress) -> Exported:
    """Load a checkpoint, measure it on the held-out people, and write the bundle.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` without such a checkpoint or without the training's configuration; ``BAD_SETTING`` for a
        target that must not be replaced; those of reading the data.
    """
    from MedUSISLib.generators.pack import check_target, pack_bundle
    from MedUSISLib.training.dataset_data import with_dataset
    from MedUSISLib.training.export import export_generator
    from MedUSISLib.training.generator_run import GeneratorRun

    check_target(request.out, request.overwrite)
    configuration = kept_configuration(request.training)
    checkpoint = request.training / f"{request.state}.ckpt"
    if not checkpoint.is_file():
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"the training has no {request.state} state yet",
            "wait for its next checkpoint"
            + (", or take the last one (--from last)" if request.state == "best" else ""),
            checkpoint,
        )
    changes: dict[str, Any] = {"resume": True, "devices": 1, "nodes": 1}
    if request.device is not None:
        changes["device"] = request.device
    known = {name: value for name, value in changes.items() if name in type(configuration).model_fields}
    run = GeneratorRun(with_dataset(configuration.model_copy(update=known)), progress)
    run.prepare()
    run.state.load(checkpoint, run.data)
    with private_folder("export") as folder:
        bundle = export_generator(run, folder / configuration.name, state=request.state)
        progress.stage("writing")
        pack_bundle(bundle, request.out, request.overwrite)
    return Exported(bundle.manifest.id, bundle.manifest.version, run.state.iteration, request.out)
