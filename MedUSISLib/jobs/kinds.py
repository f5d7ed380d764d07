"""What a job can be: a name, the request that it takes and the function that does it - both loaded when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, TypeAdapter


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    Parameters
    ----------
    name : str
        As written in the job file.
    request : str
        ``"module:Name"`` of its pydantic request, a model or a union of models; the module must be light (no torch).
    function : str
        ``"module:function"`` that is called as ``function(request, progress)``; loaded only in the child process.
        What it returns becomes the result event: a path is the place of the output; a mapping, or the known fields
        of a dataclass, is the summary (single figures only); a method ``summary()`` says the summary itself.
    keeps : str
        For kinds that a worker does that stays (``serve``): the name of the argument by which the function takes what
        is kept in memory for the next one, "generators" or "bundles". Empty for all others.
    """

    name: str
    request: str
    function: str
    keeps: str = ""

    def request_type(self) -> Any:
        """The type of the parameters: a pydantic model, or an annotated union of them."""
        return _load(self.request)

    def validated(self, parameters: Mapping[str, Any]) -> BaseModel:
        """The request; raises pydantic's ValidationError."""
        request: BaseModel = TypeAdapter(self.request_type()).validate_python(parameters)
        return request

    def implementation(self) -> Callable[..., Any]:
        """The function that does the work."""
        found: Callable[..., Any] = _load(self.function)
        return found


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


KINDS: Mapping[str, JobKind] = {
    kind.name: kind
    for kind in (
        JobKind(
            "synthesize",
            "MedUSISLib.synthesis.request:SynthesisRequest",
            "MedUSISLib.synthesis.engine:synthesize",
            keeps="generators",
        ),
        JobKind(
            "segment",
            "MedUSISLib.segmentation.request:SegmentationRequest",
            "MedUSISLib.segmentation.segment:segment",
            keeps="bundles",
        ),
        JobKind(
            "batch",
            "MedUSISLib.batch.request:BatchRequest",
            "MedUSISLib.batch.runner:run_batch",
        ),
        JobKind(
            "train",
            "MedUSISLib.training.configuration:TrainingConfiguration",
            "MedUSISLib.jobs.training_job:train",
        ),
        JobKind(
            "estimate-training",
            "MedUSISLib.training.configuration:TrainingConfiguration",
            "MedUSISLib.training.estimate_job:estimate_training",
        ),
        JobKind(
            "export-generator",
            "MedUSISLib.training.export_request:ExportRequest",
            "MedUSISLib.training.export_job:export_training",
        ),
        JobKind(
            "scan-dataset",
            "MedUSISLib.dataset.request:ScanRequest",
            "MedUSISLib.dataset.scan:scan_dataset",
        ),
        JobKind(
            "export-dicom",
            "MedUSISLib.dicom.request:ExportDicomRequest",
            "MedUSISLib.dicom.export:export_dicom",
        ),
        JobKind(
            "devices",
            "MedUSISLib.generators.requests:DevicesRequest",
            "MedUSISLib.generators.device_probe:list_devices",
        ),
        JobKind(
            "install-generator",
            "MedUSISLib.generators.requests:InstallRequest",
            "MedUSISLib.generators.install_job:install",
        ),
        JobKind(
            "new-study",
            "MedUSISLib.study.requests:NewStudyRequest",
            "MedUSISLib.study.study_jobs:new_study_job",
        ),
        JobKind(
            "check-study",
            "MedUSISLib.study.requests:CheckStudyRequest",
            "MedUSISLib.study.study_jobs:check_study_job",
        ),
        JobKind(
            "package-study",
            "MedUSISLib.study.requests:PackageStudyRequest",
            "MedUSISLib.study.study_jobs:package_study_job",
        ),
        JobKind(
            "analyse-study",
            "MedUSISLib.study.requests:AnalyseStudyRequest",
            "MedUSISLib.study.study_jobs:analyse_study_job",
        ),
    )
}
