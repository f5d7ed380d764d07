"""provenance.json: how a result came to be, without a name of a person, a file or a machine."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from MedUSISLib import __version__
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.synthesis.inputs import Case
from MedUSISLib.synthesis.plan import SynthesisPlan
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

_PACKAGES = ("torch", "numpy", "scipy", "SimpleITK", "nibabel", "safetensors", "monai")


def provenance(
    request: SynthesisRequest, bundle: Bundle, case: Case, plan: SynthesisPlan, device: str, passes: int
) -> dict[str, Any]:
    """Everything that a repetition needs.

    Parameters
    ----------
    device : str
        What the network really ran on ("cpu", "cuda"): another kind of device gives slightly other voxels.
    passes : int
        Passes really made: one for a generator without dropout.
    """
    manifest = bundle.manifest
    return {
        "notice": SYNTHETIC_NOTICE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "generator": {
            "id": manifest.id,
            "version": manifest.version,
            "sha256": bundle.sha256,
            "licence": manifest.licence,
            "schema": manifest.schema_id,
        },
        "settings": request.settings(),
        "seed": request.seed,
        "passes": passes,
        "noise_samples": request.noise_samples,
        "truncation": request.truncation,
        "mode": plan.mode_name,
        "label_mapping": case.mapping,
        "precision": manifest.precision,
        "device": device,
        "grid": {"size_ijk": list(plan.grid.size_ijk), "spacing_mm": list(plan.grid.spacing_mm)},
        "inputs": {
            "ct": {"voxels_sha256": case.hashes["ct"], "values_sha256": case.hashes["ct_values"]},
            "segmentation": {"voxels_sha256": case.hashes["segmentation"], "was_resampled": case.was_resampled},
        },
        "software": software_versions(),
    }


def software_versions() -> dict[str, str]:
    """Versions of MedUSIS and of what computes for it."""
    versions = {"medusis": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
