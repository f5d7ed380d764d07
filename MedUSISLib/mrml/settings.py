"""What a user of the module chooses: the nodes that go in, how the synthesis is made, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from MedUSISLib.mrml.result_nodes import SynthesisNodes


@dataclass(frozen=True)
class SynthesisInputs:
    """The nodes of one synthesis.

    Parameters
    ----------
    ct : vtkMRMLScalarVolumeNode
        In HU; a parent transform is honoured.
    segmentation : vtkMRMLSegmentationNode or vtkMRMLLabelMapVolumeNode
        Of the CT; may have another grid and another parent transform.
    classes : mapping of str to str
        Class of the generator's label schema for each segment id, or for each label value written as text.
        ``"background"`` leaves a segment out; one without a class is an error.
    """

    ct: Any
    segmentation: Any
    classes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SynthesisSettings:
    """How the synthesis is made; the fields mean what they mean in ``synthesis.request.SynthesisRequest``."""

    generator: str = "head-t1w"
    mode: str = "slice"
    passes: int = 8
    noise_samples: int = 0
    truncation: float = 2.0
    seed: int = 0
    device: str = "auto"
    batch_size: int | None = None
    allow_cpu: bool = True


@dataclass(frozen=True)
class OutputChoice:
    """Which maps come into the scene beside the synthetic MR; ``replace`` names an earlier result to be replaced."""

    uncertainty: bool = True
    mask_consistency: bool = True
    labels: bool = False
    replace: SynthesisNodes | None = None
