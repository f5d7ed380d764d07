"""What a finished 3D generator is measured on, beside `measurements` for slices: drawn as it will be, in windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.evaluation.noise_response import noise_response
from MedUSISLib.evaluation.seam_index import seam_index
from MedUSISLib.evaluation.spectrum import high_frequency_ratio
from MedUSISLib.evaluation.stripe_index import stripe_index
from MedUSISLib.networks.sharpening import sharpened
from MedUSISLib.synthesis.modes import VolumeWindows
from MedUSISLib.training.calibration import STRONGEST, thin_cases
from MedUSISLib.training.cases import Case
from MedUSISLib.training.held_out import middle_box
from MedUSISLib.training.measurements import PASSES, VolumeMeasurements, framed, is_thin
from MedUSISLib.training.t1_scaling import CLIP
from MedUSISLib.training.volumes import synthesize_volume

#: People whose middle the sharpening is fitted on.
_PEOPLE = 4
_NOISE_SAMPLES = 4


def fitted_volume_sharpening(
    network: Any, cases: Sequence[Case], window_kji: tuple[int, int, int], noise_channels: int, classes: int
) -> float:
    """As `calibration.fitted_sharpening`, in the axial slices of the middle of a few training volumes."""
    boxes = [middle_box(case, window_kji) for case in thin_cases(cases)[:_PEOPLE]]
    drawn = [synthesize_volume(network, box.labels_kji, window_kji, noise_channels, classes).mean for box in boxes]
    images = [torch.from_numpy(volume)[None, None] * (2 / CLIP) - 1 for volume in drawn]
    if not boxes:
        return 0.0
    size = window_kji[1], window_kji[2]
    real = np.concatenate([framed(box.image_kji, size) for box in boxes if box.image_kji is not None])
    bodies = np.concatenate([framed(box.labels_kji, size) for box in boxes]) > 0

    def ratio(strength: float) -> float:
        volumes = ((sharpened(image, strength)[0, 0].numpy() + 1) * (CLIP / 2) for image in images)
        planes = np.concatenate([framed(volume, size) for volume in volumes])
        return high_frequency_ratio(planes, real.astype(np.float32), bodies, bodies)

    enough = [strength for strength in np.linspace(0, STRONGEST, 9) if ratio(float(strength)) >= 1]
    return float(enough[0]) if enough else STRONGEST


def measure_whole_volume(
    network: Any, case: Case, window_kji: tuple[int, int, int], noise_channels: int, classes: int
) -> VolumeMeasurements:
    """Draw a case ``PASSES`` times and measure; stripes and seams are those of the mean, which is what a user gets."""
    labels = case.labels_kji
    maps = synthesize_volume(network, labels, window_kji, noise_channels, classes, passes=PASSES)
    body = labels > 0
    stripes = stripe_index(maps.mean, body, labels)
    real = None
    if case.image_kji is not None and is_thin(case):
        real = stripe_index(case.image_kji.astype(np.float32), body, labels)
    return VolumeMeasurements(
        case.person,
        float(maps.variance[body].mean(dtype=np.float64)),
        float("nan") if stripes is None else stripes,
        real,
        seam_index(maps.mean, VolumeWindows(window_kji).borders(labels), labels),
    )


def measure_volume_noise(
    network: Any, case: Case, window_kji: tuple[int, int, int], noise_channels: int, schema: LabelSchema
) -> dict[str, Any]:
    """How the middle of a volume differs between noise vectors; empty for a deterministic generator."""
    if not noise_channels:
        return {}
    labels = middle_box(case, window_kji).labels_kji
    images = [
        synthesize_volume(network, labels, window_kji, noise_channels, schema.number_of_classes, seed=seed).mean
        for seed in range(_NOISE_SAMPLES)
    ]
    return noise_response(images, labels > 0, labels, schema, intensity_range=CLIP).as_dict()
