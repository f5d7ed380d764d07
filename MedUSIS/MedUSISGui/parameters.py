"""What the user chooses in the module, kept in the scene: the parameter node."""

from __future__ import annotations

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper


@parameterNodeWrapper
class Parameters:
    """Choices of inputs, settings and outputs; the widgets whose ``SlicerParameterName`` is a field are bound to it.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
    segmentation : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
    result : vtkMRMLScalarVolumeNode
        The synthetic MR that is shown under "Result and review".
    generator, mode, passes, noiseSamples, truncation, seed, device, allowCpu
        As in ``MedUSISLib.mrml.settings.SynthesisSettings``.
    batchSize : int
        0 is automatic.
    outputUncertainty, outputConsistency, outputLabels : bool
        Which maps come into the scene.
    replaceResult : bool
        Whether a new result takes the place of ``result``.
    """

    ct: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLNode
    result: slicer.vtkMRMLScalarVolumeNode
    generator: str = "head-t1w"
    mode: str = "slice"
    passes: Annotated[int, WithinRange(1, 200)] = 8
    noiseSamples: Annotated[int, WithinRange(0, 200)] = 0
    truncation: Annotated[float, WithinRange(0.1, 4.0)] = 2.0
    seed: Annotated[int, WithinRange(0, 2147483647)] = 0
    device: str = "auto"
    batchSize: Annotated[int, WithinRange(0, 4096)] = 0
    allowCpu: bool = True
    outputUncertainty: bool = True
    outputConsistency: bool = True
    outputLabels: bool = False
    replaceResult: bool = False


def settings_of(parameters):
    """The settings of a run (``SynthesisSettings``)."""
    from MedUSISLib.mrml.settings import SynthesisSettings

    return SynthesisSettings(
        generator=parameters.generator,
        mode=parameters.mode,
        passes=parameters.passes,
        noise_samples=parameters.noiseSamples,
        truncation=parameters.truncation,
        seed=parameters.seed,
        device=parameters.device,
        batch_size=parameters.batchSize or None,
        allow_cpu=parameters.allowCpu,
    )


def store_settings(parameters, settings) -> None:
    """Write settings back, so that the user sees what is being run."""
    with slicer.util.NodeModify(parameters.parameterNode):
        parameters.generator = settings.generator
        parameters.mode = settings.mode
        parameters.passes = settings.passes
        parameters.noiseSamples = settings.noise_samples
        parameters.truncation = settings.truncation
        parameters.seed = settings.seed
        parameters.device = settings.device
        parameters.batchSize = settings.batch_size or 0
        parameters.allowCpu = settings.allow_cpu


def outputs_of(parameters):
    """Which maps come into the scene and what they replace (``OutputChoice``)."""
    from MedUSISLib.mrml.result_nodes import nodes_of
    from MedUSISLib.mrml.settings import OutputChoice

    earlier = parameters.result if parameters.replaceResult else None
    return OutputChoice(
        uncertainty=parameters.outputUncertainty,
        mask_consistency=parameters.outputConsistency,
        labels=parameters.outputLabels,
        replace=nodes_of(earlier) if earlier is not None else None,
    )
