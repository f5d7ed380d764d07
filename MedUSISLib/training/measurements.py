"""What a finished generator is measured on before it is shipped: held-out people, whole volumes, passes and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.evaluation.noise_response import noise_response
from MedUSISLib.evaluation.stripe_index import stripe_index
from MedUSISLib.networks.dropout import has_dropout, set_mc_dropout
from MedUSISLib.training.cases import Case
from MedUSISLib.training.generator_step import one_hot
from MedUSISLib.training.slices import cut_out
from MedUSISLib.training.t1_scaling import CLIP
from MedUSISLib.training.validation import synthesize_slices

PASSES = 8
#: A volume is flagged when its uncertainty exceeds the largest of the validation volumes by this factor: with a
#: handful of them a percentile would be a fiction.
REVIEW_FACTOR = 1.5
_THIN_MM = 1.6


@dataclass(frozen=True)
class VolumeMeasurements:
    """One volume, synthesized slice by slice.

    Attributes
    ----------
    uncertainty : float
        Mean over the body of the variance over dropout passes (equation 9.10 of the book), squared intensity units.
    stripes : float
        Between-slice over in-slice gradient inside one class, of the first pass.
    stripes_real : float or None
        The same of the real image.
    seams : float or None
        Of a volume drawn in windows, see `seam_index`.
    """

    person: str
    uncertainty: float
    stripes: float
    stripes_real: float | None
    seams: float | None = None


def is_thin(case: Case) -> bool:
    """Whether its slices lie near enough for the gradient between them to be compared with that within."""
    return (case.acquired_mm or case.thickness_mm) < _THIN_MM


def framed(volume: np.ndarray, crop: tuple[int, int]) -> np.ndarray:
    """Every axial slice cut or padded to the training crop about its middle, (K, rows, columns)."""
    starts = [(n - wanted) // 2 for n, wanted in zip(volume.shape[1:], crop, strict=True)]
    return np.stack([cut_out(plane, starts, crop) for plane in volume])


def measure_volume(
    network: Any, case: Case, crop: tuple[int, int], noise_channels: int, classes: int, batch: int = 8
) -> VolumeMeasurements:
    """Synthesize all slices of a case ``PASSES`` times and measure."""
    labels = framed(case.labels_kji, crop)
    device = next(network.parameters()).device
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(1, noise_channels, generator=rng).clamp(-2, 2).to(device) if noise_channels else None
    total, count, first_pass = 0.0, 0, []
    network.eval()
    set_mc_dropout(network, True)
    with torch.inference_mode():
        for first in range(0, len(labels), batch):
            part = torch.from_numpy(labels[first : first + batch]).long().to(device)
            state = network.trunk(one_hot(part, classes), None if z is None else z.expand(len(part), -1))
            images = torch.stack([network.tail(state)[:, 0].float() for _ in range(PASSES)]) * (CLIP / 2)
            inside = part > 0
            total += float(images.var(0, unbiased=False)[inside].sum())
            count += int(inside.sum())
            first_pass.append((images[0] + CLIP / 2).cpu().numpy())
    set_mc_dropout(network, False)
    body = labels > 0
    stripes = stripe_index(np.concatenate(first_pass), body, labels)
    real = None
    if case.image_kji is not None and is_thin(case):
        real = stripe_index(framed(case.image_kji, crop).astype(np.float32), body, labels)
    return VolumeMeasurements(case.person, total / max(count, 1), float(stripes or float("nan")), real)


def measure_noise(
    network: nn.Module, labels: np.ndarray, noise_channels: int, schema: LabelSchema, samples: int = 4
) -> dict[str, Any]:
    """How images of the same labels differ between noise vectors; empty for a deterministic generator."""
    if not noise_channels:
        return {}
    classes = schema.number_of_classes
    images = [synthesize_slices(network, labels, noise_channels, classes, seed=seed) for seed in range(samples)]
    return noise_response(images, labels > 0, labels, schema, intensity_range=CLIP).as_dict()


def review_threshold(measured: Sequence[VolumeMeasurements], network: nn.Module) -> float | None:
    """Uncertainty above which a volume is flagged, from the validation volumes; None without dropout."""
    if not measured or not has_dropout(network):
        return None
    return REVIEW_FACTOR * max(one.uncertainty for one in measured)
