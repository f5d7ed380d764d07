"""A stand-in for a trained network: draws each class with its own intensity and mixes no pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.synthesis.bookkeeping import RecordingProgress
from MedUSISLib.synthesis.engine import synthesize_case
from MedUSISLib.synthesis.inputs import prepare_case
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SynthesisResult


class Painter(nn.Module):
    """Class c becomes -1 + 2 c / (C - 1); dropout and noise shift the whole image when they are asked to.

    Parameters
    ----------
    classes : int
    multiple : int
        Sides must be multiples of it, as a real generator wants.
    noise_weight : float
        How much the first noise channel brightens the image.
    dropout : float
    """

    def __init__(self, classes: int = 16, multiple: int = 8, noise_weight: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.size_multiple = multiple
        self.noise_weight = noise_weight
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("values", torch.linspace(-1, 1, classes))
        self.batches: list[int] = []

    def trunk(self, onehot: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:
        assert all(size % self.size_multiple == 0 for size in onehot.shape[2:])
        assert bool((onehot.sum(dim=1) == 1).all())
        self.batches.append(len(onehot))
        image = torch.einsum("bc...,c->b...", onehot, self.values).unsqueeze(1)
        if z is not None:
            image = image + self.noise_weight * z[:, :1].reshape(-1, *[1] * (image.ndim - 1))
        return image

    def tail(self, state: torch.Tensor) -> torch.Tensor:
        return self.dropout(state + 1) - 1 if self.dropout.p else state

    def forward(self, onehot: torch.Tensor, z: torch.Tensor | None = None) -> torch.Tensor:
        return self.tail(self.trunk(onehot, z))


def intensity_of_class(index: int | Sequence[int], classes: int = 16) -> float:
    """What the painter's class looks like in an MR of 0..1.2."""
    return 1.2 * float(index) / (classes - 1)  # type: ignore[arg-type]


def synthesize_in_memory(ct: Volume, segmentation: Volume, bundle: Bundle, **settings: object) -> SynthesisResult:
    """The engine without files; ``settings`` are those of a request."""
    schema = load_schema("head")
    progress = RecordingProgress()
    values = {"ct": "ct", "segmentation": "seg", "out": "out", "labels": "head", "passes": 1, "device": "cpu"}
    request = SynthesisRequest.model_validate(values | settings)
    case = prepare_case(ct, segmentation, schema, progress, request.labels, request.unmapped)
    return synthesize_case(case, bundle, schema, request, progress)
