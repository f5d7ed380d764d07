"""A small made-up result for the tests of quality and report: an egg-shaped head on any grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.evaluation.mask_consistency import mask_consistency, tissue_threshold
from MedUSISLib.generators.manifest import (
    DropoutDescription,
    IntensityDescription,
    Manifest,
    NetworkDescription,
    ReviewThresholds,
    TrainingData,
)
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SynthesisResult, SynthesisWarning

HEAD = load_schema("head")
MEANS = {"skin": 0.4, "fat": 0.9, "cortical_bone": 0.1, "csf": 0.15, "cortex": 0.5, "white_matter": 0.7}
HU = {"skin": 20, "fat": -90, "cortical_bone": 1100, "csf": 8, "cortex": 37, "white_matter": 28}
PATIENT = "Meier_Hans_1950"


def egg_labels(shape: tuple[int, int, int]) -> np.ndarray:
    """Skin, fat, bone, CSF, cortex and white matter, one inside the other, in the middle of a grid."""
    axes = [(np.arange(n) - (n - 1) / 2) / max(n / 2, 1) for n in shape]
    radius = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2)
    labels = np.zeros(shape, np.uint8)
    for bound, name in zip((0.85, 0.79, 0.7, 0.6, 0.54, 0.4), HU, strict=True):
        labels[radius < bound] = HEAD.index_of(name)
    return labels


def example_result(geometry: Geometry | None = None, **changes: Any) -> SynthesisResult:
    """A faithful synthetic MR of the egg; ``changes`` replace fields of the result.

    ``passes``, ``noise_samples``, ``threshold`` and ``dropout`` go to the request and the manifest instead.
    """
    geometry = geometry or Geometry((40, 48, 32), (4.0, 4.0, 5.0), (-80.0, -96.0, -80.0))
    settings = {name: changes.pop(name) for name in ("passes", "noise_samples") if name in changes}
    labels = egg_labels(geometry.shape_kji)
    rng = np.random.default_rng(0)
    means, hu = np.zeros(16, np.float32), np.full(16, -1000.0)
    for name in HU:
        means[HEAD.index_of(name)], hu[HEAD.index_of(name)] = MEANS[name], HU[name]
    tissue = labels > 0
    mr = np.clip(means[labels] + 0.02 * rng.normal(size=labels.shape) * tissue, 0, 1.2).astype(np.float32)
    variance = (0.0004 * tissue * rng.gamma(4, 0.25, labels.shape)).astype(np.float32)
    k, j, i = geometry.spacing_mm[::-1]
    found = mask_consistency(mr, labels, HEAD, tissue_threshold(0.0, 1.2), (k, j, i))
    fields: dict[str, Any] = {
        "mr": mr,
        "uncertainty": variance,
        "noise_spread": variance * 0.5 if settings.get("noise_samples") else None,
        "mask_consistency": found.map,
        "labels": labels,
        "ct": hu[labels].astype(np.int16),
        "body": np.stack([ndimage.binary_fill_holes(plane) for plane in tissue]),
    }
    manifest = example_manifest(changes.pop("threshold", 0.001), changes.pop("dropout", 0.1))
    for name in list(fields):
        value = changes.pop(name, fields[name])
        fields[name] = Volume(value, geometry) if isinstance(value, np.ndarray) else value
    request = SynthesisRequest(
        ct=f"/data/{PATIENT}/ct.nii.gz",
        segmentation=f"/data/{PATIENT}/{PATIENT}_seg.nii.gz",
        out=f"/data/{PATIENT}/out",
        **settings,
    )
    others: dict[str, Any] = {
        "schema": HEAD,
        "manifest": manifest,
        "request": request,
        "timings": {"reading": 1.0, "synthesizing": 2.0},
        "peak_memory_bytes": 2**30,
        "warnings": [SynthesisWarning("TEST", f"a library said: cannot stat /data/{PATIENT}/ct.nii.gz")],
        "provenance": {"generator": {"id": "head-t1w"}, "seed": 0, "inputs": {"ct": {"sha256": "ab" * 32}}},
        "statistics": {"seam_index": 1.05},
    }
    return SynthesisResult(**fields, **{**others, **changes})


def example_manifest(threshold: float | None, dropout: float) -> Manifest:
    """A manifest like that of head-t1w."""
    return Manifest(
        id="head-t1w",
        version="1.0.0",
        title="T1 head <test>",
        licence="Apache-2.0",
        modality="T1-weighted MR",
        body_region="head",
        schema_id="head",
        network=NetworkDescription(name="wavelet_generator"),
        intensity=IntensityDescription(minimum=0.0, maximum=1.2, unit="white matter = 0.7"),
        dropout=DropoutDescription(rate=dropout, blocks=2),
        review=ReviewThresholds(uncertainty=threshold, passes=8),
        results={"class_means_real": MEANS},
        intended_use="Tests & teaching.",
        known_limits=("an egg is not a head",),
        training_data=(TrainingData(name="nobody", licence="CC0", subjects=0),),
    )
