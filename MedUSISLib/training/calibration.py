"""How much a finished generator is sharpened: until its fine detail is as strong as in the people it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from MedUSISLib.evaluation.spectrum import high_frequency_ratio
from MedUSISLib.networks.sharpening import sharpened
from MedUSISLib.training.cases import Case
from MedUSISLib.training.t1_scaling import CLIP
from MedUSISLib.training.validation import synthesize_slices
from MedUSISLib.training.validation_slices import validation_slices

#: More than this draws halos.
STRONGEST = 0.4
_THIN_MM = 1.7


def thin_cases(cases: Sequence[Case]) -> list[Case]:
    """Those with an image whose slices are thin: thick ones have less fine detail than they ought to."""
    return [
        case for case in cases if case.image_kji is not None and (case.acquired_mm or case.thickness_mm) < _THIN_MM
    ]


def fitted_sharpening(
    network: Any, cases: Sequence[Case], crop: tuple[int, int], noise_channels: int, classes: int
) -> float:
    """Strength at which the power of fine detail equals that of the real training slices, at most ``STRONGEST``.

    Fitted on training people with thin slices; the held-out people only say how well it carries over.

    Parameters
    ----------
    network : nn.Module
        Not sharpened yet.
    cases : sequence of Case
        Of training; those without an image or with thick slices are left out.

    Returns
    -------
    float
        0 where nothing is missing or nothing can be measured.
    """
    thin = thin_cases(cases)
    if not thin:
        return 0.0
    slices = validation_slices(thin, crop, per_case=6)
    body = slices.labels > 0
    fake = (
        torch.from_numpy(synthesize_slices(network, slices.labels, noise_channels, classes))[:, None] * (2 / CLIP) - 1
    )

    def ratio(strength: float) -> float:
        image = (sharpened(fake, strength)[:, 0].numpy() + 1) * (CLIP / 2)
        return high_frequency_ratio(image, slices.images, body, body)

    strengths = np.linspace(0, STRONGEST, 13)
    enough = [s for s in strengths if ratio(float(s)) >= 1]
    return float(enough[0]) if enough else STRONGEST
